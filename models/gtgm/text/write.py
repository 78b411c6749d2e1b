"""From facts to a text: topics in the order of a report, one of the plans for each, one of the forms for each rule."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from models.gtgm.facts import Fact
from models.gtgm.text.ct import CT_TOPICS
from models.gtgm.text.em import EM_TOPICS
from models.gtgm.text.grammar import Plan, Topic, chosen, fill
from models.gtgm.text.mr import SEQUENCE_TOPICS, STUDY_TOPICS

_NUMBERED = re.compile(r"#\d+$")
_TOPICS_BY_FACT: tuple[tuple[str, tuple[Topic, ...]], ...] = (
    ("tissue_share", SEQUENCE_TOPICS),
    ("membrane_share", EM_TOPICS),
    ("plane", CT_TOPICS),
)
"""A fact that only some volumes have, and what is said of these; the first that is there decides."""


@dataclass(frozen=True)
class Sentence:
    """A sentence and the ids of the facts it states, in the order in which it mentions them."""

    text: str
    fact_ids: tuple[str, ...]


def write(facts: Sequence[Fact], seed: int, most: int | None = None) -> tuple[Sentence, ...]:
    """A text that states facts, the same for the same facts and seed; at most so many sentences.

    A plan states part of the facts of its topic, so that texts of other seeds differ in content as well as in words.
    With `most` a random part of the sentences is kept, in their order. Nothing but the facts enters the text.
    """
    rng = np.random.default_rng(seed)
    by_id = {fact.id: fact for fact in facts}
    sentences = [
        sentence for suffix in _volumes(facts) for sentence in _about(_topics_for(by_id, suffix), by_id, suffix, rng)
    ]
    sentences += _about(STUDY_TOPICS, by_id, "", rng)
    if most is None or len(sentences) <= most:
        return tuple(sentences)
    kept = sorted(rng.choice(len(sentences), size=most, replace=False).tolist())
    return tuple(sentences[index] for index in kept)


def _volumes(facts: Iterable[Fact]) -> list[str]:
    """The endings of fact ids that tell the volumes of a study apart, in order."""
    endings = {match[0] if (match := _NUMBERED.search(fact.id)) else "": None for fact in facts}
    return list(endings)


def _topics_for(by_id: dict[str, Fact], suffix: str) -> tuple[Topic, ...]:
    return next((topics for name, topics in _TOPICS_BY_FACT if name + suffix in by_id), ())


def _about(
    topics: Sequence[Topic], by_id: dict[str, Fact], suffix: str, rng: np.random.Generator
) -> Iterator[Sentence]:
    for topic in topics:
        plans = [(plan, facts) for plan in topic.plans if (facts := _met(plan, by_id, suffix)) is not None]
        if not plans:
            continue
        plan, stated = plans[int(rng.integers(len(plans)))]
        for rule, needed in zip(plan, stated, strict=True):
            filled = fill(chosen(rule.form, rng), needed, rng)
            yield Sentence(filled.text, tuple(fact.id for fact in filled.facts))


def _met(plan: Plan, by_id: dict[str, Fact], suffix: str) -> list[tuple[Fact, ...]] | None:
    stated = [rule.facts(by_id, suffix) for rule in plan]
    return None if any(facts is None for facts in stated) else [facts for facts in stated if facts is not None]
