"""Ablations of the slice encoder, each trained anew for the same short compute on the same phantoms.

Judged by what needs no reader: the mean of the three highest slice logits of whole phantoms of the reader's split.
"""

from typing import Any

import numpy as np

from models.datasets.cache import render
from models.datasets.phantoms import PhantomSource, split_seeds
from models.evaluation.ablated_reader import Material
from models.evaluation.baselines import strongest_slices
from models.evaluation.evaluate import PROCESSES
from models.evaluation.scores import discrimination
from models.msvlm.network import new_network
from models.msvlm.preset import Preset
from models.msvlm.run import Run
from models.msvlm.stages import STAGES, run_stages
from models.msvlm.studies import encode_studies

PHANTOMS, JUDGED = 240, 96
STEPS, SELFSUP_STEPS = 300, 80
STRIDE_PX = 16


def slab_views(material: Material) -> dict[str, Any]:
    """Neighbouring slices as views in self-supervision: the reference of this level."""
    return _trained(material, "slab")


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


def _trained(
    material: Material,
    name: str,
    isolated: bool = False,
    method: str | None = None,
    steps: int = STEPS,
    columns: int | None = None,
) -> dict[str, Any]:
    preset = _preset(material.network.preset, name, isolated, method, steps, columns)
    run = Run(preset, material.run.cache, material.run.out)
    network = new_network(preset)
    run_stages(run, STAGES[:2])
    run.load("encoder", network)
    seeds = split_seeds(material.network.preset.data, "reader")[:JUDGED]
    source = PhantomSource("phantoms-judged", seeds, preset.data.phantom_px)
    studies = encode_studies(network.encoder, render(source, preset.network, run.cache, PROCESSES), name)
    labels = np.stack([study.labels.numpy() for study in studies]).astype(float)
    scores = strongest_slices(network, [study.tokens.numpy() for study in studies])
    return {**discrimination(labels, scores, len(studies)), "steps": preset.encoder.steps}


def _preset(preset: Preset, name: str, isolated: bool, method: str | None, steps: int, columns: int | None) -> Preset:
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
