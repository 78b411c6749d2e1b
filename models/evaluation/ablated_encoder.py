"""Ablations of the slice encoder, each trained anew for the same short compute on the same phantoms.

Judged by what needs no reader: the mean of the three highest slice logits of whole phantoms of the reader's split; of a
sub-volume encoder, whose slabs hold eight slices each, the highest. Compute is CPU time, so that a busy machine favours
nobody.
"""

import os
from pathlib import Path
from typing import Any

import numpy as np

from models.datasets.cache import Shard, render
from models.datasets.phantoms import PhantomSource, split_seeds
from models.evaluation.ablated_reader import Material
from models.evaluation.baselines import Floats, strongest_slices
from models.evaluation.evaluate import PROCESSES
from models.evaluation.metrics import Array, auroc, f1, figure, macro
from models.evaluation.scores import discrimination
from models.evaluation.slab_training import train_slab_encoder
from models.evaluation.slabs import SlabPhantoms, encode_slabs
from models.msvlm.network import new_network
from models.msvlm.preset import Preset
from models.msvlm.run import Run
from models.msvlm.stages import STAGES, run_stages
from models.msvlm.studies import EncodedStudy, encode_studies
from models.phantoms.findings import FINDINGS, Finding

PHANTOMS, JUDGED = 240, 120
STEPS, SELFSUP_STEPS = 240, 40
STRIDE_PX = 16
SMALL = (
    Finding.LUNG_NODULE,
    Finding.CORONARY_CALCIFICATION,
    Finding.LYMPHADENOPATHY,
    Finding.FIBROTIC_SEQUELA,
)
"""Findings that a slab of eight slices may average away."""
REFERENCE = "slab"


def slab_views(material: Material) -> dict[str, Any]:
    """Neighbouring slices as views in self-supervision: the reference of this level."""
    return _trained(material, REFERENCE)


def isolated_views(material: Material) -> dict[str, Any]:
    """Views of one slice alone."""
    return _trained(material, "isolated", isolated=True)


def dino(material: Material) -> dict[str, Any]:
    """DINO's teacher and student in the place of LeJEPA, with the same views."""
    return _trained(material, "dino", method="dino")


def no_selfsup(material: Material) -> dict[str, Any]:
    """Masks from the first step, for the whole compute."""
    return _trained(material, "supervised", method="none", steps=STEPS + SELFSUP_STEPS)


def columns_160(material: Material) -> dict[str, Any]:
    """Coarser pixels on the same field, and as many more steps as they are cheaper."""
    return _trained(material, "160", columns=160)


def columns_320(material: Material) -> dict[str, Any]:
    """Finer pixels on the same field, and as many fewer steps as they are dearer."""
    return _trained(material, "320", columns=320)


def sub_volume(material: Material) -> dict[str, Any]:
    """A 3D encoder on slabs of eight slices, for as much compute as the reference took."""
    run, preset = _run(material, _preset(material.network.preset, REFERENCE))
    shards = render(SlabPhantoms.of(preset.data, PHANTOMS), preset.network, run.cache, PROCESSES)
    encoder, steps = train_slab_encoder(preset, shards, _compute_minutes(run), cpu_s)
    studies = encode_slabs(encoder, _judged(material, run))
    network = new_network(preset)
    network.encoder = encoder
    return {**_figures(studies, strongest_slices(network, _tokens(studies), top=1)), "steps": steps}


def _trained(material: Material, name: str, **changes: Any) -> dict[str, Any]:
    """An encoder trained by the changed preset, judged."""
    run, preset = _run(material, _preset(material.network.preset, name, **changes))
    network = new_network(preset)
    began_s = cpu_s()
    worked = not run.file("encoder").is_file()
    run_stages(run, STAGES[:2])
    if worked:
        _compute_file(run).write_text(f"{(cpu_s() - began_s) / 60.0:.2f}\n")
    run.load("encoder", network)
    studies = encode_studies(network.encoder, _judged(material, run), name)
    figures = _figures(studies, strongest_slices(network, _tokens(studies)))
    return {**figures, "steps": preset.encoder.steps, "cpu_minutes": _compute_minutes(run)}


def cpu_s() -> float:
    """CPU time of this process and of those that it started and that have ended: the slice encoder trains in such."""
    return sum(os.times()[:4])


def _run(material: Material, preset: Preset) -> tuple[Run, Preset]:
    return Run(preset, material.run.cache, material.run.out), preset


def _compute_file(run: Run) -> Path:
    return run.file("encoder").with_suffix(".cpu-minutes")


def _compute_minutes(run: Run) -> float:
    return float(_compute_file(run).read_text())


def _judged(material: Material, run: Run) -> list[Shard]:
    seeds = split_seeds(material.network.preset.data, "reader")[:JUDGED]
    source = PhantomSource("phantoms-judged", seeds, run.preset.data.phantom_px)
    return render(source, run.preset.network, run.cache, PROCESSES)


def _tokens(studies: list[EncodedStudy]) -> list[Floats]:
    return [study.tokens.numpy() for study in studies]


def _figures(studies: list[EncodedStudy], scores: Array) -> dict[str, Any]:
    """AUROC over all findings and the small ones, and F1 at thresholds that the other half of the studies chose."""
    labels, n = np.stack([study.labels.numpy() for study in studies]).astype(float), len(studies)
    small = [FINDINGS.index(finding) for finding in SMALL]
    said = _said(labels, scores)
    return {
        **discrimination(labels, scores, n),
        "small_auroc": figure(lambda i: macro(auroc, labels[np.ix_(i, small)], scores[np.ix_(i, small)]), n),
        "macro_f1": figure(lambda i: macro(f1, labels[i], said[i]), n),
    }


def _said(labels: Array, scores: Array) -> Array:
    """What is called present [n, F], by the threshold of best F1 on the half of the studies that a study is not in."""
    said = np.zeros_like(scores)
    halves = np.arange(len(scores)) % 2 == 0
    for chosen_on, told in ((halves, ~halves), (~halves, halves)):
        candidates = np.quantile(scores[chosen_on], np.linspace(0.02, 0.98, 49), axis=0)
        values = np.stack([f1(labels[chosen_on], (scores[chosen_on] >= row).astype(float)) for row in candidates])
        best = np.nan_to_num(values).argmax(0)
        said[told] = scores[told] >= candidates[best, np.arange(scores.shape[1])]
    return said


def _preset(
    preset: Preset,
    name: str,
    isolated: bool = False,
    method: str | None = None,
    steps: int = STEPS,
    columns: int | None = None,
) -> Preset:
    """The run's preset for a short training on few phantoms."""
    wide = columns or preset.network.field_px[1]
    factor = wide / preset.network.field_px[1]
    rows = round(preset.network.field_px[0] * factor / STRIDE_PX) * STRIDE_PX
    field = {"field_px": (rows, wide), "pixel_mm": preset.network.pixel_mm / factor}
    phantom_px = round(preset.data.phantom_px * factor)
    data = {"encoder_phantoms": PHANTOMS, "encoder_implants": 0, "phantom_px": phantom_px}
    views = {"isolated": isolated, "steps": round(SELFSUP_STEPS / factor**2)}
    changes = {
        "network": preset.network.model_copy(update=field),
        "data": preset.data.model_copy(update=data),
        "selfsup": preset.selfsup.model_copy(update={**views, "method": method or preset.selfsup.method}),
        "encoder": preset.encoder.model_copy(update={"steps": round(steps / factor**2)}),
    }
    return preset.model_copy(update={"name": f"{preset.name}-ablation-{name}", **changes})
