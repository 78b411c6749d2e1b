"""What is said of a finding beside its presence: side, lobe, grade, count. From the reader's heads to the words.

The one place where attributes become the prompt of a sentence and where a sentence is held against them; training,
evaluation and the agent use it alike.
"""

import re
from collections.abc import Mapping, Sequence

from pydantic import BaseModel, ConfigDict

NONE = "none"
_SIDES = re.compile(r"\b(right|left|bilateral|both)\b")
_LOBES = re.compile(r"\b(right|left) (upper|middle|lower) lobe\b|\b(upper|lower) lobes\b|\blingula\b")


class Attributes(BaseModel):
    """Attributes of one finding in one study. Empty or None: not known, or does not apply."""

    model_config = ConfigDict(frozen=True)

    sides: tuple[str, ...] = ()
    """Of "right" and "left"."""
    lobes: tuple[str, ...] = ()
    """Of "right upper lobe", "right middle lobe", "right lower lobe", "left upper lobe", "left lower lobe"."""
    grade: int | None = None
    """0 slight, 1 moderate, 2 marked."""
    count: str | None = None
    """"one", "few" (two to four) or "many"."""

    @property
    def place(self) -> str:
        """The place in the fewest words: a lobe, a pair of lobes, a side, "bilateral", or "none"."""
        if len(self.lobes) == 1:
            return self.lobes[0]
        levels = {lobe.split()[1] for lobe in self.lobes}
        if len({lobe.split()[0] for lobe in self.lobes}) == 2 and levels in ({"upper"}, {"lower"}):
            return f"{levels.pop()} lobes"
        sides = set(self.sides) | {lobe.split()[0] for lobe in self.lobes}
        return "bilateral" if len(sides) == 2 else sides.pop() if sides else NONE


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
    names: Sequence[str], logits: Sequence[float], applies: frozenset[str], points: Mapping[str, float]
) -> Attributes:
    """Attributes from the logits of one finding [A], named as in the manifest.

    `applies` of "side", "lobe", "grade", "count"; `points` gives the logit from which a side or a lobe is said (0 where
    it is not given). Of sides and lobes that apply at least one is said; a side goes with each lobe that is said.
    """
    of_kind: dict[str, list[tuple[str, float]]] = {"side": [], "lobe": [], "grade": [], "count": []}
    for name, logit in zip(names, logits, strict=True):
        kind, value = name.split(":", 1)
        of_kind[kind].append((value, logit))
    lobes = _chosen(of_kind["lobe"], points.get("lobe", 0.0)) if "lobe" in applies else ()
    sides = tuple(dict.fromkeys(lobe.split()[0] for lobe in lobes))
    if not lobes and "side" in applies:
        sides = _chosen(of_kind["side"], points.get("side", 0.0))
    grade = int(_strongest(of_kind["grade"])) if "grade" in applies else None
    count = _strongest(of_kind["count"]) if "count" in applies else None
    return Attributes(sides=sides, lobes=lobes, grade=grade, count=count)


def _chosen(values: Sequence[tuple[str, float]], point: float) -> tuple[str, ...]:
    return tuple(value for value, logit in values if logit >= point) or (_strongest(values),)


def _strongest(values: Sequence[tuple[str, float]]) -> str:
    return max(values, key=lambda value: value[1])[0]


def contradicts(text: str, attributes: Attributes) -> bool:
    """Whether a sentence names a side or a lobe that its attributes do not."""
    lower = text.lower()
    sides = {side for lobe in attributes.lobes for side in lobe.split()[:1]} | set(attributes.sides)
    said = {"right", "left"} if re.search(r"\b(bilateral|both)\b", lower) else set()
    said |= {match[1] for match in _SIDES.finditer(lower)} & {"right", "left"}
    if not said <= sides:
        return True
    return any(not _supported(match[0], attributes.lobes) for match in _LOBES.finditer(lower))


def _supported(words: str, lobes: tuple[str, ...]) -> bool:
    if words == "lingula":
        return "left upper lobe" in lobes
    if words.endswith("lobes"):
        return {f"right {words[:-1]}", f"left {words[:-1]}"} <= set(lobes)
    return words in lobes
