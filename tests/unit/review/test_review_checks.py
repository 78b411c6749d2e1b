"""What a review may not say, each refused in words that say what to do."""

from typing import Any

import pytest
from pydantic import ValidationError

from pacs_agent.results import Action, Edited, FindingReview
from pacs_agent.review import ReviewRefused, ReviewRequest
from pacs_agent.review.checks import ImageKnown, check_review
from tests.unit.results.study_readings import SERIES_UID, reading

READING = reading()
"""Nodule and emphysema are present, opacity is absent."""
IMAGES = {f"{SERIES_UID}.2": ImageKnown(1, 512, 400), "1.2.3": ImageKnown(9, None, None)}

ACCEPTED = {"finding": "nodule", "action": "accepted"}
REJECTED = {"finding": "emphysema", "action": "rejected", "reason": "known"}
SEEN = {"sop_instance_uid": f"{SERIES_UID}.2", "point_px": (0, 399.4)}
ADDED = {"finding": "opacity", "action": "added", "edited": {"presence": "present"}, "slice": SEEN}


def check(*findings: dict[str, Any], **changed: Any) -> None:
    facts = {"job_id": "j", "base_version": 0, "verify": False, "findings": findings, **changed}
    check_review(ReviewRequest.model_validate(facts), READING, IMAGES)


def edited(**statement: Any) -> dict[str, Any]:
    return {"finding": "nodule", "action": "edited", "edited": {"presence": "present", **statement}}


def added(**seen: Any) -> dict[str, Any]:
    return {**ADDED, "slice": {**SEEN, **seen}}


@pytest.mark.parametrize(
    "findings",
    [
        [ACCEPTED],
        [{"finding": "opacity", "action": "accepted"}],
        [REJECTED],
        [{**REJECTED, "reason": "words of my own"}],
        [edited(lobes=["left upper lobe"], sides=["left"], grade=2, count="many", comment="ß")],
        [edited(presence="absent")],
        [ADDED],
        [added(sop_instance_uid="1.2.3", frame_number=9, point_px=(9000, 1))],
        [added(point_px=None)],
    ],
)
def test_what_may_be_said(findings: list[dict[str, Any]]) -> None:
    check(*findings)


def test_a_text_alone_and_a_report_that_is_verified_as_drafted_may_be_saved() -> None:
    check(text="Nothing new.")
    check(ACCEPTED, REJECTED, verify=True)


REFUSED: list[tuple[list[dict[str, Any]], str]] = [
    ([], "nothing was reviewed; accept, reject or edit"),
    ([{**ACCEPTED, "finding": "gout"}], "does not know the finding 'gout'; it knows nodule, opacity, emphysema"),
    ([ACCEPTED, edited()], "Lung nodule was handled twice"),
    ([{**ACCEPTED, "edited": {"presence": "present"}}], "accepted and changed at once"),
    ([{**REJECTED, "reason": " "}], "Emphysema was rejected without a reason"),
    ([{**REJECTED, "slice": SEEN}], "rejected and changed at once"),
    ([{**REJECTED, "finding": "opacity"}], "add it on a slice if it is"),
    ([{"finding": "nodule", "action": "edited"}], "was edited, but nothing is said of it"),
    ([edited(lobes=["left middle lobe"])], "there is no left middle lobe; the lobes are right upper lobe"),
    ([edited(grade=3)], "there is no grade 3; its grades are 0 to 2, small, moderate, large"),
    ([edited(grade=-1)], "there is no grade -1"),
    ([{**ADDED, "edited": {"presence": "present", "grade": 0}}], "there is no grade 0; it has none"),
    ([edited(presence="absent", count="one")], "absent, yet has a place, grade or count"),
    ([{**ADDED, "finding": "nodule"}], "is in the result already; edit it"),
    ([{**ADDED, "edited": {"presence": "absent"}}], "added as absent"),
    ([{**ADDED, "slice": None}], "added without a slice"),
    ([added(sop_instance_uid="1.2.4")], "image 1.2.4 is not one of this study"),
    ([added(frame_number=2)], "has 1 frames, not 2"),
    ([added(sop_instance_uid="1.2.3")], "has 9 frames; say on which"),
    ([added(point_px=(512, 0))], "lies outside of the image"),
    ([added(point_px=(0, -1))], "lies outside of the image"),
]


@pytest.mark.parametrize(("findings", "words"), REFUSED, ids=[words for _, words in REFUSED])
def test_what_may_not_be_said(findings: list[dict[str, Any]], words: str) -> None:
    with pytest.raises(ReviewRefused, match=words.replace(".", r"\.")):
        check(*findings)


def test_verifying_needs_every_finding_that_is_not_absent() -> None:
    with pytest.raises(ReviewRefused, match="not handled yet: Emphysema; accept, reject or edit each"):
        check(ACCEPTED, verify=True)


def test_an_empty_text_is_refused() -> None:
    with pytest.raises(ReviewRefused, match="the text of the report is empty"):
        check(ACCEPTED, text=" \n")


@pytest.mark.parametrize(
    "wrong",
    [
        {"job_id": None},
        {"base_version": -1},
        {"verify": "perhaps"},
        {"text": "x" * 50_001},
        {"findings": [{**ACCEPTED, "action": "doubted"}]},
        {"findings": [{**ACCEPTED, "mood": "good"}]},
        {"findings": [edited(comment="x" * 1025)]},
        {"findings": [added(sop_instance_uid="../../etc/passwd")]},
        {"findings": [added(point_px=("nan", 1))]},
        {"findings": [ACCEPTED] * 201},
    ],
)
def test_what_is_no_review_at_all_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        ReviewRequest.model_validate({"job_id": "j", "base_version": 0, "verify": False, **wrong})


def test_on_the_wire_only_what_was_said_is_written() -> None:
    accepted = FindingReview(finding="nodule", action=Action.ACCEPTED)
    assert accepted.model_dump(mode="json") == {"finding": "nodule", "action": "accepted"}
    statement = Edited(presence="present")
    assert statement.model_dump(mode="json")["grade"] is None
    one = FindingReview.model_validate({**ADDED, "slice": {"sop_instance_uid": "1.2", "frame_number": None}})
    assert one.model_dump(mode="json")["slice"] == {"sop_instance_uid": "1.2", "frame_number": None}
    assert FindingReview.model_validate(one.model_dump(mode="json")) == one
