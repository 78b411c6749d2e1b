"""What a rule expects of a study before it reads it: series that must have come.

Each condition is asked of every series by itself and must hold for one at least. The attributes of a series are those
of its images; NumberOfSeriesRelatedInstances (0020,1209) is how many of them have come, whatever a sender wrote there.
"""

from collections.abc import Sequence
from typing import Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

from pacs_agent.route.conditions import Attributes, Condition
from pacs_agent.route.explanation import Explanation

IfIncomplete: TypeAlias = Literal["read", "report", "ignore", "hold"]
RECEIVED = "NumberOfSeriesRelatedInstances"
LONGEST_WAIT_S = 7 * 24 * 3600.0
SHOWN_SERIES = 8
_THEN: dict[IfIncomplete, str] = {
    "read": "it is read all the same",
    "report": "it is not read, and a document says what is missing",
    "ignore": "this rule leaves it",
    "hold": "an operator decides",
}


class Expects(BaseModel):
    """Series that must have come, how long they are waited for, and what becomes of the study without them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    series: tuple[Condition, ...] = Field(min_length=1)
    optional: tuple[Condition, ...] = ()
    """Series that are of use and are not waited for."""
    wait_at_most_s: float = Field(600, gt=0, le=LONGEST_WAIT_S)
    """Since the newest image."""
    if_incomplete: IfIncomplete = "read"

    def keywords(self) -> frozenset[str]:
        """The attributes that must be known to answer."""
        return frozenset().union(*(one.keywords() for one in (*self.series, *self.optional))) - {RECEIVED}

    def explain(self, series: Sequence[Attributes]) -> Explanation:
        """Whether all that is expected has come, and for each condition what the series said to it."""
        parts = tuple(_of_some_series(condition, series) for condition in self.series)
        besides = tuple(_of_some_series(condition, series, "an optional series") for condition in self.optional)
        return Explanation(condition="all of", held=all(part.held for part in parts), parts=(*parts, *besides))

    @property
    def terms(self) -> str:
        """How long is waited and what then, in words."""
        return f"waits for {self.wait_at_most_s:g} s after the newest image, then {_THEN[self.if_incomplete]}"

    def in_words(self) -> str:
        """All of it in one sentence."""
        optional = f"; optional: {'; '.join(map(series_with, self.optional))}" if self.optional else ""
        return f"{'; '.join(map(series_with, self.series))}; {self.terms}{optional}"


def missing(expects: Expects, explanation: Explanation) -> str:
    """What has not come, in words."""
    return "; ".join(
        series_with(condition)
        for condition, part in zip(expects.series, explanation.parts, strict=False)
        if not part.held
    )


def series_with(condition: Condition) -> str:
    """A series that fulfils a condition, in words."""
    return f"a series with {condition.explain({}).sentence}"


def _of_some_series(condition: Condition, series: Sequence[Attributes], what: str = "a series") -> Explanation:
    """The first series that fulfils a condition; where none does, what each of them said."""
    asked = [_of_one(condition, one) for one in series]
    held = [one for one in asked if one.held]
    return Explanation(condition=what, held=bool(held), parts=tuple(held[:1] or asked[:SHOWN_SERIES]))


def _of_one(condition: Condition, series: Attributes) -> Explanation:
    explanation = condition.explain(series)
    name = ", ".join(str(value) for value in series.get("SeriesDescription", ())) or "without a description"
    received = "".join(f", {count:g} images" for count in series.get(RECEIVED, ()) if isinstance(count, float))
    return Explanation(condition=f"series {name}{received}", held=explanation.held, parts=(explanation,))
