"""The tables of the comparison: one per data set, in Markdown and JSON.

A figure is the mean over test volumes and seeds; its interval is a bootstrap over test volumes, each with all its
seeds. Differences to random initialisation are paired by volume and seed.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.evaluation.metrics import figure
from models.gtgm.evaluate.arms import GTGM, RANDOM
from models.gtgm.evaluate.harness import Result
from models.gtgm.evaluate.sets import EvaluationSet

LESS_IS_BETTER = frozenset({"arand", "voi", "hd95_mm"})
MEASURES = {"classes": ("dice", "hd95_mm"), "affinities": ("arand", "voi")}
"""What is tabled; the first decides."""
SAID = {"dice": "mean Dice", "hd95_mm": "mean HD95 (mm)", "arand": "ARAND", "voi": "VOI (bits)"}
FEW = 0.5
"""Shares below are those for which pretraining is said to help."""
Values = NDArray[np.float64]


def table_of(data: EvaluationSet, results: Sequence[Result]) -> dict[str, Any]:
    """Figures of a data set: measure → arm → share → value with interval, and the same as difference to random."""
    arms, shares = (list(dict.fromkeys(getattr(one, name) for one in results)) for name in ("arm", "share"))
    table: dict[str, Any] = {"name": data.name, "said": data.said, "seeds": sorted({one.seed for one in results})}
    table["measures"] = {
        measure: {arm: {f"{share:g}": _figures(results, measure, arm, share) for share in shares} for arm in arms}
        for measure in MEASURES[data.output]
    }
    table["verdict"] = verdict(table, MEASURES[data.output][0])
    return table


def _figures(results: Sequence[Result], measure: str, arm: str, share: float) -> dict[str, Any]:
    own, other = (_matrix(results, measure, name, share) for name in (arm, RANDOM))
    figures = {"value": _figure(own)}
    if arm != RANDOM and own.shape == other.shape:
        figures["over_random"] = _figure(own - other)
    return figures


def _matrix(results: Sequence[Result], measure: str, arm: str, share: float) -> Values:
    """Values [volumes, seeds]."""
    rows = [[one[measure] for one in r.volumes] for r in results if (r.arm, r.share) == (arm, share)]
    return np.array(rows, np.float64).T


def _figure(values: Values) -> dict[str, Any]:
    """Mean over what is known, with the interval over volumes."""
    return dict(figure(lambda rows: _mean_known(values[rows]), len(values)))


def _mean_known(values: Values) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else float("nan")


def verdict(table: dict[str, Any], measure: str) -> list[str]:
    """Whether GTGM is ahead of random initialisation, share by share, in words."""
    sentences = []
    for share, figures in table["measures"][measure].get(GTGM, {}).items():
        difference = figures.get("over_random")
        if difference is None or float(share) >= FEW:
            continue
        sign = -1.0 if measure in LESS_IS_BETTER else 1.0
        low, high = sorted(sign * float(difference[end]) for end in ("low", "high"))
        said = "ahead" if low > 0.0 else "behind" if high < 0.0 else "not told apart"
        sentences.append(
            f"At {float(share):.0%} of the labels GTGM is {said} of random initialisation in {SAID[measure]}: "
            f"{_text(difference, signed=True)}."
            if said != "not told apart"
            else f"At {float(share):.0%} of the labels GTGM and random initialisation are not told apart in "
            f"{SAID[measure]}: {_text(difference, signed=True)}."
        )
    return sentences


def markdown(tables: Sequence[dict[str, Any]], facts: Sequence[str]) -> str:
    """All tables as a chapter of a card."""
    lines = ["## Label efficiency", "", *facts]
    for table in tables:
        lines += ["", f"### {table['name']}", "", f"{table['said'][0].upper()}{table['said'][1:]}."]
        for measure, arms in table["measures"].items():
            shares = list(next(iter(arms.values())))
            better = "less is better" if measure in LESS_IS_BETTER else "more is better"
            head = " | ".join(f"{float(share):.0%} of the labels" for share in shares)
            lines += ["", f"| {SAID[measure]} ({better}) | {head} |", "|---" * (len(shares) + 1) + "|"]
            lines += [f"| {arm} | {' | '.join(_cell(rows[share]) for share in shares)} |" for arm, rows in arms.items()]
        lines += ["", *table["verdict"]]
    return "\n".join(lines) + "\n"


def _cell(figures: dict[str, Any]) -> str:
    text = _text(figures["value"])
    return f"{text}; {_text(figures['over_random'], signed=True)} over random" if "over_random" in figures else text


def _text(figure_: dict[str, Any], signed: bool = False) -> str:
    if figure_["value"] is None:
        return "–"
    form = "+.3f" if signed else ".3f"
    value, low, high = (figure_[name] for name in ("value", "low", "high"))
    return f"{value:{form}} ({low:{form}} to {high:{form}})"
