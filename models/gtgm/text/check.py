"""Does a sentence state its facts, all of them and nothing else? Read from the words, without the grammar.

A sentence is read as marks in order: numbers with units, negations (which stand for 0), words for sizes, words for
values, sides, levels. Its facts are listed in the order of mention, so each kind of mark must follow that order; this
is what binds a number to its side.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import TYPE_CHECKING

from models.gtgm.facts import Fact
from models.gtgm.text.rounding import UNITS, WRITTEN
from models.gtgm.text.words import (
    COUNT_WORDS,
    DEPTH_WORDS,
    GRADES,
    LEVEL_WORDS,
    NEGATIONS,
    SIDE_WORDS,
    TERMS,
    THRESHOLDS,
    VALUE_WORDS,
    grade_words,
    value_words,
)

if TYPE_CHECKING:
    from models.gtgm.text.write import Sentence


ZERO = ("0", "")
"""The number and unit that a negation stands for."""


@dataclass(frozen=True)
class Wrong:
    """What is wrong with a sentence."""

    text: str
    reason: str


@dataclass(frozen=True)
class Claims:
    """The marks of a sentence in order of mention."""

    numbers: tuple[tuple[str, str], ...]
    """Number and unit as `rounding.UNITS` names it; a negation is ZERO."""
    grades: tuple[str, ...]
    values: tuple[str, ...]
    sides: tuple[str, ...]
    """Repetitions in a row left out, as in `levels` and `depths`."""
    levels: tuple[str, ...]
    depths: tuple[str, ...]


def check(sentences: "Sequence[Sentence]", facts: Sequence[Fact]) -> tuple[Wrong, ...]:
    """What is wrong with sentences about facts; nothing where every number and word follows from the facts."""
    by_id = {fact.id: fact for fact in facts}
    wrong = []
    for sentence in sentences:
        missing = [name for name in sentence.fact_ids if name not in by_id]
        if missing or not sentence.fact_ids:
            wrong.append(Wrong(sentence.text, f"states no fact, or one that is not there: {missing}"))
            continue
        reason = fault(sentence.text, tuple(by_id[name] for name in sentence.fact_ids))
        if reason:
            wrong.append(Wrong(sentence.text, reason))
    return tuple(wrong)


def fault(text: str, facts: tuple[Fact, ...]) -> str:
    """Why a text does not state exactly these facts in this order; "" where it does."""
    for fact in facts:
        if not re.search(TERMS[fact.kind], text, re.IGNORECASE):
            return f"{fact.kind} is not named"
    claims = read(text, facts)
    for name in ("side", "level"):
        expected = _without_repeats([word for fact in facts if (word := getattr(fact, name))])
        stated = claims.sides if name == "side" else claims.levels
        if (stated and stated != expected) or (expected and not stated and not _implied(facts)):
            return f"{name}s {stated}, the facts have {expected}"
    depths = _without_repeats([word for fact in facts for word in fact.place.split() if word in ("front", "back")])
    if claims.depths and claims.depths != depths:
        return f"front or back {claims.depths}, the facts have {depths}"
    return _values_fault(claims, facts)


def _implied(facts: tuple[Fact, ...]) -> bool:
    """Whether a place may be left out: "its density" after a sentence that names the place, or of the whole image."""
    return all(fact.id.startswith(("bright_density", "dark_diameter", "dark_area", "bright_area")) for fact in facts)


def _values_fault(claims: Claims, facts: tuple[Fact, ...]) -> str:
    stated: set[int] = set()
    marks: tuple[tuple[str, Sequence[Callable[[Fact], bool]], Sequence[object]], ...] = (
        ("number", [partial(_number_fits, mark) for mark in claims.numbers], claims.numbers),
        ("word", [partial(_grade_fits, mark) for mark in claims.grades], claims.grades),
        ("value", [partial(_value_fits, mark) for mark in claims.values], claims.values),
    )
    for name, fits, shown in marks:
        start = 0
        for fit, mark in zip(fits, shown, strict=True):
            found = next((i for i in range(start, len(facts)) if fit(facts[i])), None)
            if found is None:
                return f"{name} {mark!r} follows from none of the facts, in this order"
            stated.add(found)
            # "No fluid on either side" states two facts by one negation.
            while mark == ZERO and found + 1 < len(facts) and _twins(facts[found], facts[found + 1]):
                found += 1
                stated.add(found)
            start = found + 1
    left = [facts[i].id for i in range(len(facts)) if i not in stated]
    return f"{left} not stated" if left else ""


def _twins(one: Fact, other: Fact) -> bool:
    return one.kind == other.kind and one.side != other.side and _number_fits(ZERO, other)


def _number_fits(mark: tuple[str, str], fact: Fact) -> bool:
    number, unit = mark
    if isinstance(fact.value, str):
        return mark == ZERO and fact.value == "absent"
    if mark == ZERO:
        return WRITTEN[fact.kind][0].number(fact.value) == "0"
    return any(unit == way.units[0] and number == way.number(fact.value) for way in WRITTEN[fact.kind])


def _grade_fits(mark: str, fact: Fact) -> bool:
    return mark in grade_words(fact)


def _value_fits(mark: str, fact: Fact) -> bool:
    return mark in value_words(fact)


def read(text: str, facts: tuple[Fact, ...]) -> Claims:
    """The marks of a text about facts of known kinds."""
    kinds = {fact.kind for fact in facts}
    plain = text.replace("−", "-").lower()
    for name in sorted({fact.of for fact in facts if fact.of}, key=len, reverse=True):
        plain = plain.replace(name.lower(), " ")
    for kind in kinds:
        for threshold in THRESHOLDS.get(kind, ()):
            plain = plain.replace(threshold.lower(), " ")
    values = _found(
        plain, tuple(word for kind in kinds for words in VALUE_WORDS.get(kind, {}).values() for word in words)
    )
    plain = _blanked(plain, values)
    grades = _found(plain, tuple(word for kind in kinds for grade in GRADES.get(kind, ()) for word in grade.words))
    plain = _blanked(plain, grades)
    sides = [side for word, _ in _found(plain, tuple(SIDE_WORDS)) for side in SIDE_WORDS[word]]
    levels = [LEVEL_WORDS[word] for word, _ in _found(plain, tuple(LEVEL_WORDS))]
    depths = [DEPTH_WORDS[word] for word, _ in _found(plain, tuple(DEPTH_WORDS))]
    return Claims(
        numbers=_numbers(plain),
        grades=tuple(word for word, _ in grades),
        values=tuple(word for word, _ in values),
        sides=_without_repeats(sides),
        levels=_without_repeats(levels),
        depths=_without_repeats(depths),
    )


def _numbers(plain: str) -> tuple[tuple[str, str], ...]:
    marks = []
    for match in _number_pattern().finditer(plain):
        word, digits, unit = match["word"], match["digits"], (match["unit"] or "").strip()
        if word:
            number = "0" if word in NEGATIONS else str(COUNT_WORDS.index(word))
            marks.append((number, ""))
        else:
            marks.append((digits, _units()[unit] if unit else ""))
    return tuple(marks)


@cache
def _units() -> dict[str, str]:
    return {way.lower(): unit for way, unit in UNITS.items()}


@cache
def _number_pattern() -> re.Pattern[str]:
    words = "|".join(re.escape(word) for word in sorted({*NEGATIONS, *COUNT_WORDS}, key=len, reverse=True))
    units = "|".join(re.escape(unit) for unit in sorted(_units(), key=len, reverse=True))
    return re.compile(rf"\b(?P<word>{words})\b|(?<![\w.])(?P<digits>-?\d+(?:\.\d+)?)(?:\s?(?P<unit>{units})(?!\w))?")


@cache
def _word_pattern(words: tuple[str, ...]) -> re.Pattern[str]:
    longest_first = sorted(set(words), key=len, reverse=True)
    return re.compile("|".join(rf"(?<![\w-]){re.escape(word)}(?![\w-])" for word in longest_first))


def _found(plain: str, words: tuple[str, ...]) -> list[tuple[str, tuple[int, int]]]:
    if not words:
        return []
    lowered = tuple(sorted({word.lower() for word in words}))
    return [(match[0], match.span()) for match in _word_pattern(lowered).finditer(plain)]


def _blanked(plain: str, found: list[tuple[str, tuple[int, int]]]) -> str:
    for _, (start, end) in found:
        plain = plain[:start] + "." * (end - start) + plain[end:]
    return plain


def _without_repeats(words: Sequence[str]) -> tuple[str, ...]:
    return tuple(word for index, word in enumerate(words) if index == 0 or words[index - 1] != word)
