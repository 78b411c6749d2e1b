"""The tables of the comparison: one per data set, in Markdown and JSON.

A figure is the mean over test volumes and seeds. Its interval is a bootstrap that draws volumes and seeds, each by
itself. Differences to random initialisation are paired by volume and seed.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.evaluation.metrics import BOOTSTRAPS, LEVEL
from models.gtgm.evaluate.arms import GTGM, RANDOM
from models.gtgm.evaluate.budget import Budget
from models.gtgm.evaluate.cells import Row
from models.gtgm.evaluate.sets import EvaluationSet

LESS_IS_BETTER = frozenset({"arand", "voi", "hd95_mm"})
MEASURES = {"classes": ("dice", "hd95_mm"), "affinities": ("arand", "voi")}
"""What is tabled; the first decides."""
SAID = {"dice": "mean Dice", "hd95_mm": "mean HD95 (mm)", "arand": "ARAND", "voi": "VOI (bits)"}
NOT_MEASURED = "not measured"
Values = NDArray[np.float64]
Figure = dict[str, Any]


def table_of(data: EvaluationSet, rows: Sequence[Row], arms: Sequence[str], shares: Sequence[float]) -> dict[str, Any]:
    """Figures of a data set: measure → arm → share → value with interval, and the same as difference to random."""
    table: dict[str, Any] = {"name": data.name, "said": data.said, "measured": sorted({row.measured for row in rows})}
    table["measures"] = {
        measure: {arm: {f"{share:g}": _figures(rows, measure, arm, share) for share in shares} for arm in arms}
        for measure in MEASURES[data.output]
    }
    table["verdict"] = verdict(table, MEASURES[data.output][0])
    return table


def _figures(rows: Sequence[Row], measure: str, arm: str, share: float) -> dict[str, Figure | None]:
    own, other = (
        {row.seed: _values(row, measure) for row in rows if (row.arm, row.share) == (name, share)}
        for name in (arm, RANDOM)
    )
    figures = {"value": figure(list(own.values()))}
    if arm != RANDOM:
        figures["over_random"] = figure([own[seed] - other[seed] for seed in own if seed in other])
    return figures


def _values(row: Row, measure: str) -> Values:
    return np.array([one[measure] for one in row.volumes], np.float64)


def figure(of_seeds: Sequence[Values]) -> Figure | None:
    """Mean of values [volumes] of every seed with its 95 % interval; None where nothing is measured."""
    if not of_seeds or not np.isfinite(of_seeds).any():
        return None
    values, rng = np.stack(of_seeds), np.random.default_rng(0)
    seeds, volumes = values.shape
    drawn = [
        _mean_known(values[np.ix_(rng.integers(seeds, size=seeds), rng.integers(volumes, size=volumes))])
        for _ in range(BOOTSTRAPS)
    ]
    low, high = np.percentile([mean for mean in drawn if np.isfinite(mean)], LEVEL)
    mean, low, high = (round(float(value), 4) for value in (_mean_known(values), low, high))
    return {"value": mean, "low": low, "high": high, "seeds": seeds, "volumes": volumes}


def _mean_known(values: Values) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else float("nan")


def verdict(table: dict[str, Any], measure: str) -> list[str]:
    """Whether GTGM is ahead of random initialisation, share by share, in words."""
    sentences = []
    for share, figures in table["measures"][measure].get(GTGM, {}).items():
        difference = figures.get("over_random")
        if difference is None:
            continue
        sign = -1.0 if measure in LESS_IS_BETTER else 1.0
        low, high = sorted(sign * float(difference[end]) for end in ("low", "high"))
        who = (
            "GTGM is ahead of random initialisation"
            if low > 0.0
            else "GTGM is behind random initialisation"
            if high < 0.0
            else "GTGM and random initialisation are not told apart"
        )
        said = f"At {float(share):.0%} of the labels {who} in {SAID[measure]}: {_text(difference, signed=True)}."
        sentences.append(said)
    return sentences


def facts_of(budget: Budget) -> str:
    """How the figures were measured, as a paragraph."""
    pretraining, finetuning = budget.pretraining, budget.finetuning
    return (
        f"Budget `{budget.name}`: the encoder of preset `{budget.preset}`, pretrained once for every arm and grid for "
        f"{pretraining.steps} steps of {pretraining.batch} volumes; fine-tuned for {finetuning.steps} steps of "
        f"{finetuning.batch} crops, every seed with its own draw of the labels. Means over seeds and test volumes, "
        "95 % intervals by bootstrap over both (n: seeds × volumes). The pretraining has one seed, so its own chance "
        "is in no interval."
    )


def markdown(tables: Sequence[dict[str, Any]], facts: str) -> str:
    """All tables as a chapter of a card."""
    lines = ["## Label efficiency", "", facts]
    for table in tables:
        lines += ["", f"### {table['name']}", "", f"{table['said'][0].upper()}{table['said'][1:]}."]
        if not table["measured"]:
            lines += ["", f"This set is {NOT_MEASURED} yet."]
            continue
        for measure, arms in table["measures"].items():
            lines += ["", *_rows(measure, arms)]
        lines += ["", f"Measured: {', '.join(table['measured'])} (UTC).", *(f"- {said}" for said in table["verdict"])]
    return "\n".join(lines) + "\n"


def _rows(measure: str, arms: dict[str, dict[str, dict[str, Figure | None]]]) -> list[str]:
    shares = list(next(iter(arms.values())))
    better = "less is better" if measure in LESS_IS_BETTER else "more is better"
    head = " | ".join(f"{float(share):.0%} of the labels" for share in shares)
    rows = [f"| {arm} | {' | '.join(_cell(of[share]) for share in shares)} |" for arm, of in arms.items()]
    return [f"| {SAID[measure]} ({better}) | {head} |", "|---" * (len(shares) + 1) + "|", *rows]


def _cell(figures: dict[str, Figure | None]) -> str:
    value, over = figures["value"], figures.get("over_random")
    if value is None:
        return NOT_MEASURED
    text = f"{_text(value)}, n {value['seeds']} × {value['volumes']}"
    return f"{text}; {_text(over, signed=True)} over random" if over else text


def _text(figure_: Figure, signed: bool = False) -> str:
    form = "+.3f" if signed else ".3f"
    value, low, high = (figure_[name] for name in ("value", "low", "high"))
    return f"{value:{form}} ({low:{form}} to {high:{form}})"
