"""The cells of the comparison, one for each data set, arm, share of the labels and seed; each leaves a row of figures.

Rows are JSON lines in a file of the repository, found again by a digest of everything on which they depend. So the
comparison may be measured in several sittings.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from time import process_time

import numpy as np
import torch

from models.gtgm.evaluate.arms import ARMS, GTGM, RANDOM, state_of
from models.gtgm.evaluate.budget import Budget
from models.gtgm.evaluate.code import FINETUNING, PRETRAINING, digest_of
from models.gtgm.evaluate.sets import SETS, EvaluationSet
from models.gtgm.finetune.examples import Example
from models.gtgm.finetune.fit import FitSettings, fit
from models.gtgm.finetune.heads import Segmenter, new_segmenter
from models.gtgm.finetune.metrics import agreements, instance_agreement
from models.gtgm.finetune.operating import set_affinities_point
from models.gtgm.finetune.predict import predicted
from models.gtgm.pretrain.preset import load_gtgm_preset
from pacs_agent.inference.segment import Windows

RESULTS = Path(__file__).with_name("results")
OVERLAP = 0.25
CHECKPOINT_EVERY = 50
Scores = dict[str, float | None]


@dataclass(frozen=True)
class Cell:
    """One network to fine-tune."""

    data: str
    """Key of SETS."""
    arm: str
    share: float
    seed: int


@dataclass(frozen=True)
class Row:
    """What a cell has given: scores of every test volume, None where a score cannot be taken."""

    key: str
    budget: str
    data: str
    arm: str
    share: float
    seed: int
    code: str
    """Digest of the code that the figures depend on."""
    measured: str
    """Date, UTC."""
    cpu_s: float
    """Of the processor, for fine-tuning and test."""
    volumes: tuple[Scores, ...]


def cells_of(names: Sequence[str], arms: Sequence[str], shares: Sequence[float], seeds: int) -> list[Cell]:
    """All cells, in the order in which they are computed: GTGM and random initialisation first, all labels last."""
    order = list(SETS)
    cells = [Cell(d, a, share, seed) for d in names for a in arms for share in shares for seed in range(seeds)]

    def place(cell: Cell) -> tuple[bool, int, bool, int, float, str]:
        control = cell.arm not in (GTGM, RANDOM)
        return control, order.index(cell.data), cell.share >= 1.0, cell.seed, cell.share, cell.arm

    return sorted(cells, key=place)


_kept_digest = cache(digest_of)
"""Of a process: its code does not change."""


def code_of(cell: Cell, data: EvaluationSet) -> str:
    """Digest of the code on which a cell's figures depend."""
    return _kept_digest((*FINETUNING, *data.code, *(PRETRAINING if ARMS[cell.arm] else ())))


def key_of(cell: Cell, data: EvaluationSet, budget: Budget) -> str:
    """Digest of everything on which a cell's figures depend."""
    preset = load_gtgm_preset(budget.preset).model_dump_json()
    facts = (asdict(cell), data.said, ARMS[cell.arm], budget.model_dump_json(exclude={"name"}), preset)
    return hashlib.sha256(repr((facts, code_of(cell, data))).encode()).hexdigest()[:20]


def measure(cell: Cell, data: EvaluationSet, budget: Budget, encoder: Path | None, folder: Path) -> Row:
    """Fine-tunes and tests; a run that was cut goes on from its checkpoint in `folder`."""
    began = process_time()
    key = key_of(cell, data, budget)
    settings = FitSettings(
        **budget.finetuning.model_dump(), patch=data.patch, seed=cell.seed, checkpoint_every=CHECKPOINT_EVERY
    )
    torch.manual_seed(cell.seed)
    shape = load_gtgm_preset(budget.preset).encoder
    network = new_segmenter(shape, data.outputs, state_of(encoder), data.modality, data.output)
    labelled = data.labelled(cell.share, cell.seed)
    fit(network, labelled, settings, folder / key)
    if data.output == "affinities":
        set_affinities_point(network, labelled, Windows(data.patch, OVERLAP))
    scores = tuple(scores_of(network, data, example) for example in data.test())
    (folder / key / "finetune-checkpoint.pt").unlink(missing_ok=True)
    return Row(
        key=key, budget=budget.name, **asdict(cell), code=code_of(cell, data),
        measured=datetime.now(UTC).date().isoformat(), cpu_s=round(process_time() - began, 1), volumes=scores,
    )  # fmt: skip


def scores_of(network: Segmenter, data: EvaluationSet, example: Example) -> Scores:
    """Dice of each structure and their mean, mean HD95 (mm); or VOI and ARAND of instances."""
    found = predicted(network, example, Windows(data.patch, OVERLAP))
    if data.output == "affinities":
        agreed = instance_agreement(found, example.labels)  # type: ignore[arg-type]
        scores = {"arand": agreed.arand, "voi": agreed.voi_split + agreed.voi_merge, **agreed._asdict()}
    else:
        rows = agreements(found, example.labels, len(data.names), data.spacing_mm)  # type: ignore[arg-type]
        dices = {f"dice {name}": one.dice for name, one in zip(data.names[1:], rows, strict=True)}
        scores = {"dice": _mean([one.dice for one in rows]), "hd95_mm": _mean([one.hd95_mm for one in rows]), **dices}
    return {name: round(float(value), 5) if np.isfinite(value) else None for name, value in scores.items()}


def _mean(values: Sequence[float]) -> float:
    known = [value for value in values if np.isfinite(value)]
    return float(np.mean(known)) if known else float("nan")


def kept_rows(path: Path) -> dict[str, Row]:
    """The rows of a file by key; a last line that was cut off counts as not there."""
    rows = {}
    for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else ():
        try:
            facts = json.loads(line)
        except json.JSONDecodeError:
            continue
        row = Row(**{**facts, "volumes": tuple(facts["volumes"])})
        rows[row.key] = row
    return rows


def keep(row: Row, path: Path) -> None:
    """Adds a row in one write: two processes may do so at the same time."""
    path.parent.mkdir(parents=True, exist_ok=True)
    before = path.read_bytes() if path.is_file() else b""
    cut = b"" if before.endswith(b"\n") or not before else b"\n"
    with path.open("ab", buffering=0) as file:
        file.write(cut + json.dumps(asdict(row)).encode() + b"\n")


def known(cells: Sequence[Cell], data: EvaluationSet, budget: Budget, rows: dict[str, Row]) -> list[Row]:
    """The rows of those cells that have been measured with this budget and this code."""
    keys = (key_of(cell, data, budget) for cell in cells)
    return [replace(rows[key], data=data.name) for key in keys if key in rows]
