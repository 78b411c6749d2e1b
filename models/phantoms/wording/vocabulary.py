"""Everything that can be said, and the words of it."""

from itertools import product

from models.phantoms.findings import DESCRIBABLE, FINDINGS, Finding, Grade
from models.phantoms.wording.fill import fill_words
from models.phantoms.wording.qa import ANSWERS, answers, questions
from models.phantoms.wording.templates import NORMAL_IMPRESSION, WORDINGS
from pacs_agent.inference.attributes import COUNTS, NONE, PLACES

Said = tuple[str, Grade | None, str]
"""A place of PLACES, a grade, a count of COUNTS."""


def all_said(finding: Finding) -> list[Said]:
    """Every place, grade and count that can be said of a finding."""
    can = DESCRIBABLE[finding]
    places = PLACES if can.lobes else PLACES[:4] if can.sides else (NONE,)
    return list(product(places, (None, *Grade) if can.grade else (None,), COUNTS if can.count else (NONE,)))


def all_sentences(finding: Finding) -> frozenset[str]:
    """Every sentence of a report, question and answer about a finding."""
    wording = WORDINGS[finding]
    templates = (*wording.present, *wording.absent, *wording.uncertain, *wording.impression)
    said = {fill_words(finding, template, *each) for each in all_said(finding) for template in templates}
    said |= {text for kind in ANSWERS for each in all_said(finding) for text in answers(kind, finding, *each)}
    return frozenset(said | {text for kind in ANSWERS for text in questions(kind, finding)})


def all_words() -> tuple[str, ...]:
    """Every word that reports, questions and answers can hold, in lower case and sorted: the decoder's vocabulary."""
    sentences = {sentence for finding in FINDINGS for sentence in all_sentences(finding)} | set(NORMAL_IMPRESSION)
    return tuple(sorted({word for sentence in sentences for word in sentence.lower().split()}))
