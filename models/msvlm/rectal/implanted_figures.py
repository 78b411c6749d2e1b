"""What a bundle says of tumours implanted into real pelvic MR, and of the same patients without.

python -m models.msvlm.rectal.implanted_figures build/bundles/NAME

The backgrounds are two patients: the figures say whether what was learned of phantoms is seen on real tissue. They do
not say how patients are read. The studies are written as DICOM and read back as the agent finds them.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray
from rich.progress import track

from models.datasets.pelvic_cases import PelvicCase
from models.datasets.pelvic_dicom import write_implanted, write_unimplanted
from models.datasets.pelvic_implants import ImplantedStack, implant
from models.datasets.pelvic_study import load_pelvis, pelves_there
from models.datasets.real_ct import SHARED_DATA
from models.evaluation.metrics import auroc
from models.msvlm.rectal.card import CARD, card_text
from models.msvlm.rectal.implanted import told_of_implant
from models.msvlm.rectal.items import SCALES, Told
from models.msvlm.rectal.runtime import SeriesRuntime, Staging
from models.msvlm.rectal.stored import StoredSeries, encoded, stored_study
from models.msvlm.rectal.studies import pad
from models.phantoms.pelvis import Item
from pacs_agent.imaging import read_headers

FIRST_SEED = 5_000_000
"""Of the tumours; no training uses implants into these patients."""
SAME_NORMAL, SAME_MM = 0.999, 0.3
"""From which cosine and up to which distance two planes are one."""
SAID = (
    "Tumours of phantom shape implanted into two real pelvic MR studies without rectal disease (PROSTATEx, CC BY 3.0): "
    "n patients = 2. It says that a shape is found on real tissue, and nothing about patients."
)
_TUMOUR = [scale.item for scale in SCALES].index(Item.TUMOUR)


@dataclass(frozen=True)
class ReadImplant:
    """What is said of a study, and what is true of it."""

    patient: str
    told: Mapping[Item, Told]
    staging: Staging
    within: bool | None
    """Whether the slice that tells most of a tumour shows it; None without one."""
    margin_mm: float
    measured_mm: float

    @property
    def probability(self) -> float:
        """Of a tumour."""
        return float(self.staging.levels[Item.TUMOUR][1])


def implanted_figures(
    runtime: SeriesRuntime, per_patient: int = 20, folder: Path = SHARED_DATA
) -> dict[str, Any] | None:
    """The figures of `evaluation.json` under `implanted`; None where the open data is absent."""
    cases = pelves_there(folder)
    if not cases:
        return None
    controls = {case.patient: _read(runtime, case, None, folder) for case in cases}
    seeds = range(FIRST_SEED, FIRST_SEED + per_patient)
    tasks = [(case, seed) for case in cases for seed in seeds]
    reads = [_read(runtime, case, seed, folder) for case, seed in track(tasks, "implants")]
    return {
        "data": SAID,
        "patients": len(cases),
        "implants": len(reads),
        "first_seed": FIRST_SEED,
        **figures(reads, controls),
    }


def figures(reads: Sequence[ReadImplant], controls: Mapping[str, ReadImplant]) -> dict[str, Any]:
    """Tumour, evidence, items and margin of implants, against their patients without an implant."""
    scores = np.array([one.probability for one in (*reads, *controls.values())])
    labels = np.array([1.0] * len(reads) + [0.0] * len(controls))
    return {
        "tumour": {
            "auroc": _number(auroc(labels[:, None], scores[:, None])[0]),
            "found": _share([one.staging.level(Item.TUMOUR) == 1 for one in reads]),
            "over_own_control": _share([one.probability > controls[one.patient].probability for one in reads]),
            "controls": {name: round(one.probability, 4) for name, one in controls.items()},
        },
        "evidence_within": _share([one.within for one in reads if one.within is not None]),
        **{item.value: _agreement(reads, item) for item in (Item.LOCATION, Item.T_STAGE, Item.CRM)},
        "margin": _margin(reads),
    }


def _share(hits: Sequence[bool]) -> dict[str, float | int | None]:
    return {"value": _number(np.mean(hits)) if len(hits) else None, "n": len(hits)}


def _number(value: float) -> float | None:
    return round(float(value), 4) if np.isfinite(value) else None


def _agreement(reads: Sequence[ReadImplant], item: Item) -> dict[str, float | int | None]:
    """Share of implants of which the likeliest level is the true one, or within one of it."""
    off = [abs(one.staging.level(item) - one.told[item].level) for one in reads if item in one.told]
    return {**_share([gap == 0 for gap in off]), "within_one": _share([gap <= 1 for gap in off])["value"]}


def _margin(reads: Sequence[ReadImplant]) -> dict[str, float | int | None]:
    """Error of the measured distance in mm, where there is one to measure and it was measured."""
    known = [one for one in reads if np.isfinite(one.margin_mm)]
    error = np.array([one.measured_mm - one.margin_mm for one in known if np.isfinite(one.measured_mm)])
    return {
        "known": len(known),
        "n": len(error),
        "mean_absolute_error_mm": _number(np.abs(error).mean()) if len(error) else None,
        "bias_mm": _number(error.mean()) if len(error) else None,
    }


def _read(runtime: SeriesRuntime, case: PelvicCase, seed: int | None, folder: Path) -> ReadImplant:
    """A study with the implant of a seed, or without one, as the bundle reads its DICOM files."""
    with TemporaryDirectory() as written:
        if seed is None:
            paths, stacks = write_unimplanted(load_pelvis(case, folder), Path(written)), ()
            told, margin_mm = {Item.TUMOUR: Told(0)}, float("nan")
        else:
            study = implant(case, seed, folder=folder)
            paths, stacks, told = write_implanted(study, Path(written)), study.stacks, told_of_implant(study)
            margin_mm = study.tumour.truth.fascia_mm if case.fascia_seen else float("nan")
        series, _ = stored_study(read_headers(paths))
    tokens = encoded(runtime, case.patient, series, told, margin_mm)
    staging = runtime.read(pad([tokens]).inputs)
    within = _within(staging, series, stacks) if stacks else None
    return ReadImplant(case.patient, told, staging, within, margin_mm, tokens.measured_mm)


def _within(staging: Staging, series: Sequence[StoredSeries], stacks: Sequence[ImplantedStack]) -> bool:
    """Whether the slice with the largest weight of the item tumour shows the implant."""
    orientation, centre_mm = (np.concatenate([getattr(one, n) for one in series]) for n in ("orientation", "centre_mm"))
    strongest = int(staging.attention[_TUMOUR, : len(centre_mm)].argmax())
    normal = np.cross(orientation[strongest, :3], orientation[strongest, 3:])
    return any(
        normal @ stack.real.normal > SAME_NORMAL
        and abs(normal @ (_middle_mm(stack, index) - centre_mm[strongest])) < SAME_MM
        for stack in stacks
        for index in np.flatnonzero(stack.mask.any(axis=(1, 2)))
    )


def _middle_mm(stack: ImplantedStack, index: int) -> NDArray[np.float64]:
    real, (rows, columns) = stack.real, stack.pixels.shape[1:]
    half = 0.5 * real.pixel_mm * ((columns - 1) * real.along_rows + (rows - 1) * real.along_columns)
    return np.asarray(real.first_mm[index] + half)


@click.command()
@click.argument("bundle", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--per-patient", type=click.IntRange(1, 1000), default=20, show_default=True, help="Tumours.")
@click.option("--data", type=click.Path(path_type=Path, file_okay=False), default=SHARED_DATA, help="The open data.")
def main(bundle: Path, per_patient: int, data: Path) -> None:
    """Prints the figures, and adds them to the bundle's evaluation.json and card where it has been evaluated."""
    if not pelves_there(data):
        click.echo(f"skipped: no real pelvic MR in {data}")
        return
    runtime = SeriesRuntime.open(bundle)
    found = implanted_figures(runtime, per_patient, data)
    path = bundle / "evaluation.json"
    if path.is_file():
        whole = json.loads(path.read_text(encoding="utf-8")) | {"implanted": found}
        path.write_text(json.dumps(whole, indent=1) + "\n", encoding="utf-8")
        (bundle / CARD).write_text(card_text(runtime.manifest, whole), encoding="utf-8")
    click.echo(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
