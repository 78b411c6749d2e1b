"""The paper's central claim, reproduced: slices against sub-volumes at equal data, parameters and compute.

    python -m models.evaluation.subvolume --bundle models/bundles/NAME --checkpoint .cache/msvlm/NAME/model.pt

The sub-volume encoder learns from the same phantoms for as many minutes as the slice encoder did, then the same
Z-former reads its tokens, with the same stages and settings, calibrated on the same validation studies. Both are scored
on the same held-out phantoms. `subvolume.json` in the run's folder becomes part of evaluation.json.
"""

import json
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch

from models.datasets.cache import render
from models.datasets.phantoms import PhantomSource, split_seeds
from models.evaluation.evaluate import PROCESSES, Subject, console
from models.evaluation.heldout import Encoder, encoded
from models.evaluation.metrics import Array, auroc, f1, figure, macro, rounded
from models.evaluation.robust import probabilities
from models.evaluation.scores import discrimination, gain
from models.evaluation.slab_training import train_slab_encoder
from models.evaluation.slabs import SlabEncoder, SlabPhantoms, encode_slabs
from models.evaluation.sources import held_out_phantoms
from models.msvlm.calibrate import calibrated, validation_of
from models.msvlm.preset import Preset
from models.msvlm.reader import StudyReader
from models.msvlm.run import Run
from models.msvlm.stage_reader import start_from_encoder, train_findings, train_masked
from models.msvlm.studies import EncodedStudy
from models.phantoms.findings import FINDINGS


def train_slab_reader(preset: Preset, encoder: SlabEncoder, splits: dict[str, list[EncodedStudy]]) -> StudyReader:
    """The Z-former on tokens of slabs, through the stages of the run."""
    reader = StudyReader(preset.network)
    start_from_encoder(reader, encoder, splits["reader"])
    train_masked(preset, reader, splits["reader"])
    train_findings(preset, reader, splits["reader"], splits["validation"])
    return reader.eval()


def minutes_of(run: Run) -> float:
    """Minutes in which the slice encoder of the run learned, self-supervision included."""
    spent = json.loads((run.folder / "minutes.json").read_text())
    return float(spent.get("selfsup", 0.0) + spent["encoder"])


def compare(subject: Subject, phantoms: int, studies: int, minutes: float, cache: Path) -> dict[str, Any]:
    """Trains the sub-volume model and holds it against the bundle on the same held-out phantoms."""
    preset, run = subject.network.preset, subject.run
    source = SlabPhantoms.of(preset.data, phantoms)
    encoder, steps = train_slab_encoder(preset, render(source, preset.network, run.cache, PROCESSES), minutes)
    seeds = split_seeds(preset.data, "test")
    test = PhantomSource("phantoms-test", range(seeds.start, seeds.start + studies), preset.data.phantom_px)
    shards = {split: run.shards(split) for split in ("reader", "validation")}
    shards["test"] = render(test, preset.network, run.cache, PROCESSES)
    splits = {}
    for split, parts in shards.items():
        with console.status(f"slab tokens: {split}"):
            splits[split] = encode_slabs(encoder, parts)
    reader = train_slab_reader(preset, encoder, splits)
    points = calibrated(reader, splits["validation"])
    held = validation_of(reader, splits["test"])
    scale, bias, point = (np.array([getattr(p, name) for p in points]) for name in ("scale", "bias", "operating_point"))
    scores: Array = 1.0 / (1.0 + np.exp(-(held.logits * scale + bias)))
    ours = _of_bundle(subject, studies, cache)
    own_points = np.array([entry.operating_point for entry in subject.runtime.findings])
    parameters = {"slabs": encoder, "slices": subject.network.encoder}
    return {
        "minutes": round(minutes, 1),
        "steps": steps,
        "parameters": {name: sum(p.numel() for p in part.parameters()) for name, part in parameters.items()},
        **_figures(held.labels, scores, (scores >= point).astype(float), ours, (ours >= own_points).astype(float)),
    }


def _of_bundle(subject: Subject, studies: int, cache: Path) -> Array:
    held_out = encoded(Encoder(subject.folder), held_out_phantoms(subject.network.preset, studies), cache, PROCESSES)
    return probabilities(subject.speaker, held_out)


def _figures(labels: Array, scores: Array, said: Array, ours: Array, our_said: Array) -> dict[str, Any]:
    n, each = len(labels), auroc(labels, scores)
    return {
        **discrimination(labels, scores, n),
        "macro_f1": figure(lambda i: macro(f1, labels[i], said[i]), n),
        "gain_of_reader": gain(labels, ours, scores, n),
        "f1_gain_of_reader": figure(lambda i: macro(f1, labels[i], our_said[i]) - macro(f1, labels[i], said[i]), n),
        "per_finding": {f.value: rounded(float(v)) for f, v in zip(FINDINGS, each, strict=True)},
    }


@click.command()
@click.option("--bundle", type=click.Path(path_type=Path, exists=True), required=True)
@click.option("--checkpoint", type=click.Path(path_type=Path, exists=True), required=True, help="model.pt of the run.")
@click.option("--minutes", type=float, help="Of training; by default as many as the slice encoder had.")
@click.option("--phantoms", type=int, help="To learn from; by default as many as the slice encoder had.")
@click.option("--studies", type=int, default=300, show_default=True, help="Held-out phantoms.")
def main(bundle: Path, checkpoint: Path, minutes: float | None, phantoms: int | None, studies: int) -> None:
    """Trains a sub-volume encoder in the place of the slice encoder and compares."""
    subject = Subject.open(bundle, checkpoint)
    torch.set_num_threads(PROCESSES)
    count = phantoms or subject.network.preset.data.encoder_phantoms
    figures = compare(subject, count, studies, minutes or minutes_of(subject.run), subject.run.cache)
    path = subject.run.folder / "subvolume.json"
    path.write_text(json.dumps(figures, indent=1) + "\n")
    console.print(f"macro AUROC {figures['macro_auroc']['value']}; written to {path}")


if __name__ == "__main__":
    main()
