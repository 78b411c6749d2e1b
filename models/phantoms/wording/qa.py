"""Questions that are put to a study, and their answers: whether, where, how large, how many.

An answer is a function of the same place, grade and count as a sentence of the report.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from models.phantoms.findings import DESCRIBABLE, FINDINGS, Attributes, Finding, Grade
from models.phantoms.plan.case import Truth
from models.phantoms.wording.fill import fill_words, spoken
from pacs_agent.inference.attributes import NONE

ASKED = {"yes": "whether", "no": "whether", "unsure": "whether", "where": "where", "size": "size", "count": "count"}
"""What is asked, by the kind of the answer."""


@dataclass(frozen=True)
class Noun:
    """What a finding is called in a question: with its article, and bare as after "no"."""

    named: str
    bare: str
    sized: bool = False
    """It has a size; others have a severity."""


NOUNS: dict[Finding, Noun] = {
    Finding.MEDICAL_MATERIAL: Noun("medical material", "medical material"),
    Finding.LUNG_NODULE: Noun("a lung nodule", "lung nodule", sized=True),
    Finding.LUNG_OPACITY: Noun("a lung opacity", "lung opacity"),
    Finding.CONSOLIDATION: Noun("consolidation", "consolidation"),
    Finding.ATELECTASIS: Noun("atelectasis", "atelectasis"),
    Finding.FIBROTIC_SEQUELA: Noun("fibrotic change", "fibrotic change"),
    Finding.EMPHYSEMA: Noun("emphysema", "emphysema"),
    Finding.MOSAIC_ATTENUATION: Noun("a mosaic attenuation pattern", "mosaic attenuation pattern"),
    Finding.SEPTAL_THICKENING: Noun("interlobular septal thickening", "interlobular septal thickening"),
    Finding.BRONCHIECTASIS: Noun("bronchiectasis", "bronchiectasis"),
    Finding.PERIBRONCHIAL_THICKENING: Noun("peribronchial thickening", "peribronchial thickening"),
    Finding.PLEURAL_EFFUSION: Noun("a pleural effusion", "pleural effusion", sized=True),
    Finding.LYMPHADENOPATHY: Noun("lymphadenopathy", "lymphadenopathy"),
    Finding.CARDIOMEGALY: Noun("cardiomegaly", "cardiomegaly"),
    Finding.PERICARDIAL_EFFUSION: Noun("a pericardial effusion", "pericardial effusion", sized=True),
    Finding.CORONARY_CALCIFICATION: Noun("coronary artery calcification", "coronary artery calcification"),
    Finding.ARTERIAL_CALCIFICATION: Noun("arterial wall calcification", "arterial wall calcification"),
    Finding.HIATAL_HERNIA: Noun("a hiatal hernia", "hiatal hernia", sized=True),
}

UNKNOWN = "That is uncertain ."

QUESTIONS: dict[str, tuple[str, ...]] = {
    "whether": ("Is there {named} ?", "Does the study show {named} ?", "Can {named} be seen ?"),
    "where": ("Where is the {bare} ?", "In which part of the chest is the {bare} ?", "On which side is the {bare} ?"),
    "size": ("How {much} is the {bare} ?", "What is the {extent} of the {bare} ?"),
    "count": ("How many are there of the {bare} ?", "Is the {bare} single or multiple ?"),
}

ANSWERS: dict[str, tuple[str, ...]] = {
    "yes": ("Yes .", "Yes , there is {named} .", "Yes , {named} is seen ."),
    "no": ("No .", "No , there is no {bare} .", "No {bare} is seen ."),
    "unsure": (UNKNOWN, "It is uncertain whether there is {named} .", "{named} cannot be excluded ."),
    "where": ("{in_} {on_side} .", "It is seen {in_} {on_side} .", "It lies {in_} {on_side} ."),
    "size": ("{grade} .", "It is {grade} ."),
    "count": ("{how_many} .", "There {is_} {how_many} ."),
}


@dataclass(frozen=True)
class QuestionAnswer:
    """A question and its true answer, words separated by spaces. `kind` is that of the answer: a key of ANSWERS."""

    kind: str
    finding: Finding
    question: str
    answer: str
    attributes: Attributes


def questions(kind: str, finding: Finding) -> tuple[str, ...]:
    """The wordings of the question that an answer of this kind answers."""
    noun = NOUNS[finding]
    slots = {"much": "large" if noun.sized else "severe", "extent": "size" if noun.sized else "severity"}
    return tuple(text.format(named=noun.named, bare=noun.bare, **slots) for text in QUESTIONS[ASKED[kind]])


def answers(kind: str, finding: Finding, place: str, grade: Grade | None, count: str) -> tuple[str, ...]:
    """The wordings of an answer for a place of PLACES, a grade and a count of COUNTS; where one is missing, doubt."""
    if (kind, True) in (("where", place == NONE), ("size", grade is None), ("count", count == NONE)):
        return (UNKNOWN,)
    noun = NOUNS[finding]
    # What lies in the pleural space is on a side; what lies in the lung is in it.
    left_out = "{in_}" if finding == Finding.PLEURAL_EFFUSION else "{on_side}"
    texts = (text.replace(left_out, "") for text in ANSWERS[kind])
    named = (text.replace("{named}", noun.named).replace("{bare}", noun.bare) for text in texts)
    return tuple(fill_words(finding, text, place, grade, count) for text in named)


def kinds_of(finding: Finding) -> tuple[str, ...]:
    """The kinds of answers that a finding that is there can give beside "yes"."""
    can = DESCRIBABLE[finding]
    asked = (("where", can.sides or can.lobes), ("size", can.grade), ("count", can.count))
    return tuple(kind for kind, has in asked if has)


def ask(truths: Sequence[Truth], rng: np.random.Generator, number: int) -> tuple[QuestionAnswer, ...]:
    """Questions about a study, half of them about what is there where anything is, with true answers."""
    there = {truth.finding: truth.attributes for truth in truths}
    return tuple(_ask_one(there, rng) for _ in range(number))


def _ask_one(there: dict[Finding, Attributes], rng: np.random.Generator) -> QuestionAnswer:
    found = tuple(there)
    about = found if found and rng.random() < 0.5 else tuple(f for f in FINDINGS if f not in there) or found
    finding = about[int(rng.integers(len(about)))]
    if finding not in there:
        return _answered("no", finding, Attributes(), rng)
    kinds = ("yes", *kinds_of(finding))
    return _answered(kinds[int(rng.integers(len(kinds)))], finding, there[finding], rng)


def _answered(kind: str, finding: Finding, attributes: Attributes, rng: np.random.Generator) -> QuestionAnswer:
    said = spoken(attributes)
    asked = questions(kind, finding)
    given = answers(kind, finding, said.place, attributes.grade, said.count or NONE)
    question, answer = asked[int(rng.integers(len(asked)))], given[int(rng.integers(len(given)))]
    return QuestionAnswer(kind, finding, question, answer, attributes)
