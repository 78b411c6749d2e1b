"""A small grammar of sentences: alternatives in brackets, slots for facts in braces.

`[The lungs hold|Together the lungs contain] {0}.` has two forms. Brackets nest; an empty alternative is allowed.
Slots name a fact by its place in `Rule.needs`: `{0}` number and unit, `{0n}` number alone, `{0c}` a count in words,
`{0w}` a word for its size, `{0t}` a word for its value, `{0p}` its place, `{0s}` its side, `{0o}` its sequence, `{0!}`
nothing (where the words around it already state it: "no fluid{0!} on the right").
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import product

import numpy as np

from models.gtgm.facts import Fact
from models.gtgm.text.rounding import WRITTEN
from models.gtgm.text.words import COUNT_WORDS, DEPTH_WORDS, grade_words, value_words

SLOT = re.compile(r"\{(\d)([a-z!]?)\}")
_NEED = re.compile(r"^(?P<id>[^=<>]+?)(?:(?P<test>[=<>])(?P<value>.+))?$")
_VOWEL = re.compile(r"\b([Aa]) (?=[aeio])")
Tree = tuple["str | tuple[Tree, ...]", ...]
"""Parts of a form in order: text, or alternatives, each of which is a form again."""


@dataclass(frozen=True)
class Need:
    """A fact that a rule states, and what must hold of its value: "fluid_volume.right>0", "contrast=present"."""

    id: str
    test: str = ""
    value: str = ""

    @classmethod
    def parse(cls, text: str) -> "Need":
        """From its short form."""
        match = _NEED.match(text)
        if match is None:
            raise ValueError(f"{text!r} is no need of a rule: write an id, or id=value, id>value, id<value")
        return cls(match["id"], match["test"] or "", match["value"] or "")

    def met_by(self, fact: Fact) -> bool:
        """Whether a fact of that id is as needed."""
        if not self.test:
            return True
        if isinstance(fact.value, str):
            return self.test == "=" and fact.value == self.value
        # What would be written as 0 counts as 0: a text must not say "0 mL of fluid".
        value = float(WRITTEN[fact.kind][0].number(fact.value)) / WRITTEN[fact.kind][0].scale
        bound = float(self.value)
        return {"=": value == bound, ">": value > bound, "<": value < bound}[self.test]


@dataclass(frozen=True)
class Rule:
    """One sentence: the facts it states and its forms."""

    needs: tuple[Need, ...]
    form: str

    @classmethod
    def of(cls, needs: str, form: str) -> "Rule":
        """A rule from needs separated by spaces."""
        return cls(tuple(Need.parse(need) for need in needs.split()), form)

    def facts(self, by_id: dict[str, Fact], suffix: str = "") -> tuple[Fact, ...] | None:
        """The facts that it needs; None where one is missing or not as needed."""
        found = []
        for need in self.needs:
            fact = by_id.get(need.id + suffix)
            if fact is None or not need.met_by(fact):
                return None
            found.append(fact)
        return tuple(found)


Plan = tuple[Rule, ...]
"""Sentences that belong together."""


@dataclass(frozen=True)
class Topic:
    """What a report says at one place of its order: one of the plans whose facts are there."""

    name: str
    plans: tuple[Plan, ...]


@dataclass(frozen=True)
class Filled:
    """A sentence's text and the facts it states, in the order in which it mentions them."""

    text: str
    facts: tuple[Fact, ...]


@cache
def parsed(form: str) -> Tree:
    """The tree of a form. Raises ValueError where brackets do not match."""
    tree, end = _parse(form, 0, nested=False)
    if end != len(form):
        raise ValueError(f"unmatched ] at {end} in {form!r}")
    return tree[0]


def _parse(form: str, at: int, nested: bool) -> tuple[tuple[Tree, ...], int]:
    alternatives: list[Tree] = []
    parts: list[str | tuple[Tree, ...]] = []
    start = at
    while at < len(form) and form[at] != "]":
        if form[at] == "[":
            parts.append(form[start:at])
            inner, at = _parse(form, at + 1, nested=True)
            if at >= len(form):
                raise ValueError(f"unmatched [ in {form!r}")
            parts.append(inner)
            at += 1
            start = at
        elif form[at] == "|" and nested:
            alternatives.append((*parts, form[start:at]))
            parts, at = [], at + 1
            start = at
        else:
            at += 1
    return (*alternatives, (*parts, form[start:at])), at


def chosen(form: str, rng: np.random.Generator) -> str:
    """One form, each alternative as likely as the others beside it."""
    return _chosen(parsed(form), rng)


def _chosen(tree: Tree, rng: np.random.Generator) -> str:
    return "".join(part if isinstance(part, str) else _chosen(part[int(rng.integers(len(part)))], rng) for part in tree)


def every(form: str) -> Iterator[str]:
    """All forms."""
    return _every(parsed(form))


def _every(tree: Tree) -> Iterator[str]:
    choices = [[part] if isinstance(part, str) else [text for one in part for text in _every(one)] for part in tree]
    return ("".join(parts) for parts in product(*choices))


def count(form: str) -> int:
    """How many forms there are."""
    return _count(parsed(form))


def _count(tree: Tree) -> int:
    out = 1
    for part in tree:
        if not isinstance(part, str):
            out *= sum(_count(one) for one in part)
    return out


def fill(template: str, facts: Sequence[Fact], rng: np.random.Generator) -> Filled:
    """A form with its slots filled; units, ways to round and words for sizes are drawn at random."""
    order: list[int] = []

    def slot(match: re.Match[str]) -> str:
        index = int(match[1])
        if index not in order and match[2] != "o":
            order.append(index)
        return _said(facts[index], match[2], rng)

    text = SLOT.sub(slot, template)
    rest = [index for index in range(len(facts)) if index not in order]
    return Filled(tidy(text), tuple(facts[index] for index in [*order, *rest]))


def _said(fact: Fact, how: str, rng: np.random.Generator) -> str:
    if how == "w":
        return _pick(grade_words(fact), rng)
    if how == "t":
        return _pick(value_words(fact), rng)
    if how == "p":
        return place_words(fact, rng)
    if how == "s":
        return fact.side
    if how == "o":
        return fact.of or "this sequence"
    if how == "!":
        return ""
    if isinstance(fact.value, str):
        raise ValueError(f"{fact.id} has a word for a value: use {{t}} in its rule")
    ways = WRITTEN[fact.kind]
    if how == "c" and fact.value < len(COUNT_WORDS):
        return COUNT_WORDS[round(fact.value)]
    way = ways[int(rng.integers(len(ways)))]
    unit = "" if how in ("n", "c") else _pick(way.units, rng)
    return f"{way.number(fact.value)}{'' if unit in ('', '%') else ' '}{unit}".replace("%", " %")


def _pick(words: tuple[str, ...], rng: np.random.Generator) -> str:
    return words[int(rng.integers(len(words)))]


def place_words(fact: Fact, rng: np.random.Generator) -> str:
    """A place as a report says it: "right upper", "left posterior middle"."""
    depths = [word for word, depth in DEPTH_WORDS.items() if depth in fact.place.split()]
    words = [fact.side, fact.level, _pick(tuple(depths), rng) if depths else ""]
    return " ".join(word for word in words if word)


def tidy(text: str) -> str:
    """One space between words, none before a full stop or comma, "an" before a vowel, a capital at the start."""
    text = re.sub(r"\s+([.,;])", r"\1", " ".join(text.split()))
    text = _VOWEL.sub(r"\1n ", text)
    return text[:1].upper() + text[1:]
