"""What a report says after review: nothing that was rejected, everything that was said instead."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from review_cases import ACCEPTED, ADDED, REJECTED, reviewed
from study_readings import headers, reading

from pacs_agent.inference.reading import Presence, Sentence, StudyReading
from pacs_agent.inference.report import NOTHING_PRESENT
from pacs_agent.results import Action, Edited, FindingReview
from pacs_agent.results.final_text import (
    NOTHING_LEFT,
    edited_sections,
    findings_after_review,
    impression_after_review,
)

NODULE, EMPHYSEMA = "Lung nodule is present.", "Emphysema is present."


def said(*handled: FindingReview, read: StudyReading | None = None) -> tuple[list[str], list[str]]:
    review = reviewed(*handled, case=(read or reading(), headers()))
    return (
        [one.text for one in findings_after_review(review)],
        [one.text for one in impression_after_review(review)],
    )


def edited(presence: str, **statement: object) -> FindingReview:
    return FindingReview(finding="nodule", action=Action.EDITED, edited=Edited(presence=presence, **statement))


def test_what_was_accepted_stands_as_it_was_drafted() -> None:
    assert said(ACCEPTED) == (
        [NODULE, "Lung opacity is absent.", EMPHYSEMA],
        ["Lung nodule.", "Emphysema."],
    )


def test_what_was_rejected_is_left_out() -> None:
    assert said(ACCEPTED, REJECTED) == ([NODULE, "Lung opacity is absent."], ["Lung nodule."])


def test_what_was_edited_is_said_anew_with_its_comment() -> None:
    findings, impression = said(
        edited("present", lobes=("left upper lobe",), grade=2, count="one", comment="New since May.")
    )
    assert findings[0] == "Lung nodule: present, one, large, left upper lobe. New since May."
    assert impression[0] == "Lung nodule, one, large, left upper lobe."


def test_what_was_edited_to_uncertain_or_absent_is_said_so() -> None:
    assert said(edited("uncertain"), REJECTED)[1] == ["Possible: lung nodule."]
    assert said(edited("absent", comment="Vessel."), REJECTED) == (
        ["Lung nodule: not seen. Vessel.", "Lung opacity is absent."],
        [NOTHING_LEFT],
    )


def test_what_was_added_takes_the_place_of_the_sentence_that_ruled_it_out() -> None:
    findings, impression = said(ACCEPTED, ADDED)
    assert findings[1] == "Lung opacity: uncertain, left."
    assert impression == ["Lung nodule.", "Emphysema.", "Possible: lung opacity, left."]


def test_nothing_present_holds_until_something_is() -> None:
    read = reading("nothing")
    keys = tuple(finding.label.key for finding in read.findings)
    none = Sentence(text=NOTHING_PRESENT, findings=keys, positive=False, fixed=True)
    read = read.model_copy(update={"impression": (none,)})
    assert said(read=read)[1] == [NOTHING_PRESENT]
    assert said(ADDED, read=read)[1] == [NOTHING_PRESENT, "Possible: lung opacity, left."]
    present = ADDED.model_copy(update={"edited": Edited(presence=Presence.PRESENT)})
    assert said(present, read=read)[1] == ["Lung opacity."]


def test_a_list_of_possible_findings_loses_those_that_were_changed() -> None:
    read = reading("uncertain", findings_read=7)
    keys = tuple(finding.label.key for finding in read.findings if finding.presence is Presence.UNCERTAIN)
    listed = Sentence(
        text="Possible: lung nodule, atelectasis, cardiomegaly.", findings=keys, positive=True, fixed=True
    )
    read = read.model_copy(update={"impression": (listed,)})
    rejected = FindingReview(finding="atelectasis", action=Action.REJECTED, reason="artifact")
    assert said(ACCEPTED, read=read)[1] == [listed.text]
    assert said(ACCEPTED, rejected, read=read)[1] == ["Possible: lung nodule, cardiomegaly."]
    assert said(edited("present"), rejected, read=read)[1] == ["Possible: cardiomegaly.", "Lung nodule."]


@pytest.mark.parametrize(
    ("text", "findings", "impression"),
    [
        ("One.\nTwo.\n\nThree.", ["One.", "Two."], ["Three."]),
        ("One.\n\nTwo.\n\nThree.", ["One.", "Two."], ["Three."]),
        ("Befund:\nEins.\n\nZwei.\nBeurteilung: Drei.\n\nVier.", ["Eins.", "Zwei."], ["Drei.", "Vier."]),
        ("FINDINGS\nOne.\nIMPRESSION\nTwo.", ["One."], ["Two."]),
        ("One.", ["One."], []),
        ("Findings:", ["Findings:"], []),
        ("Findings suggest pneumonia.", ["Findings suggest pneumonia."], []),
    ],
)
def test_an_edited_report_is_parted_where_it_says_so(text: str, findings: list[str], impression: list[str]) -> None:
    assert edited_sections(text) == (findings, impression)


@given(st.text(min_size=1).filter(str.strip))
def test_no_word_of_an_edited_report_is_lost(text: str) -> None:
    findings, impression = edited_sections(text)
    kept = " ".join((*findings, *impression)).split()
    words = text.split()
    assert kept
    assert [word for word in words if word in kept or word.rstrip(":").lower() in _HEADINGS] == words


_HEADINGS = {"findings", "befund", "befunde", "impression", "impressions", "conclusion", "conclusions", "beurteilung"}
