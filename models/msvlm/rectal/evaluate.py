"""What several series are worth: every item with all series, with axial T2 alone, and with each series left out.

    python -m models.msvlm.rectal.evaluate --bundle models/bundles/NAME --checkpoint .cache/msvlm/NAME/model.pt

The bundle is read through onnxruntime, on phantoms whose seeds no training has used, from stored values on. The
checkpoint names the preset. Studies are encoded once; every subset is read from the same tokens. Beside the items stand
what the evidence slices show (`grounding.py`) and whether the text says what the heads say (`texts.py`).
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch
from numpy.typing import NDArray
from rich.progress import track

from models.datasets.cache import code_digest
from models.datasets.real_ct import SHARED_DATA
from models.evaluation.evaluate import commit_of_code
from models.evaluation.metrics import Array, Figure
from models.msvlm.rectal.archive import StagedArchive, archive_of, told_to_the_user
from models.msvlm.rectal.archive_report import write_rows
from models.msvlm.rectal.archive_tokens import LAYOUT, tokens_of
from models.msvlm.rectal.card import CARD, card_text
from models.msvlm.rectal.figures import Patients, Read, Truths, item_figures, macro, margin_figures, truths_of
from models.msvlm.rectal.grounding import EVIDENCE, grounding_figures
from models.msvlm.rectal.grounding import RANDOM as RANDOM_SLICE
from models.msvlm.rectal.held_out import held_out
from models.msvlm.rectal.items import SCALES, scale_of
from models.msvlm.rectal.network import load_network
from models.msvlm.rectal.phantoms import seeds_of
from models.msvlm.rectal.preset import SeriesPreset
from models.msvlm.rectal.reader import SeriesInputs
from models.msvlm.rectal.real_cases import read_cases
from models.msvlm.rectal.runtime import SeriesRuntime
from models.msvlm.rectal.speaker import Speaker
from models.msvlm.rectal.studies import MEASURED_ON, SeriesStudy, pad
from models.msvlm.rectal.texts import text_figures
from models.msvlm.rectal.verdict import reasons
from models.phantoms.pelvis import PROTOCOL, Item

ALL, AXIAL_T2 = "all series", "axial T2 alone"
SERIES = tuple(sequence.key for sequence in PROTOCOL)
SHUFFLED, BLANKED, FREQUENT, RANDOM = "shuffled", "blanked", "most frequent", "random"
FEWEST_PATIENTS = 20
"""Of fewer patients of an archive it is not said whether the reading depends on the image."""
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


def controls(
    runtime: SeriesRuntime, studies: Sequence[SeriesStudy], whole: Read, truth: Truths, patients: Patients = None
) -> dict[str, Read]:
    """What is said of another patient's study, of none, always the same, and at random by prevalence."""
    rng, n = np.random.default_rng(0), len(studies)
    other = another_patients(patients or [study.name for study in studies])
    mean = torch.cat([study.tokens for study in studies]).mean(0)
    shares = {item: _shares(level, item) for item, level in truth.items()}
    return {
        SHUFFLED: Read({item: levels[other] for item, levels in whole.levels.items()}),
        BLANKED: read_blank(runtime, studies, mean),
        FREQUENT: Read({item: np.tile(share, (n, 1)) for item, share in shares.items()}),
        RANDOM: Read({item: np.eye(len(share))[rng.choice(len(share), n, p=share)] for item, share in shares.items()}),
    }


def another_patients(patients: Sequence[str]) -> NDArray[np.intp]:
    """For each study the nearest before it of another patient, from the end on again; itself where there is none."""
    n = len(patients)
    before = [[(place - step) % n for step in range(1, n)] for place in range(n)]
    others = [
        next((other for other in row if patients[other] != patients[place]), place) for place, row in enumerate(before)
    ]
    return np.array(others, np.intp)


def _shares(level: NDArray[np.intp], item: Item) -> Array:
    counts = np.bincount(level[level >= 0], minlength=len(scale_of(item).levels)).astype(float)
    return (counts + 1e-9) / (counts + 1e-9).sum()


def reads_the_image(areas: Mapping[str, Figure]) -> bool:
    """Whether the right study leads another patient's and a blank one."""
    return not reasons(areas[ALL], areas[SHUFFLED], areas[BLANKED])


def evaluate(folder: Path, runtime: SeriesRuntime, preset: SeriesPreset, cache: Path) -> dict[str, Any]:
    """Every figure of `evaluation.json` on phantoms. `runtime` runs the bundle in `folder`."""
    kept = held_out(folder, preset, cache)
    studies = [one.study for one in kept]
    truth = truths_of(studies)
    reads = {name: read_all(runtime, studies, keys) for name, keys in subsets().items()}
    reads |= controls(runtime, studies, reads[ALL], truth)
    areas = {name: macro(read, truth, "auroc") for name, read in reads.items()}
    seeds, speaker = seeds_of(preset, "test"), Speaker(runtime, folder)
    said = [speaker.say(study) for study in track(studies, "reports")]
    grounding, text = grounding_figures(runtime.manifest, kept, said), text_figures(speaker, said)
    evidence = grounding["mean"]
    return {
        "macro_auroc": areas[ALL],
        "macro_accuracy": macro(reads[ALL], truth, "accuracy"),
        **{f"macro_auroc_{name}": areas[name] for name in (SHUFFLED, BLANKED)},
        "reads_the_image": reads_the_image(areas),
        "evidence_pointing": evidence[EVIDENCE]["strongest"],
        "evidence_auprc": evidence[EVIDENCE]["auprc"],
        "evidence_random_auprc": evidence[RANDOM_SLICE]["auprc"],
        "contradictions": text["contradictions_per_study"],
        "items": {
            scale.item.value: {name: item_figures(read, truth, scale.item) for name, read in reads.items()}
            for scale in SCALES
        },
        "macro": {
            name: {"accuracy": macro(read, truth, "accuracy"), "auroc": areas[name]} for name, read in reads.items()
        },
        "margin": margin_figures(studies),
        "grounding": grounding,
        "text": text,
        "prevalence": prevalence(truth),
        "data": f"{len(studies)} unseen pelvic MR phantoms of models.phantoms.pelvis, one per patient.",
        "seeds": {"training": preset.seed, "first_test_phantom": seeds[0], "last_test_phantom": seeds[-1]},
        "commit": commit_of_code(),
    }


def archive_figures(runtime: SeriesRuntime, archive: StagedArchive, folder: Path) -> dict[str, Any]:
    """The same of an archive's patients that no training has seen, with all series of each study.

    `folder` keeps their tokens and the table of what was read. Several studies of a patient are drawn together.
    """
    code = code_digest(LAYOUT)[:8]
    encoder = runtime.manifest.slice_encoder.sha256[:12]
    tokens = tokens_of(archive.studies("test"), runtime, folder / f"test-archive-{encoder}-{code}")
    write_rows(tokens.rows, folder / "archive-tested.tsv")
    studies, patients = tokens.studies, tokens.patients
    counts = {"studies": len(studies), "patients": len(set(patients)), "unreadable": len(tokens.rows) - len(studies)}
    if not studies:
        return counts
    truth = truths_of(studies)
    whole = _stacked(runtime, (pad([study]).inputs for study in studies))
    reads = {ALL: whole, **controls(runtime, studies, whole, truth, patients)}
    areas = {name: macro(read, truth, "auroc", patients) for name, read in reads.items()}
    return {
        **counts,
        "reads_the_image": reads_the_image(areas) if counts["patients"] >= FEWEST_PATIENTS else None,
        "items": {
            scale.item.value: {name: item_figures(read, truth, scale.item, patients) for name, read in reads.items()}
            for scale in SCALES
        },
        "macro": {
            name: {"accuracy": macro(read, truth, "accuracy", patients), "auroc": areas[name]}
            for name, read in reads.items()
        },
        "prevalence": prevalence(truth),
    }


def prevalence(truth: Truths) -> dict[str, dict[str, int]]:
    """How many studies have each level of each item."""
    return {
        item.value: {name: int((level == place).sum()) for place, name in enumerate(scale_of(item).levels)}
        for item, level in truth.items()
    }


def evaluate_staging(folder: Path, checkpoint: Path, cache: Path, archive: StagedArchive | None = None) -> None:
    """Evaluates the bundle in `folder`; writes `evaluation.json` and `MODEL_CARD.md` beside its graphs.

    On an archive too, where one is given: on its patients that no training has seen.
    """
    runtime = SeriesRuntime.open(folder)
    preset = load_network(checkpoint).preset
    figures = evaluate(folder, runtime, preset, cache) | {"real_cases": read_cases(folder)}
    if not figures["real_cases"]:
        click.echo(f"no real cases: {SHARED_DATA} is not there", err=True)
    if archive:
        figures["archive"] = archive_figures(runtime, archive, cache / preset.name)
    (folder / "evaluation.json").write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    (folder / CARD).write_text(card_text(runtime.manifest, figures), encoding="utf-8")


@click.command()
@click.option("--bundle", type=click.Path(path_type=Path, exists=True), required=True, help="The bundle's folder.")
@click.option("--checkpoint", type=click.Path(path_type=Path, exists=True), required=True, help="model.pt of its run.")
@click.option("--cache", type=click.Path(path_type=Path), default=Path(".cache/msvlm"), show_default=True)
@click.option("--archive", type=click.Path(path_type=Path, exists=True, file_okay=False), help="As of the training.")
@click.option("--labels", type=click.Path(path_type=Path, exists=True, dir_okay=False), help="As of the training.")
@click.option("--salt", default="", help="As of the training: with another one patients that were learned are tested.")
def main(bundle: Path, checkpoint: Path, cache: Path, archive: Path | None, labels: Path | None, salt: str) -> None:
    """Evaluates a bundle that reads several series and prints its card."""
    with told_to_the_user():
        evaluate_staging(bundle, checkpoint, cache, archive_of(archive, labels, cache, salt=salt))
    click.echo((bundle / CARD).read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
