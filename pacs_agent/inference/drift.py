"""Whether a model says today what it said before: each week held against what is usual, in figures and in words.

Usual is what the evaluation in the bundle found, where it tells how the scores of a finding were spread
(`per_finding.<key>.scores`); else the first studies that this version read here.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict
from sqlalchemy import select
from sqlalchemy.orm import Session

from pacs_agent.db import ReadingStatistics
from pacs_agent.inference.bundle import Bundle
from pacs_agent.inference.grounding import EVALUATION
from pacs_agent.inference.intervals import BINS, differs, quantile, shares_differ, wilson
from pacs_agent.inference.refusal import BundleRefused
from pacs_agent.inference.statistics import FIRST, Counts, FindingCounts

ENOUGH_STUDIES = 20
"""Fewer in a week, or in what is usual, say nothing."""
INPUTS: Mapping[str, tuple[str, str]] = {
    "manufacturers": ("manufacturer", ""),
    "kernels": ("kernel", ""),
    "slices": ("a number of slices from", ""),
    "thickness_mm": ("slice distance", " mm"),
}
"""What is counted of the images: its name, and how a value of it goes on in a sentence."""


class _Told(BaseModel):
    model_config = ConfigDict(use_attribute_docstrings=True)


class Share(_Told):
    """A share with its 95 % interval (Wilson)."""

    count: int
    of: int
    low: float
    high: float

    @property
    def value(self) -> float:
        """The share itself; 0 where nothing was counted."""
        return self.count / self.of if self.of else 0.0

    @classmethod
    def counted(cls, count: int, of: int) -> "Share":
        """The share and its interval."""
        low, high = wilson(count, of)
        return cls(count=count, of=of, low=low, high=high)

    def is_apart(self, other: "Share") -> bool:
        """Whether the shares differ, with enough studies on both sides."""
        enough = min(self.of, other.of) >= ENOUGH_STUDIES
        return enough and shares_differ(self.count, self.of, other.count, other.of)


class Spread(_Told):
    """How often a finding was said to be present, and where its scores lie."""

    present: Share
    p10: float | None
    median: float | None
    p90: float | None

    @classmethod
    def of(cls, counts: FindingCounts) -> "Spread":
        """What the counts say."""
        p10, median, p90 = (quantile(counts.scores, share) for share in (0.1, 0.5, 0.9))
        return cls(present=Share.counted(counts.present, counts.studies), p10=p10, median=median, p90=p90)


class FindingWeek(_Told):
    """A finding in one week."""

    week: str
    """Its Monday."""
    spread: Spread
    is_usual: bool


class FindingDrift(_Told):
    """A finding over the weeks."""

    key: str
    name: str
    usual: Spread
    source: str
    """Where that which is usual comes from, in words."""
    weeks: tuple[FindingWeek, ...]


class InputValue(_Told):
    """How often images came with one value, before and in the newest week."""

    value: str
    usual: Share
    newest: Share
    is_usual: bool


class InputDrift(_Told):
    """One thing about the images that were read."""

    key: str
    name: str
    values: tuple[InputValue, ...]


class ModelDrift(_Told):
    """One version of a model over the weeks."""

    name: str
    version: str
    first_studies: int
    """How many studies what is usual was learned from so far, at most 200."""
    weeks: tuple[str, ...]
    studies: tuple[int, ...]
    """Studies read in each week."""
    findings: tuple[FindingDrift, ...]
    inputs: tuple[InputDrift, ...]
    warnings: tuple[str, ...]
    """What is not as usual in the newest week, in sentences."""


def drift_of(session: Session, name: str, version: str, weeks: Sequence[str], bundle: Bundle | None) -> ModelDrift:
    """A version of a model in these weeks (their Mondays, in order). `bundle`: the version, where it is installed."""
    row = ReadingStatistics
    query = select(row).where(row.name == name, row.version == version, row.period.in_([*weeks, FIRST]))
    rows = {found.period: found for found in session.scalars(query)}
    counts = {period: Counts.model_validate(found.content) for period, found in rows.items()}
    first = counts.pop(FIRST, Counts())
    seen = [week for week in weeks if week in counts]
    evaluated = scores_of_evaluation(bundle) if bundle else {}
    findings = tuple(_finding(key, counts, seen, first, evaluated.get(key)) for key in first.findings)
    inputs = tuple(_input(key, first, counts[seen[-1]]) for key in INPUTS) if seen else ()
    return ModelDrift(
        name=name,
        version=version,
        first_studies=rows[FIRST].studies if FIRST in rows else 0,
        weeks=tuple(seen),
        studies=tuple(rows[week].studies for week in seen),
        findings=findings,
        inputs=inputs,
        warnings=_warnings(findings, inputs, _when(seen, weeks)) if seen else (),
    )


def versions_read(session: Session, weeks: Sequence[str]) -> list[tuple[str, str]]:
    """Name and version of each model that read in these weeks."""
    row = ReadingStatistics
    query = select(row.name, row.version).where(row.period.in_(weeks)).distinct().order_by(row.name, row.version)
    return [(found.name, found.version) for found in session.execute(query)]


def scores_of_evaluation(bundle: Bundle) -> dict[str, FindingCounts]:
    """How the scores of each finding were spread in the bundle's evaluation; nothing where it does not tell."""
    document = next((one for one in bundle.manifest.documents if one.file == EVALUATION), None)
    if document is None:
        return {}
    try:
        found = json.loads(bundle.read(document)).get("per_finding") or {}
    except (BundleRefused, ValueError, AttributeError):
        return {}
    told = {key: _scores(one) for key, one in found.items()} if isinstance(found, dict) else {}
    return {key: counts for key, counts in told.items() if counts}


def _scores(figures: Any) -> FindingCounts | None:
    """`{"scores": {"counts": [50 numbers], "present": number}}` of one finding."""
    scores = figures.get("scores") if isinstance(figures, dict) else None
    if not isinstance(scores, dict):
        return None
    counts, present = scores.get("counts"), scores.get("present")
    if not (isinstance(counts, list) and len(counts) == BINS and isinstance(present, int)):
        return None
    return FindingCounts(present=present, absent=sum(counts) - present, scores=counts)


def _finding(
    key: str, counts: Mapping[str, Counts], seen: Sequence[str], first: Counts, evaluated: FindingCounts | None
) -> FindingDrift:
    usual = evaluated or first.findings[key]
    own = f"the first {first.findings[key].studies} studies read here"
    weeks = [(week, counts[week].findings.get(key, FindingCounts())) for week in seen]
    shown = (FindingWeek(week=week, spread=Spread.of(one), is_usual=_is_usual(one, usual)) for week, one in weeks)
    return FindingDrift(
        key=key,
        name=first.findings[key].name,
        usual=Spread.of(usual),
        source=f"the evaluation in the bundle, {usual.studies} studies" if evaluated else own,
        weeks=tuple(shown),
    )


def _is_usual(week: FindingCounts, usual: FindingCounts) -> bool:
    if min(week.studies, usual.studies) < ENOUGH_STUDIES:
        return True
    apart = Share.counted(week.present, week.studies).is_apart(Share.counted(usual.present, usual.studies))
    return not apart and not differs(week.scores, usual.scores)


def _input(key: str, first: Counts, newest: Counts) -> InputDrift:
    usual, now = getattr(first, key), getattr(newest, key)
    values = []
    for value in sorted({*usual, *now}, key=lambda one: (-usual.get(one, 0), one)):
        before = Share.counted(usual.get(value, 0), sum(usual.values()))
        share = Share.counted(now.get(value, 0), sum(now.values()))
        values.append(InputValue(value=value, usual=before, newest=share, is_usual=not share.is_apart(before)))
    return InputDrift(key=key, name=INPUTS[key][0], values=tuple(values))


def _when(seen: Sequence[str], weeks: Sequence[str]) -> str:
    """The newest week in which something was read, in words."""
    return "this week" if seen[-1] == weeks[-1] else f"in the week of {seen[-1]}"


def _warnings(findings: Sequence[FindingDrift], inputs: Sequence[InputDrift], when: str) -> tuple[str, ...]:
    newest = [(finding, finding.weeks[-1]) for finding in findings]
    said = [_sentence(finding, week, when) for finding, week in newest if not week.is_usual]
    seen = [_sentence_of_input(of, one, when) for of in inputs for one in of.values if not one.is_usual]
    return (*said, *seen)


def _sentence(finding: FindingDrift, week: FindingWeek, when: str) -> str:
    said, usual = week.spread.present, finding.usual.present
    if said.is_apart(usual):
        return f"{finding.name} was said in {_percent(said)} of {said.of} studies {when}; {_usual(usual)}."
    medians = f"median {_score(week.spread.median)}, usually {_score(finding.usual.median)}"
    return f"The scores of {finding.name} lie otherwise than usual {when}: {medians} ({said.of} studies)."


def _sentence_of_input(of: InputDrift, one: InputValue, when: str) -> str:
    value = f"{of.name} “{one.value}{INPUTS[of.key][1]}”"
    return f"{_percent(one.newest)} of {one.newest.of} studies {when} have {value}; {_usual(one.usual)}."


def _percent(share: Share) -> str:
    return f"{100 * share.value:.0f} %"


def _usual(share: Share) -> str:
    return f"{100 * share.low:.0f}–{100 * share.high:.0f} % is usual"


def _score(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.2f}"
