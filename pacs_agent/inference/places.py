"""Sides and lobes of the lung as English sentences name them, held against those that may be named."""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

_WORDS = re.compile(r"[a-z]+|,")
_BOTH = frozenset({"both", "bilateral", "bilaterally", "either", "each"})
_SIDES = {"right": ("right",), "left": ("left",), **dict.fromkeys(_BOTH, ("right", "left"))}
_LEVELS = frozenset({"upper", "middle", "lower"})
_JOINTS = frozenset({"and", "or", ",", "the"})
_LINGULA = frozenset({"lingula", "lingular"})
_ENDS_OF_LUNG = {
    "upper": frozenset({"apex", "apices", "apical", "biapical"}),
    "lower": frozenset({"base", "bases", "basal", "basilar", "bibasal", "bibasilar"}),
}


@dataclass
class _Lobes:
    """What stands before one "lobe" or "lobes": levels of these sides; no side: of a side not said."""

    sides: list[str] = field(default_factory=list)
    levels: list[str] = field(default_factory=list)


def names_other_place(text: str, sides: Collection[str], lobes: Collection[str]) -> bool:
    """Whether a sentence names a side that is not among `sides`, or a lobe that is not among `lobes`."""
    words = _WORDS.findall(text.lower())
    said = {side for word in words for side in _SIDES.get(word, ())}
    if not said <= set(sides):
        return True
    if _LINGULA & set(words) and "left upper lobe" not in lobes:
        return True
    return _names_other_end(words, lobes) or any(not _is_among(each, lobes) for each in _lobes_said(words))


def _names_other_end(words: list[str], lobes: Collection[str]) -> bool:
    """Whether the apex or the base of a lung is named where lobes are known and none of them has it."""
    levels = {lobe.split()[1] for lobe in lobes}
    named = {level for level, ends in _ENDS_OF_LUNG.items() if ends & set(words)}
    return bool(levels) and not named <= levels


def _is_among(said: _Lobes, lobes: Collection[str]) -> bool:
    if said.sides:
        return all(f"{side} {level} lobe" in lobes for side in said.sides for level in said.levels)
    return all(any(lobe.split()[1] == level for lobe in lobes) for level in said.levels)


def _lobes_said(words: list[str]) -> Iterator[_Lobes]:
    """What stands before each "lobe": two for "right upper and left lower lobes", one for "right upper and middle"."""
    for end, word in enumerate(words):
        if word in ("lobe", "lobes"):
            yield from _groups(words, end, plural=word == "lobes")


def _groups(words: list[str], end: int, *, plural: bool) -> Iterator[_Lobes]:
    """The lobes before the word at `end`. One level of "lobes" without a side is that of both lungs."""
    start = end
    while start and (words[start - 1] in _SIDES or words[start - 1] in _LEVELS | _JOINTS):
        start -= 1
    groups = [_Lobes()]
    for word in words[start:end]:
        if word in _SIDES:
            if groups[-1].levels:
                groups.append(_Lobes())
            groups[-1].sides += _SIDES[word]
        elif word in _LEVELS:
            groups[-1].levels.append(word)
    if not groups[-1].sides:
        groups[-1].sides += _sides_behind(words, end)
    if len(groups) == 1 and plural and not groups[0].sides and len(groups[0].levels) == 1:
        groups[0].sides += ["right", "left"]
    yield from groups


def _sides_behind(words: list[str], end: int) -> tuple[str, ...]:
    """The side in "lobe of the right lung"."""
    behind = [word for word in words[end + 1 : end + 4] if word not in ("of", "the")]
    return _SIDES.get(behind[0], ()) if behind and words[end + 1] == "of" else ()
