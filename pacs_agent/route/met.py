"""Which series, or which stacks of them, met what rules expect of a study: a job keeps it and reads among them."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict

from pacs_agent.imaging import SLICE_CLASSES, SeriesPart
from pacs_agent.route.conditions import Attributes, Condition
from pacs_agent.route.expects import RECEIVED, Expects, series_with


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True)


class Expectation(_Frozen):
    """One series that a rule expects, and what of the study met it."""

    rule: str
    words: str
    """What is expected."""
    required: bool
    """False for what is of use and not waited for."""
    met_by: tuple[SeriesPart, ...]
    """In the order of the study; none where it has not come."""


class Expected(_Frozen):
    """What the rules of a job expect of its study."""

    of: tuple[Expectation, ...]
    is_reported: bool = False
    """The job reads nothing: it says what has not come."""

    @property
    def missing(self) -> str:
        """What is required and has not come, in words; empty when nothing is missing."""
        return "; ".join(dict.fromkeys(one.words for one in self.of if one.required and not one.met_by))

    @property
    def among(self) -> tuple[SeriesPart, ...] | None:
        """What may be read: required parts before optional ones, as the rules name them.

        None, which is any series, where nothing that is required has come, or documents alone.
        """
        required, optional = (
            tuple(part for one in self.of if one.required is wanted for part in one.met_by if part.has_slices)
            for wanted in (True, False)
        )
        return (*required, *optional) if required else None


def expected_of(kept: Mapping[str, Any] | None) -> Expected | None:
    """What the rules of a job expect, from what its row keeps; None where they expect nothing."""
    return Expected.model_validate(kept) if kept else None


def met(rule: str, expects: Expects, series: Sequence[Attributes]) -> tuple[Expectation, ...]:
    """What a rule expects, each with the series that fulfil it, or their stacks where it asks for stacks."""
    wanted = [*((one, True) for one in expects.series), *((one, False) for one in expects.optional)]
    return tuple(
        Expectation(rule=rule, words=series_with(condition), required=required, met_by=_met_by(condition, series))
        for condition, required in wanted
    )


def series_left(expects: Expects, series: Sequence[Attributes]) -> frozenset[str]:
    """The series, by UID, that a job will not read, as far as what is known of them tells; see `Expected.among`.

    None until something with slices has come that is required: a rule may expect documents alone, and then reads any.
    No header is read: `series` are asked for what they know.
    """
    if not any(_is_met(condition, one) for condition in expects.series for one in series if _has_slices(one)):
        return frozenset()
    conditions = (*expects.series, *expects.optional)
    facts = [{keyword: one[keyword] for keyword in one if keyword != RECEIVED} for one in series]
    left = (one for one in facts if not any(condition.may_hold(one) for condition in conditions))
    return frozenset(_first(one, "SeriesInstanceUID") for one in left)


def _is_met(condition: Condition, series: Attributes) -> bool:
    """Whether a condition holds by what is known already."""
    is_known = not condition.asks_stacks and condition.keywords() <= set(series)
    return is_known and condition.explain(series).held


def _met_by(condition: Condition, series: Sequence[Attributes]) -> tuple[SeriesPart, ...]:
    return tuple(part for one in series if condition.explain(one).held for part in _parts(condition, one))


def _parts(condition: Condition, series: Attributes) -> Iterator[SeriesPart]:
    """The stacks of a series by which it fulfils a condition; the whole of it where the condition asks for none."""
    if stacks := condition.stacks_meant(series):
        yield from map(SeriesPart.of_stack, stacks)
        return
    yield SeriesPart(
        series_instance_uid=_first(series, "SeriesInstanceUID"),
        description=_first(series, "SeriesDescription"),
        has_slices=_has_slices(series),
    )


def _has_slices(series: Attributes) -> bool:
    sop_classes = {str(value) for value in series.get("SOPClassUID", ())}
    return not sop_classes or any(map(sop_classes.intersection, SLICE_CLASSES.values()))


def _first(series: Attributes, keyword: str) -> str:
    return str(next(iter(series.get(keyword, ())), ""))
