"""Side, lobe, grade and count as they are said, against the truth and against always saying the most frequent."""

from collections import Counter
from collections.abc import Callable, Hashable, Iterator

import numpy as np

from models.evaluation.metrics import Figure, mean_figure
from models.evaluation.outcomes import Measured
from models.phantoms.findings import DESCRIBABLE, FINDINGS, Attributes
from pacs_agent.inference.attributes import Attributes as SaidAttributes

Pair = tuple[Hashable, Hashable]
"""What is true and what is said; None: nothing."""


def _sides(true: Attributes, said: SaidAttributes) -> Pair:
    spoken = set(said.sides) | {lobe.split()[0] for lobe in said.lobes}
    return frozenset(side.value for side in true.sides) or None, frozenset(spoken)


def _lobes(true: Attributes, said: SaidAttributes) -> Pair:
    return frozenset(lobe.value for lobe in true.lobes) or None, frozenset(said.lobes)


def _grade(true: Attributes, said: SaidAttributes) -> Pair:
    return None if true.grade is None else int(true.grade), said.grade


def _count(true: Attributes, said: SaidAttributes) -> Pair:
    return None if true.count is None else true.count.value, said.count


KINDS: dict[str, Callable[[Attributes, SaidAttributes], Pair]] = {
    "sides": _sides,
    "lobes": _lobes,
    "grade": _grade,
    "count": _count,
}


def attribute_figures(measured: Measured) -> dict[str, dict[str, Figure]]:
    """Share of findings, rightly called present, of which each attribute is said exactly as it is.

    `most_frequent` is the share that always saying the finding's most frequent true value would get; `named_right` is
    the share of the places said that are true.
    """
    return {kind: _figures(measured, kind) for kind in KINDS}


def _figures(measured: Measured, kind: str) -> dict[str, Figure]:
    rows = list(_rows(measured, kind))
    habits = {f: Counter(true for _, g, (true, _) in rows if g == f).most_common(1)[0][0] for f in {r[1] for r in rows}}
    patients = [patient for patient, _, _ in rows]
    named = [_named_right(pair) for _, _, pair in rows] if kind in ("sides", "lobes") else []
    return {
        **({"named_right": mean_figure(named, patients)} if named else {}),
        "accuracy": mean_figure([float(true == said) for _, _, (true, said) in rows], patients),
        "most_frequent": mean_figure([float(true == habits[f]) for _, f, (true, _) in rows], patients),
    }


def _named_right(pair: Pair) -> float:
    """Share of the places said that are true."""
    true, said = pair
    if not isinstance(true, frozenset) or not isinstance(said, frozenset) or not said:
        return float("nan")
    return len(true & said) / len(said)


def _rows(measured: Measured, kind: str) -> Iterator[tuple[str, int, Pair]]:
    """Patient, finding and what is true and said, where the attribute applies and is known."""
    for number, study in enumerate(measured.studies):
        for f in np.flatnonzero((study.labels > 0) & (measured.called[number] > 0)).tolist():
            finding = FINDINGS[f]
            if not getattr(DESCRIBABLE[finding], kind) or finding not in study.attributes:
                continue
            pair = KINDS[kind](study.attributes[finding], measured.said[number].findings[f].attributes)
            if pair[0] is not None:
                yield study.patient, f, pair
