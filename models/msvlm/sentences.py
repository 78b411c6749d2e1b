"""What the decoder learns to say: prompts of four words with the sentences that they license.

Some come from the studies' own reports; the others are made from the wordings, so that every prompt that the reader's
heads can ask for is met in training, however rare its finding. Answers to questions are sentences like those of the
report, from a prompt whose tag says what is asked.
"""

from collections.abc import Iterator, Sequence
from itertools import product
from typing import NamedTuple, TypeVar

import numpy as np

from models.msvlm.tokenizer import ANSWER_KINDS, NORMAL_TAG, answer_tag, tag
from models.phantoms.findings import FINDINGS, Finding, Grade
from models.phantoms.report import TrueSentence
from models.phantoms.wording import NORMAL_IMPRESSION, WORDINGS, all_said, answers, fill_words, spoken
from pacs_agent.inference.attributes import NONE, prompt

KINDS = {"present": 0.45, "impression": 0.25, "absent": 0.15, "uncertain": 0.15}
"""How often report sentences of each kind are made: those that say attributes are the harder ones."""
SAYS_ATTRIBUTES = ("present", "impression")
Said = tuple[str, Grade | None, str]
"""Place, grade and count of a prompt; "none" or None where it says nothing."""
NOTHING: Said = (NONE, None, NONE)
_T = TypeVar("_T")


class Licensed(NamedTuple):
    """A prompt and a sentence of words separated by spaces that it licenses."""

    prompt: tuple[str, ...]
    text: str


def prompt_of(first: str, said: Said) -> tuple[str, str, str, str]:
    """The four words of a prompt."""
    place, grade, count = said
    return first, f"<place:{place}>", f"<grade:{NONE if grade is None else int(grade)}>", f"<count:{count}>"


def wordings(kind: str, finding: Finding, said: Said) -> tuple[str, ...]:
    """Every sentence of a report that a prompt licenses."""
    templates: Sequence[str] = getattr(WORDINGS[finding], kind)
    own = said if kind in SAYS_ATTRIBUTES else NOTHING
    return tuple(fill_words(finding, template, *own) for template in templates)


def true_sentence(sentence: TrueSentence) -> Licensed:
    """A sentence of a report with the prompt that its attributes give."""
    first = tag(sentence.kind, sentence.finding) if sentence.finding else NORMAL_TAG
    return Licensed(prompt(first, spoken(sentence.attributes)), sentence.text)


def made_sentence(rng: np.random.Generator) -> Licensed:
    """A sentence of a random kind on a random finding, with random attributes, in one of its wordings."""
    if rng.random() < 1.0 / (4 * len(FINDINGS)):
        return Licensed(prompt_of(NORMAL_TAG, NOTHING), _one(rng, NORMAL_IMPRESSION))
    kind, finding = str(rng.choice(list(KINDS), p=list(KINDS.values()))), _one(rng, FINDINGS)
    said = _one(rng, all_said(finding))
    return Licensed(prompt_of(tag(kind, finding), said), _one(rng, wordings(kind, finding, said)))


def made_answer(rng: np.random.Generator) -> Licensed:
    """An answer of a random kind on a random finding, with random attributes."""
    kind, finding = _one(rng, ANSWER_KINDS), _one(rng, FINDINGS)
    said = _one(rng, all_said(finding))
    return Licensed(prompt_of(answer_tag(kind, finding), said), _one(rng, answers(kind, finding, *said)))


def every_prompt() -> Iterator[tuple[tuple[str, ...], tuple[str, ...]]]:
    """Every prompt that can be given, with all sentences that it licenses."""
    yield prompt_of(NORMAL_TAG, NOTHING), NORMAL_IMPRESSION
    for finding in FINDINGS:
        for said, kind in product(all_said(finding), KINDS):
            yield prompt_of(tag(kind, finding), said), wordings(kind, finding, said)
        for said, kind in product(all_said(finding), ANSWER_KINDS):
            yield prompt_of(answer_tag(kind, finding), said), answers(kind, finding, *said)


def _one(rng: np.random.Generator, among: Sequence[_T]) -> _T:
    return among[int(rng.integers(len(among)))]
