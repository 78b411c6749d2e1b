"""What several series are worth: every item with all series, with axial T2 alone, and with each series left out.

    python -m models.msvlm.rectal.evaluate --bundle models/bundles/NAME --checkpoint .cache/msvlm/NAME/model.pt

The bundle is read through onnxruntime, on phantoms whose seeds no training has used, from stored values on. The
checkpoint names the preset. Studies are encoded once; every subset is read from the same tokens.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch
from numpy.typing import NDArray

from models.evaluation.evaluate import commit_of_code
from models.evaluation.metrics import Array, Figure
from models.msvlm.rectal.card import card_text
from models.msvlm.rectal.figures import Read, Truths, item_figures, macro, margin_figures, truths_of
from models.msvlm.rectal.held_out import held_out
from models.msvlm.rectal.items import SCALES, scale_of
from models.msvlm.rectal.network import load_network
from models.msvlm.rectal.phantoms import seeds_of
from models.msvlm.rectal.preset import SeriesPreset
from models.msvlm.rectal.reader import SeriesInputs
from models.msvlm.rectal.runtime import SeriesRuntime
from models.msvlm.rectal.studies import MEASURED_ON, SeriesStudy, pad
from models.phantoms.pelvis import PROTOCOL, Item

ALL, AXIAL_T2 = "all series", "axial T2 alone"
SERIES = tuple(sequence.key for sequence in PROTOCOL)
SHUFFLED, BLANKED, FREQUENT, RANDOM = "shuffled", "blanked", "most frequent", "random"
CARD = "MODEL_CARD.md"
MARGIN = 0.10
"""By how much of the mean area the right study must lead a wrong one."""
CONTROLS = (SHUFFLED, BLANKED, FREQUENT, RANDOM)


def subsets() -> dict[str, tuple[str, ...]]:
    """The series of each column of the table."""
    without = {f"without {key}": tuple(other for other in SERIES if other != key) for key in SERIES}
    return {ALL: SERIES, AXIAL_T2: (MEASURED_ON,), **without}


def read_all(runtime: SeriesRuntime, studies: Sequence[SeriesStudy], keys: Sequence[str]) -> Read:
    """What the bundle says of studies from some of their series."""
    return _stacked(runtime, (pad([study], [study.of_series(keys)]).inputs for study in studies))


def read_blank(runtime: SeriesRuntime, studies: Sequence[SeriesStudy], token: torch.Tensor) -> Read:
    """The same, every token replaced by the mean one: what is said without an image."""
    inputs = (pad([study]).inputs for study in studies)
    return _stacked(runtime, (one._replace(tokens=token.expand_as(one.tokens).contiguous()) for one in inputs))


def _stacked(runtime: SeriesRuntime, inputs: Iterable[SeriesInputs]) -> Read:
    said = [runtime.read(one).levels for one in inputs]
    return Read({scale.item: np.stack([levels[scale.item] for levels in said]) for scale in SCALES})


def controls(runtime: SeriesRuntime, studies: Sequence[SeriesStudy], whole: Read, truth: Truths) -> dict[str, Read]:
    """What is said of another patient's study, of none, always the same, and at random by prevalence."""
    rng, n = np.random.default_rng(0), len(studies)
    other = np.roll(np.arange(n), 1)
    mean = torch.cat([study.tokens for study in studies]).mean(0)
    shares = {item: _shares(level, item) for item, level in truth.items()}
    return {
        SHUFFLED: Read({item: levels[other] for item, levels in whole.levels.items()}),
        BLANKED: read_blank(runtime, studies, mean),
        FREQUENT: Read({item: np.tile(share, (n, 1)) for item, share in shares.items()}),
        RANDOM: Read({item: np.eye(len(share))[rng.choice(len(share), n, p=share)] for item, share in shares.items()}),
    }


def _shares(level: NDArray[np.intp], item: Item) -> Array:
    counts = np.bincount(level[level >= 0], minlength=len(scale_of(item).levels)).astype(float)
    return (counts + 1e-9) / (counts + 1e-9).sum()


def reads_the_image(areas: Mapping[str, Figure]) -> bool:
    """Whether the right study leads another patient's and a blank one by MARGIN of the mean area."""
    values = {name: areas[name]["value"] for name in (ALL, SHUFFLED, BLANKED)}
    right, *wrong = (-1.0 if value is None else value for value in values.values())
    return right >= max(wrong) + MARGIN


def evaluate(runtime: SeriesRuntime, preset: SeriesPreset, cache: Path) -> dict[str, Any]:
    """Every figure of `evaluation.json`."""
    studies = held_out(runtime, preset, cache)
    truth = truths_of(studies)
    reads = {name: read_all(runtime, studies, keys) for name, keys in subsets().items()}
    reads |= controls(runtime, studies, reads[ALL], truth)
    areas = {name: macro(read, truth, "auroc") for name, read in reads.items()}
    seeds = seeds_of(preset, "test")
    return {
        "macro_auroc": areas[ALL],
        "macro_accuracy": macro(reads[ALL], truth, "accuracy"),
        **{f"macro_auroc_{name}": areas[name] for name in (SHUFFLED, BLANKED)},
        "reads_the_image": reads_the_image(areas),
        "items": {
            scale.item.value: {name: item_figures(read, truth, scale.item) for name, read in reads.items()}
            for scale in SCALES
        },
        "macro": {
            name: {"accuracy": macro(read, truth, "accuracy"), "auroc": areas[name]} for name, read in reads.items()
        },
        "margin": margin_figures(studies),
        "prevalence": {
            item.value: {name: int((level == place).sum()) for place, name in enumerate(scale_of(item).levels)}
            for item, level in truth.items()
        },
        "data": f"{len(studies)} unseen pelvic MR phantoms of models.phantoms.pelvis, one per patient.",
        "seeds": {"training": preset.seed, "first_test_phantom": seeds[0], "last_test_phantom": seeds[-1]},
        "commit": commit_of_code(),
    }


def evaluate_staging(folder: Path, checkpoint: Path, cache: Path) -> None:
    """Evaluates the bundle in `folder`; writes `evaluation.json` and `MODEL_CARD.md` beside its graphs."""
    runtime = SeriesRuntime.open(folder)
    figures = evaluate(runtime, load_network(checkpoint).preset, cache)
    (folder / "evaluation.json").write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    (folder / CARD).write_text(card_text(runtime.manifest, figures), encoding="utf-8")


@click.command()
@click.option("--bundle", type=click.Path(path_type=Path, exists=True), required=True, help="The bundle's folder.")
@click.option("--checkpoint", type=click.Path(path_type=Path, exists=True), required=True, help="model.pt of its run.")
@click.option("--cache", type=click.Path(path_type=Path), default=Path(".cache/msvlm"), show_default=True)
def main(bundle: Path, checkpoint: Path, cache: Path) -> None:
    """Evaluates a bundle that reads several series and prints its card."""
    evaluate_staging(bundle, checkpoint, cache)
    click.echo((bundle / CARD).read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
