"""What is said of a finding beside its presence: side, lobe, grade, count. From the reader's heads to the words.

The one place where attributes become the prompt of a sentence and where a sentence is held against them; training,
evaluation and the agent use it alike.
"""

import math
import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from pacs_agent.inference.places import names_other_place

Kind = Literal["side", "lobe"]
_Side = Annotated[str, Field(pattern=r"^(right|left)$")]
_Lobe = Annotated[str, Field(pattern=r"^(right (upper|middle|lower)|left (upper|lower)) lobe$")]
_Count = Annotated[str, Field(pattern=r"^(one|few|many)$")]
_Grade = Annotated[int, Field(ge=0, le=3)]

NONE = "none"
_COUNTS = {
    "one": re.compile(r"\b(single|solitary)\b"),
    "few": re.compile(r"\b(few|couple|two|three|four)\b"),
    "many": re.compile(r"\b(numerous|many|innumerable|countless)\b"),
    "several": re.compile(r"\b(multiple|several)\b"),
}
_COUNTS_SAID_OF = {"one": {"one"}, "few": {"few", "several"}, "many": {"many", "several"}}


class Attributes(BaseModel):
    """Attributes of one finding in one study. Empty or None: not known, or does not apply."""

    model_config = ConfigDict(frozen=True)

    sides: tuple[_Side, ...] = ()
    """Of "right" and "left"."""
    lobes: tuple[_Lobe, ...] = ()
    """Of "right upper lobe", "right middle lobe", "right lower lobe", "left upper lobe", "left lower lobe"."""
    grade: _Grade | None = None
    """From the least to the most, as the words for the grades of the finding say: of three slight, moderate, marked."""
    count: _Count | None = None
    """"one", "few" (two to four) or "many"."""

    @property
    def all_sides(self) -> tuple[str, ...]:
        """The sides, those of its lobes included: right first."""
        known = {*self.sides, *(lobe.split()[0] for lobe in self.lobes)}
        return tuple(side for side in ("right", "left") if side in known)

    @property
    def place(self) -> str:
        """The place in the fewest words: a lobe, a pair of lobes, a side, "bilateral", or "none"."""
        if len(self.lobes) == 1:
            return self.lobes[0]
        levels = {lobe.split()[1] for lobe in self.lobes}
        if len({lobe.split()[0] for lobe in self.lobes}) == 2 and levels in ({"upper"}, {"lower"}):
            return f"{levels.pop()} lobes"
        sides = self.all_sides
        return "bilateral" if len(sides) == 2 else sides[0] if sides else NONE


PLACES = (
    NONE,
    "right",
    "left",
    "bilateral",
    "right upper lobe",
    "right middle lobe",
    "right lower lobe",
    "left upper lobe",
    "left lower lobe",
    "upper lobes",
    "lower lobes",
)
GRADES = (NONE, "0", "1", "2")
COUNTS = (NONE, "one", "few", "many")


def prompt(tag: str, attributes: Attributes) -> tuple[str, str, str, str]:
    """The four words from which a sentence is decoded: tag, place, grade, count."""
    grade = NONE if attributes.grade is None else str(attributes.grade)
    return tag, f"<place:{attributes.place}>", f"<grade:{grade}>", f"<count:{attributes.count or NONE}>"


def prompt_words() -> tuple[str, ...]:
    """Every word but the tags that a prompt can hold: a vocabulary must have them all."""
    return (
        *(f"<place:{place}>" for place in PLACES),
        *(f"<grade:{grade}>" for grade in GRADES),
        *(f"<count:{count}>" for count in COUNTS),
    )


def attributes_of(
    names: Sequence[str], logits: Sequence[float], applies: frozenset[str], points: Mapping[Kind, float]
) -> Attributes:
    """Attributes from the logits of one finding [A], named as in the manifest.

    `applies` of "side", "lobe", "grade", "count"; `points` gives the logit from which a side or a lobe is said (0 where
    it is not given). Of sides and lobes that apply at least one is said; a side goes with each lobe that is said. One
    thing lies in one place: where count and places disagree, what the logits say less firmly gives way.
    """
    of_kind: dict[str, list[tuple[str, float]]] = {"side": [], "lobe": [], "grade": [], "count": []}
    for name, logit in zip(names, logits, strict=True):
        kind, value = name.split(":", 1)
        if kind in applies:
            of_kind[kind].append((value, logit))
    count = _strongest(of_kind["count"])
    if count == "one" and _firmness_of_one(of_kind["count"]) < _firmness_of_several_places(of_kind, points):
        count = _strongest([each for each in of_kind["count"] if each[0] != "one"])
    lobes = _chosen(of_kind["lobe"], points.get("lobe", 0.0), count)
    sides = _chosen(of_kind["side"], points.get("side", 0.0), count)
    sides = tuple(dict.fromkeys(lobe.split()[0] for lobe in lobes)) or sides
    grade = _strongest(of_kind["grade"])
    return Attributes(sides=sides, lobes=lobes, grade=None if grade is None else int(grade), count=count)


def _firmness_of_one(counts: Sequence[tuple[str, float]]) -> float:
    """By how much the logit of "one" stands above the next count."""
    logits = dict(counts)
    return logits.pop("one") - max(logits.values(), default=-math.inf)


def _firmness_of_several_places(
    of_kind: Mapping[str, Sequence[tuple[str, float]]], points: Mapping[Kind, float]
) -> float:
    """By how much the logits of all places but the strongest stand above the point from which they are said."""
    kind: Kind = "lobe" if of_kind["lobe"] else "side"
    over = sorted(logit - points.get(kind, 0.0) for _, logit in of_kind[kind])
    return sum(max(each, 0.0) for each in over[:-1])


def _chosen(values: Sequence[tuple[str, float]], point: float, count: str | None) -> tuple[str, ...]:
    """The values from the point on, at least the strongest where there is any; of one thing the strongest alone."""
    chosen = tuple(value for value, logit in values if logit >= point)
    if chosen and count != "one":
        return chosen
    return tuple(value for value in [_strongest(values)] if value is not None)


def _strongest(values: Sequence[tuple[str, float]]) -> str | None:
    return max(values, key=lambda value: value[1])[0] if values else None


def contradicts(text: str, attributes: Attributes) -> bool:
    """Whether a sentence names a side, a lobe or, of what is counted, a number that its attributes do not."""
    return names_other_place(text, attributes.all_sides, attributes.lobes) or _names_other_count(text, attributes.count)


def _names_other_count(text: str, count: str | None) -> bool:
    if count is None:
        return False
    said = {name for name, words in _COUNTS.items() if words.search(text.lower())}
    return not said <= _COUNTS_SAID_OF[count]
