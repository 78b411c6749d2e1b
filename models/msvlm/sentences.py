"""What the decoder learns to say: prompts of four words with the sentences that they license.

Some come from the studies' own reports; the others are made from the wordings, so that every prompt that the reader's
heads can ask for is met in training, however rare its finding.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import NamedTuple, TypeVar

import numpy as np

from models.msvlm.tokenizer import NORMAL_TAG, tag
from models.phantoms.findings import DESCRIBABLE, FINDINGS, Finding, Grade
from models.phantoms.report import TrueSentence
from models.phantoms.wording import NORMAL_IMPRESSION, WORDINGS, fill_words, spoken
from pacs_agent.inference.attributes import COUNTS, NONE, PLACES, prompt

KINDS = {"present": 0.45, "impression": 0.25, "absent": 0.15, "uncertain": 0.15}
"""How often sentences of each kind are made: those that say attributes are the harder ones."""
SAYS_ATTRIBUTES = ("present", "impression")
SIDES = PLACES[:4]
_T = TypeVar("_T")


class Licensed(NamedTuple):
    """A prompt and a sentence of words separated by spaces that it licenses."""

    prompt: tuple[str, ...]
    text: str


@dataclass(frozen=True)
class Said:
    """What a prompt says of a finding beside its tag; "none" or None where it says nothing."""

    place: str
    grade: Grade | None
    count: str

    def prompt(self, first: str) -> tuple[str, ...]:
        """The prompt of these attributes."""
        grade = NONE if self.grade is None else str(int(self.grade))
        return first, f"<place:{self.place}>", f"<grade:{grade}>", f"<count:{self.count}>"


NOTHING_SAID = Said(NONE, None, NONE)


def all_said(finding: Finding) -> list[Said]:
    """Everything that a prompt can say of a finding."""
    can = DESCRIBABLE[finding]
    places = PLACES if can.lobes else SIDES if can.sides else (NONE,)
    grades = (None, *Grade) if can.grade else (None,)
    return [Said(*each) for each in product(places, grades, COUNTS if can.count else (NONE,))]


def wordings(kind: str, finding: Finding, said: Said) -> list[str]:
    """Every sentence that a prompt licenses."""
    templates: Sequence[str] = getattr(WORDINGS[finding], kind)
    own = said if kind in SAYS_ATTRIBUTES else NOTHING_SAID
    return [fill_words(finding, template, own.place, own.grade, own.count) for template in templates]


def true_sentence(sentence: TrueSentence) -> Licensed:
    """A sentence of a report with the prompt that its attributes give."""
    first = tag(sentence.kind, sentence.finding) if sentence.finding else NORMAL_TAG
    return Licensed(prompt(first, spoken(sentence.attributes)), sentence.text)


def made_sentence(rng: np.random.Generator) -> Licensed:
    """A sentence of a random kind on a random finding, with random attributes, in one of its wordings."""
    if rng.random() < 1.0 / (4 * len(FINDINGS)):
        return Licensed(NOTHING_SAID.prompt(NORMAL_TAG), _one(rng, NORMAL_IMPRESSION))
    kind, finding = str(rng.choice(list(KINDS), p=list(KINDS.values()))), _one(rng, FINDINGS)
    said = _one(rng, all_said(finding))
    return Licensed(said.prompt(tag(kind, finding)), _one(rng, wordings(kind, finding, said)))


def every_prompt() -> Iterator[tuple[tuple[str, ...], list[str]]]:
    """Every prompt that can be given, with all sentences that it licenses."""
    yield NOTHING_SAID.prompt(NORMAL_TAG), list(NORMAL_IMPRESSION)
    for finding, kind in product(FINDINGS, KINDS):
        for said in all_said(finding):
            yield said.prompt(tag(kind, finding)), wordings(kind, finding, said)


def _one(rng: np.random.Generator, among: Sequence[_T]) -> _T:
    return among[int(rng.integers(len(among)))]
