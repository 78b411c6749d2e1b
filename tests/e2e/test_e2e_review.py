"""What a radiologist makes of it: findings handled, saved, verified, and found in the PACS; two reviewers at once."""

from pathlib import Path
from typing import Any

import pydicom
import pytest
from pydicom.uid import BasicTextSRStorage, Comprehensive3DSRStorage

from tests.e2e.browser import Browser
from tests.e2e.phantoms import PhantomStudy
from tests.e2e.site import ADA, GRACE, Site
from tests.e2e.studies import copy_of

SENTENCE = "Follow-up in three months is recommended."
COMMENT = "Small, along the right dome only."


@pytest.fixture
def study(a_site: Site, effusion: PhantomStudy, tmp_path: Path, request: pytest.FixtureRequest) -> str:
    """A study of its own that has been read and that nobody has reviewed."""
    if not a_site.agent.jobs_of(effusion.uid):
        a_site.read(effusion.files, effusion.uid)
    files, uid = copy_of(effusion.files, tmp_path / "study", request.node.nodeid)
    a_site.read(files, uid)
    return uid


def standing(said: dict[str, Any]) -> list[dict[str, str]]:
    """Key and best slice of the findings that have to be handled."""
    return [
        {"key": finding["key"], "slice": max(finding["evidence"], key=lambda one: one["weight"])["sop_instance_uid"]}
        for finding in said["result"]["findings"]
        if finding["presence"] != "absent"
    ]


def test_reviewed_and_verified_report_lies_in_the_pacs(
    browser: Browser, a_site: Site, study: str, tmp_path: Path
) -> None:
    said = a_site.result(study)
    rejected, edited, *accepted = standing(said)
    missed = next(finding["key"] for finding in said["result"]["findings"] if finding["presence"] == "absent")
    seen = browser.play(
        "review",
        a_site.address,
        account=ADA.given(),
        study=study,
        rejected=rejected | {"reason": "not_there"},
        edited=edited | {"comment": COMMENT},
        accepted=accepted,
        added={"key": missed, "comment": "Seen on the next slice too."},
        sentence=SENTENCE,
    )
    assert {row["action"] for row in seen["before"]} == {"none"}, "nothing is accepted by default"
    assert seen["barred"] == "true", "verified with findings that nobody handled"
    assert seen["out"] == [], "parts of the panel stick out of it"
    documents = a_site.documents(study, 4)
    a_site.judge(documents, tmp_path)
    check_report(verified_ones(documents))
    check_assessment(documents, said, seen["added"]["slice"])
    review = a_site.result(study)["review"]
    actions = {each["finding"]: each["action"] for each in review["findings"]}
    assert actions == {rejected["key"]: "rejected", edited["key"]: "edited", missed: "added"} | {
        each["key"]: "accepted" for each in accepted
    }
    assert (review["version"], review["by"], review["verified"]) == (1, ADA.name, True)


def verified_ones(documents: list[pydicom.Dataset]) -> list[pydicom.Dataset]:
    return [document for document in documents if document.VerificationFlag == "VERIFIED"]


def check_report(reports: list[pydicom.Dataset]) -> None:
    """One verified report, with its verifying observer and the text as it was left."""
    (report,) = reports
    (observer,) = report.VerifyingObserverSequence
    assert "Lovelace" in str(observer.VerifyingObserverName)
    text = report.to_json()
    assert SENTENCE in text


def check_assessment(documents: list[pydicom.Dataset], said: dict[str, Any], slice_added: str) -> None:
    """Beside the AI result an assessment that refers to it, and to the slice on which a finding was added."""
    results = {made["sop_instance_uid"] for made in said["result"]["objects"]}
    made = [document for document in documents if document.SOPInstanceUID not in results]
    assert len(made) == 2
    (assessment,) = (document for document in made if document.VerificationFlag == "UNVERIFIED")
    assert assessment.SOPClassUID == Comprehensive3DSRStorage
    assert {document.SOPClassUID for document in documents} >= {BasicTextSRStorage, Comprehensive3DSRStorage}
    text = assessment.to_json()
    ai_result = next(made["sop_instance_uid"] for made in said["result"]["objects"] if made["kind"] == "ai_result")
    assert ai_result in text
    assert slice_added in text


def test_second_reviewer_is_told_and_not_overwritten(browser: Browser, a_site: Site, study: str) -> None:
    finding = standing(a_site.result(study))[0]
    seen = browser.play(
        "second",
        a_site.address,
        accounts=[ADA.given(), GRACE.given()],
        names=[ADA.name, GRACE.name],
        study=study,
        finding=finding,
    )
    assert ADA.name in seen["conflict"]
    review = a_site.result(study)["review"]
    assert (review["version"], review["by"]) == (2, GRACE.name)
    assert [(each["finding"], each["action"]) for each in review["findings"]] == [(finding["key"], "rejected")]
