"""Every sentence, question and answer says what its attributes say, in decent English."""

import re

import numpy as np
import pytest

from models.phantoms.findings import DESCRIBABLE, FINDINGS, Attributes, Count, Finding, Grade, Lobe, Side
from models.phantoms.plan import draw_case
from models.phantoms.report import write_report
from models.phantoms.wording import (
    GRADES,
    NORMAL_IMPRESSION,
    WORDINGS,
    all_said,
    all_sentences,
    all_words,
    answers,
    ask,
    fill,
    fill_words,
    spoken,
)
from models.phantoms.wording.qa import ANSWERS
from pacs_agent.inference.attributes import NONE, contradicts
from pacs_agent.inference.attributes import Attributes as SpokenAttributes

KINDS = ("present", "absent", "uncertain", "impression")
BAD_GRAMMAR = re.compile(
    r"  |\ba [aeio]|\ban [^aeiou]|\b(a|multiple|a few) (is|are)\b"
    r"|\b(a|an) (?!few)(\S+ ){0,2}(opacities|nodules|effusions|changes)\b"
    r"|\b(is|are) (is|are)\b|\b(in|on|of|the|a|an) [.,]|[{}]|, ,|\. \.|\d",
    re.IGNORECASE,
)


def attributes_of(place: str, grade: Grade | None, count: str) -> SpokenAttributes:
    """Attributes whose place is the one given."""
    of_place: dict[str, dict[str, tuple[str, ...]]] = {
        NONE: {},
        "right": {"sides": ("right",)},
        "left": {"sides": ("left",)},
        "bilateral": {"sides": ("right", "left")},
        "upper lobes": {"lobes": ("right upper lobe", "left upper lobe")},
        "lower lobes": {"lobes": ("right lower lobe", "left lower lobe")},
    }
    made = SpokenAttributes(
        **of_place.get(place, {"lobes": (place,)}), grade=grade, count=None if count == NONE else count
    )
    assert made.place == place
    return made


@pytest.mark.parametrize("finding", FINDINGS)
def test_no_sentence_says_a_side_or_lobe_that_it_has_not(finding):
    templates = [text for kind in KINDS for text in getattr(WORDINGS[finding], kind)]
    for place, grade, count in all_said(finding):
        own = attributes_of(place, grade, count)
        for template in templates:
            text = fill_words(finding, template, place, grade, count)
            assert not contradicts(text, own), text
        for kind in ANSWERS:
            for text in answers(kind, finding, place, grade, count):
                assert not contradicts(text, own), text


@pytest.mark.parametrize("finding", FINDINGS)
def test_sentences_are_grammatical(finding):
    for text in all_sentences(finding):
        assert not BAD_GRAMMAR.search(text), text
        assert text[0].isupper() and text.split()[-1] in (".", "?"), text
        assert text == " ".join(text.split()), text


@pytest.mark.parametrize("finding", FINDINGS)
def test_there_are_many_wordings(finding):
    wording = WORDINGS[finding]
    assert len(wording.present) >= 6
    assert len(wording.absent) >= 4
    assert len(wording.uncertain) >= 3
    assert len(wording.impression) >= 2
    for kind in KINDS:
        assert len(set(getattr(wording, kind))) == len(getattr(wording, kind))


@pytest.mark.parametrize("finding", FINDINGS)
def test_what_can_be_described_is_said_in_most_wordings(finding):
    can, present = DESCRIBABLE[finding], WORDINGS[finding].present
    assert (len(GRADES[finding]) == 3) == can.grade
    graded = sum("{grade}" in text or "{degree}" in text for text in present)
    placed = sum(any(slot in text for slot in ("{in_}", "{sided}", "{on_side}")) for text in present)
    assert graded == (len(present) if can.grade else 0)
    assert placed == (len(present) if can.sides else 0)
    assert all(("{q}" in text) == can.count for text in present)


def test_the_vocabulary_has_every_word_once_and_no_number():
    words = all_words()
    assert len(set(words)) == len(words) == len(sorted(words))
    assert not any(character.isdigit() for word in words for character in word)
    said = {word for finding in FINDINGS for text in all_sentences(finding) for word in text.lower().split()}
    assert said | {word for text in NORMAL_IMPRESSION for word in text.lower().split()} == set(words)


@pytest.mark.parametrize(
    ("finding", "template", "attributes", "text"),
    [
        (
            Finding.LUNG_NODULE,
            "There {is_} {q} {grade} nodule{s} {in_} .",
            Attributes(frozenset(Side), frozenset({Lobe.RIGHT_UPPER, Lobe.LEFT_UPPER}), Grade.SLIGHT, Count.FEW),
            "There are a few small nodules in the upper lobes .",
        ),
        (
            Finding.LUNG_OPACITY,
            "{grade} ground-glass opacity {in_} .",
            Attributes(frozenset(Side), frozenset(Lobe), Grade.MARKED),
            "Extensive ground-glass opacity in both lungs .",
        ),
        (
            Finding.PLEURAL_EFFUSION,
            "{both_a} {grade} {sided} pleural effusion{both_s} {both_is} seen .",
            Attributes(frozenset({Side.LEFT}), grade=Grade.MARKED),
            "A large left pleural effusion is seen .",
        ),
        (
            Finding.PLEURAL_EFFUSION,
            "There {both_is} {both_a} {grade} {sided} pleural effusion{both_s} .",
            Attributes(frozenset(Side), grade=Grade.SLIGHT),
            "There are small bilateral pleural effusions .",
        ),
        (Finding.CARDIOMEGALY, "The heart is {degree} enlarged .", Attributes(), "The heart is enlarged ."),
    ],
)
def test_slots_are_filled(finding, template, attributes, text):
    assert fill(finding, template, attributes) == text


@pytest.mark.parametrize("seed", range(10))
def test_a_report_is_in_order_and_each_sentence_is_licensed_by_its_own_attributes(seed):
    case = draw_case(seed)
    sentences = write_report(case.truths, np.random.default_rng(seed))
    assert [s.finding for s in sentences if s.kind in ("present", "absent")] == list(FINDINGS)
    assert {s.finding for s in sentences if s.kind == "present"} == case.findings
    assert {s.finding for s in sentences if s.kind == "impression"} == (case.findings or {None})
    truths = {truth.finding: truth.attributes for truth in case.truths}
    for sentence in sentences:
        assert sentence.attributes == (
            Attributes() if sentence.kind == "absent" else truths.get(sentence.finding, Attributes())
        )
        assert not contradicts(sentence.text, spoken(sentence.attributes)), sentence


def test_questions_have_true_answers():
    rng = np.random.default_rng(0)
    kinds = set()
    for seed in range(12):
        case = draw_case(seed)
        truths = {truth.finding: truth.attributes for truth in case.truths}
        for asked in ask(case.truths, rng, 20):
            kinds.add(asked.kind)
            assert (asked.kind == "no") == (asked.finding not in truths)
            assert asked.attributes == truths.get(asked.finding, Attributes())
            assert not contradicts(asked.answer, spoken(asked.attributes)), asked
            assert asked.question.endswith("?") and not BAD_GRAMMAR.search(asked.answer), asked
    assert kinds == {"yes", "no", "where", "size", "count"}
