"""What changed since the prior study, in the two reports: words, codes, and the slices of both studies."""

import pytest
from prior_cases import PRIOR, PRIOR_SERIES_UID, compared
from pydicom.dataset import Dataset
from review_cases import ACCEPTED, EDITED, REJECTED, UMLAUTS, documents_of_review, reviewed
from study_readings import FACTS, STUDY_UID, headers, reading

from pacs_agent.inference.reading import SincePrior, StudyReading
from pacs_agent.results import Action, FindingReview, compose_ai_result, compose_draft_report, write_bytes
from tests.judges.content_tree import Node, named, tree

DOCUMENTS = {"ai_result": compose_ai_result, "draft_report": compose_draft_report}
COMPARISON = {"ai_result": "111424", "draft_report": "18834-2"}


def composed(kind: str, read: StudyReading) -> Dataset:
    return DOCUMENTS[kind](read, headers(), FACTS)


def section(kind: str, read: StudyReading) -> list[Node]:
    return list(named(tree(composed(kind, read)), COMPARISON[kind]))


def texts(kind: str, read: StudyReading) -> list[str]:
    (found,) = section(kind, read)
    return [node.item.TextValue for node in found.children if node.value_type == "TEXT"]


@pytest.mark.parametrize("kind", DOCUMENTS)
def test_each_change_is_said_with_the_date_of_the_prior(kind: str) -> None:
    assert texts(kind, compared()) == [
        "Compared with the study of 2025-05-03, by what the same version of the model said of each of the two.",
        "Lung nodule on the right: new since 2025-05-03.",
        "Lung opacity: present on 2025-05-03, not found now.",
        "Emphysema: larger than on 2025-05-03 (large, then small).",
        "Atelectasis: less marked than on 2025-05-03 (mild, then severe).",
        "Consolidation: present on 2025-05-03 as well; nothing is known of its size to compare.",
        "Pleural effusion: without significant change since 2025-05-03 (moderate, then moderate).",
        "Cardiomegaly: cannot be compared with 2025-05-03: it is uncertain in one of the two studies.",
        "Coronary artery wall calcification: cannot be compared with 2025-05-03: "
        "its grades are too near to each other, or one is not known (moderate, then severe).",
    ]
    (found,) = section(kind, compared())
    assert [str(node.item.Date) for node in named(found, "111060")] == [PRIOR.study_date]
    assert [node.item.UID for node in named(found, "110180")] == [PRIOR.study_instance_uid]


def test_each_finding_has_its_change_coded_and_inferred_from_its_slices_then() -> None:
    groups = next(named(tree(composed("ai_result", compared())), "126010")).children
    changes = [list(named(group, "111049", deep=False)) for group in groups]
    values = [[node.item.ConceptCodeSequence[0].CodeValue for node in each] for each in changes]
    assert values == [
        ["NEW"],
        ["GONE"],
        ["15454001"],
        ["LESS_MARKED"],
        ["ALSO_PRESENT"],
        ["129723006"],
        ["NOT_COMPARABLE"],
        ["NOT_COMPARABLE"],
        [],
    ]
    assert [len(each[0].children) for each in changes if each] == [0, *[3] * 7]
    images = [node.item.ReferencedSOPSequence[0] for each in changes for one in each for node in one.children]
    assert all(image.ReferencedSOPInstanceUID.startswith(PRIOR_SERIES_UID) for image in images)


@pytest.mark.parametrize("kind", DOCUMENTS)
def test_slices_of_the_prior_are_other_evidence(kind: str) -> None:
    document = composed(kind, compared())
    (prior,) = document.PertinentOtherEvidenceSequence
    assert prior.StudyInstanceUID == PRIOR.study_instance_uid
    assert [one.SeriesInstanceUID for one in prior.ReferencedSeriesSequence] == [PRIOR_SERIES_UID]
    assert [one.StudyInstanceUID for one in document.CurrentRequestedProcedureEvidenceSequence] == [STUDY_UID]


@pytest.mark.parametrize("kind", DOCUMENTS)
def test_a_prior_that_is_not_compared_is_named_with_the_reason(kind: str) -> None:
    why = SincePrior(prior=PRIOR, not_compared="It was read by m 1.")
    said = texts(kind, reading().model_copy(update={"since_prior": why}))
    assert said == ["Not compared with the study of 2025-05-03. It was read by m 1."]


@pytest.mark.parametrize("kind", DOCUMENTS)
def test_nothing_of_a_doubtful_prior_is_said(kind: str) -> None:
    doubtful = reading().model_copy(update={"since_prior": SincePrior(not_compared="another birth date")})
    assert write_bytes(composed(kind, doubtful)) == write_bytes(composed(kind, reading()))


def test_nothing_in_either_is_said_too() -> None:
    nothing = SincePrior(prior=PRIOR, series_instance_uid=PRIOR_SERIES_UID)
    document = reading("nothing").model_copy(update={"since_prior": nothing})
    assert texts("draft_report", document)[1:] == ["No finding is present or uncertain in either of the two."]
    assert "PertinentOtherEvidenceSequence" not in composed("draft_report", document)


@pytest.mark.parametrize("kind", DOCUMENTS)
def test_the_job_that_read_the_prior_is_no_part_of_what_is_said(kind: str) -> None:
    said = compared()
    assert said.since_prior
    other = said.since_prior.model_copy(update={"prior": PRIOR.model_copy(update={"job_id": "another"})})
    assert write_bytes(composed(kind, said.model_copy(update={"since_prior": other}))) == write_bytes(
        composed(kind, said)
    )
    later = said.since_prior.model_copy(update={"prior": PRIOR.model_copy(update={"study_date": "20250504"})})
    changed = composed(kind, said.model_copy(update={"since_prior": later}))
    assert changed.SOPInstanceUID != composed(kind, said).SOPInstanceUID


@pytest.mark.parametrize("kind", DOCUMENTS)
def test_a_report_without_comparison_says_why_where_the_source_did_not_give_a_prior(kind: str) -> None:
    why = SincePrior(not_compared="pacs is away.", search_failed=True)
    said = reading().model_copy(update={"since_prior": why})
    assert texts(kind, said) == ["Not compared with an earlier study. pacs is away."]
    assert composed(kind, said).SOPInstanceUID != composed(kind, reading()).SOPInstanceUID
    assert "PertinentOtherEvidenceSequence" not in composed(kind, said)


def verified(*handled: FindingReview, of: StudyReading | None = None, text: str | None = None) -> Dataset:
    review = reviewed(*handled, case=(of or compared(), headers()), text=text)
    return documents_of_review(review)["verified_report"]


def said_of_prior(report: Dataset) -> list[str]:
    sections = named(tree(report), COMPARISON["draft_report"])
    return [node.item.TextValue for each in sections for node in each.children if node.value_type == "TEXT"]


def test_the_verified_report_keeps_what_changed_of_findings_that_stand() -> None:
    assert said_of_prior(verified(ACCEPTED)) == texts("draft_report", compared())
    report = verified(ACCEPTED, REJECTED, EDITED)
    kept = [one for one in texts("draft_report", compared()) if not one.startswith(("Emphysema", "Atelectasis"))]
    assert said_of_prior(report) == kept
    (prior,) = report.PertinentOtherEvidenceSequence
    assert prior.StudyInstanceUID == PRIOR.study_instance_uid


def test_a_report_in_the_reviewers_own_words_compares_in_them_alone() -> None:
    report = verified(ACCEPTED, text=UMLAUTS)
    assert said_of_prior(report) == []
    assert "PertinentOtherEvidenceSequence" not in report


def test_nothing_is_claimed_of_both_where_the_reviewer_changed_all_that_changed() -> None:
    since = compared().since_prior
    assert since
    of_nodule = since.model_copy(update={"findings": since.of_finding("nodule")})
    read = compared().model_copy(update={"since_prior": of_nodule})
    rejected = FindingReview(finding="nodule", action=Action.REJECTED, reason="known")
    assert said_of_prior(verified(rejected, of=read)) == []
    nothing = reading().model_copy(update={"since_prior": SincePrior(prior=PRIOR)})
    assert said_of_prior(verified(ACCEPTED, of=nothing))[1:] == [
        "No finding is present or uncertain in either of the two."
    ]
