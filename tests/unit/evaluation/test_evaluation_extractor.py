import csv
from itertools import product
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.evaluation.extractor import Status, findings_of, labels_of, mentions
from models.msvlm.labels import LABELS
from models.phantoms.findings import FINDINGS, Finding, Grade
from models.phantoms.wording import WORDINGS, fill_words

CASES = Path(__file__).parent / "report_cases.csv"
ABSENT = [
    "No {} .",
    "There is no evidence of {}.",
    "{} was not observed.",
    "The lungs are free of {}.",
]
NAMES = [
    "lung nodule",
    "consolidation",
    "pleural effusion",
    "emphysema",
    "lymphadenopathy",
    "hiatal hernia",
    "atelectasis",
]


def cases() -> list[tuple[str, dict[Finding, Status]]]:
    with CASES.open(newline="") as file:
        rows = [*csv.DictReader(file, delimiter="|")]
    pairs = [[entry.split("=") for entry in row["labels"].split()] for row in rows]
    return [
        (row["text"].replace("\\n", "\n"), {Finding(key): Status(status) for key, status in pair})
        for row, pair in zip(rows, pairs, strict=True)
    ]


@pytest.mark.parametrize(("text", "expected"), cases())
def test_a_hand_written_sentence_is_read_as_a_radiologist_means_it(text, expected):
    assert labels_of(text) == expected


def test_there_are_cases_of_every_finding_present_and_absent():
    said = {(finding, status) for _, labels in cases() for finding, status in labels.items()}
    assert len(cases()) >= 150
    assert {finding for finding, status in said if status == Status.PRESENT} == set(FINDINGS)
    assert {finding for finding, status in said if status == Status.ABSENT} >= set(FINDINGS) - {
        Finding.FIBROTIC_SEQUELA,
        Finding.PERIBRONCHIAL_THICKENING,
    }


def test_a_mention_names_its_place_in_the_text():
    text = "No effusion. A nodule is seen."
    assert [text[m.start : m.end] for m in mentions(text)] == ["effusion", "nodule"]
    assert findings_of(text) == {Finding.LUNG_NODULE}


@settings(deadline=None)
@given(st.text())
def test_any_text_can_be_read(text):
    for mention in mentions(text):
        assert 0 <= mention.start < mention.end <= len(text)


VOCABULARY = (
    "no not nodule effusion , . but and heart is enlarged without with the or calcified aorta coronary prior resolved "
    "possible history of normal size there lymph nodes are ; : cannot be excluded unchanged"
)
words = st.sampled_from(VOCABULARY.split())


@settings(deadline=None)
@given(st.lists(words, max_size=25), st.sampled_from(ABSENT), st.sampled_from(NAMES))
def test_a_negated_sentence_never_adds_a_positive(text, negated, name):
    report = " ".join(text) + " . "
    assert findings_of(report + negated.format(name)) <= findings_of(report)


PLACES_SAID = ("none", "bilateral", "lower lobes", "right upper lobe")
EXPECTED = {
    "present": Status.PRESENT,
    "impression": Status.PRESENT,
    "absent": Status.ABSENT,
    "uncertain": Status.UNCERTAIN,
}


@pytest.mark.parametrize("finding", FINDINGS)
def test_every_wording_of_the_phantoms_is_understood(finding):
    for kind, status in EXPECTED.items():
        for template in getattr(WORDINGS[finding], kind):
            for place, grade, count in product(PLACES_SAID, (None, Grade.MARKED), ("none", "few")):
                text = fill_words(finding, template, place, grade, count)
                said = labels_of(text)
                assert said.pop(finding, None) == status, text
                assert Status.PRESENT not in said.values(), text


@pytest.mark.parametrize("finding", FINDINGS)
def test_the_agent_s_own_sentences_are_understood(finding):
    name = next(label.name for label in LABELS if label.key == finding)
    assert labels_of(f"{name}: not seen.") == {finding: Status.ABSENT}
    assert labels_of(f"{name}: present, a few, small, right upper lobe.") == {finding: Status.PRESENT}
    assert labels_of(f"{name}: uncertain, small, right.") == {finding: Status.UNCERTAIN}
    assert labels_of(f"Possible: {name.lower()}, {name.lower()}.") == {finding: Status.UNCERTAIN}
