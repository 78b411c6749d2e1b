"""From a template and attributes to a sentence: the slots say what the attributes say, and nothing else."""

import re

from models.phantoms.findings import Attributes, Count, Finding, Grade, Lobe, Side
from models.phantoms.wording.templates import GRADES
from pacs_agent.inference.attributes import NONE
from pacs_agent.inference.attributes import Attributes as SpokenAttributes

_ADVERBS = {
    "mild": "mildly",
    "moderate": "moderately",
    "marked": "markedly",
    "severe": "severely",
    "extensive": "extensively",
    "bulky": "markedly",
}
_SIDES = {NONE: "", "right": "right", "left": "left", "bilateral": "bilateral"}
_QUANTITIES = {NONE: "a", Count.ONE.value: "a", Count.FEW.value: "a few", Count.MANY.value: "multiple"}
_HOW_MANY = {NONE: "", Count.ONE.value: "a single one", Count.FEW.value: "a few", Count.MANY.value: "multiple"}
_VOWEL = re.compile(r"\ba (?=[aeio])")


def spoken(attributes: Attributes) -> SpokenAttributes:
    """Attributes as the agent and the prompt know them: words in one order."""
    return SpokenAttributes(
        sides=tuple(side.value for side in Side if side in attributes.sides),
        lobes=tuple(lobe.value for lobe in Lobe if lobe in attributes.lobes),
        grade=None if attributes.grade is None else int(attributes.grade),
        count=None if attributes.count is None else attributes.count.value,
    )


def fill(finding: Finding, template: str, attributes: Attributes) -> str:
    """The sentence of a template, its words separated by spaces and its first letter a capital."""
    said = spoken(attributes)
    return fill_words(finding, template, said.place, attributes.grade, said.count or NONE)


def fill_words(finding: Finding, template: str, place: str, grade: Grade | None, count: str) -> str:
    """The sentence for a place of PLACES, a grade and a count of COUNTS."""
    word = GRADES[finding][grade] if grade is not None and GRADES[finding] else ""
    both, many = place == "bilateral", count not in (NONE, Count.ONE.value)
    text = template.format(
        grade=word,
        degree=_ADVERBS.get(word, word),
        in_=_inside(place),
        sided=_SIDES.get(place, ""),
        on_side=_on_side(place),
        q=_QUANTITIES[count],
        how_many=_HOW_MANY[count],
        s="s" if many else "",
        is_="are" if many else "is",
        both_s="s" if both else "",
        both_is="are" if both else "is",
        both_a="" if both else "a",
    )
    return _tidy(text)


def _tidy(text: str) -> str:
    text = " ".join(text.split()).replace(" , .", " .")
    text = _VOWEL.sub("an ", text[:1].lower() + text[1:])
    return text[:1].upper() + text[1:]


def _inside(place: str) -> str:
    if place == NONE:
        return ""
    if place == "bilateral":
        return "in both lungs"
    return f"in the {place} lung" if place in ("right", "left") else f"in the {place}"


def _on_side(place: str) -> str:
    if place == "bilateral":
        return "on both sides"
    return f"on the {place}" if place in ("right", "left") else ""
