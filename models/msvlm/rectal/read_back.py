"""What a text says of the items, read back by words that stand here alone: nothing that licensed a sentence is asked.

A clause names an item, and a word of negation in it turns it round. So words that no report has, as a decoder may make
them, are read as a person would read them, and a text that says two levels of an item is found to say two.
"""

import re
from collections.abc import Iterator

from models.phantoms.pelvis import Item

_CLAUSE = re.compile(r"[^.;]*(?:\.\d[^.;]*)*")
"""Up to a full stop that is no decimal point."""
_NOT = re.compile(r"\b(?:no|not|without|free|clear|absent|negative|intact|never|none)\b", re.IGNORECASE)
_TOPICS: dict[Item, re.Pattern[str]] = {
    Item.TUMOUR: re.compile(
        r"\brectal (?:tumour|mass)\b|\b(?:tumour|mass) of the rectum|\brectum shows\b|\bwithout a mass\b", re.IGNORECASE
    ),
    Item.PERITONEUM: re.compile(r"\bperitone(?:um|al)\b", re.IGNORECASE),
    Item.CRM: re.compile(
        r"\bmesorectal fascia\b|\bMRF\b|\bcircumferential (?:resection )?margin\b|\bfascia is\b", re.IGNORECASE
    ),
    Item.NODES: re.compile(r"\bnodes?\b", re.IGNORECASE),
    Item.EMVI: re.compile(r"\bEMVI\b|\bvascular invasion\b|\bextramural veins?\b|\bmesorectal veins?\b", re.IGNORECASE),
}
"""Items of two levels."""
_SPHINCTER = re.compile(r"\b(?:sphincter|intersphincteric)\b", re.IGNORECASE)
_DEPTHS = tuple(re.compile(rf"\b{word}\b", re.IGNORECASE) for word in ("internal", "intersphincteric", "external"))
_LOCATION = re.compile(r"\b(lower|middle|upper) (?:rectum|third)\b|\blocation:? (lower|middle|upper)\b", re.IGNORECASE)
_THIRDS = ("lower", "middle", "upper")
_CATEGORY = re.compile(r"\b(?:mr|c|p)?T([1-4])[a-d]?\b(?![ -](?:signal|weighted))")
_STAGES = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"confined to the submucosa|muscularis propria is preserved|no invasion of the muscularis",
        r"invades the muscularis|outer border of the muscularis|confined to the rectal wall",
        r"beyond the muscularis|extramural (?:spread|depth)|into the mesorectal fat",
        r"beyond the rectum|adjacent structures",
    )
)
_DISTANCE = re.compile(r"(\d+(?:\.\d+)?) mm\b")


def levels_in(text: str) -> dict[Item, set[int]]:
    """The levels that a text says of each item that it names; more than one where it contradicts itself."""
    found: dict[Item, set[int]] = {}
    for item, level in (each for clause in _CLAUSE.findall(text) for each in _in_clause(clause)):
        found.setdefault(item, set()).add(level)
    return found


def distances_in(text: str) -> list[float]:
    """Every length in mm."""
    return [float(number) for number in _DISTANCE.findall(text)]


def _in_clause(clause: str) -> Iterator[tuple[Item, int]]:
    denied = bool(_NOT.search(clause))
    for item, topic in _TOPICS.items():
        if topic.search(clause):
            yield item, int(not denied)
    if _SPHINCTER.search(clause):
        yield from ((Item.SPHINCTER, level) for level in _sphincter(clause, denied))
    for place in _LOCATION.finditer(clause):
        yield Item.LOCATION, _THIRDS.index((place[1] or place[2]).lower())
    for category in _CATEGORY.finditer(clause):
        yield Item.T_STAGE, int(category[1]) - 1
    for stage, words in enumerate(_STAGES):
        if words.search(clause):
            yield Item.T_STAGE, stage


def _sphincter(clause: str, denied: bool) -> Iterator[int]:
    """The deepest layer that is named; that it is involved is not enough to say how deep."""
    depths = [depth for depth, word in enumerate(_DEPTHS, start=1) if word.search(clause)]
    if denied:
        yield 0
    elif depths:
        yield max(depths)
