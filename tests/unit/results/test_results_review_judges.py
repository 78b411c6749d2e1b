"""Both documents of every sort of review are judged; and our own rules are shown to notice broken ones."""

from collections.abc import Callable
from pathlib import Path

import pytest
from pydicom.dataset import Dataset
from review_cases import ACCEPTED, REJECTED, REVIEWS, documents_of_review, reviewed

from pacs_agent.results import ObjectKind, write_bytes
from tests.judges import available_judges, errors, judge_all
from tests.judges.content_tree import named, tree
from tests.judges.rules import verdicts as our_verdicts

KINDS = (ObjectKind.ASSESSMENT, ObjectKind.VERIFIED_REPORT)


@pytest.mark.parametrize("case", REVIEWS)
def test_documents_of_a_review_keep_our_rules(case: str, tmp_path: Path) -> None:
    for kind, document in documents_of_review(*REVIEWS[case]()).items():
        path = tmp_path / f"{kind}.dcm"
        path.write_bytes(write_bytes(document))
        assert our_verdicts(path) == [], kind


@pytest.mark.peers
@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("kind", KINDS)
def test_documents_of_a_review_pass_all_judges(kind: ObjectKind, tmp_path: Path) -> None:
    assert len(available_judges()) >= 4
    for case, make in REVIEWS.items():
        (tmp_path / f"{case}.dcm").write_bytes(write_bytes(documents_of_review(*make())[kind]))
    found = judge_all(sorted(tmp_path.glob("*.dcm")))
    assert len(found) == len(REVIEWS)
    assert {path.stem: errors(verdicts) for path, verdicts in found.items() if errors(verdicts)} == {}


def _anonymous(document: Dataset) -> None:
    document.VerifyingObserverSequence[0].VerifyingObserverName = ""


def _unverified(document: Dataset) -> None:
    document.VerificationFlag = "UNVERIFIED"


def _without_reference(document: Dataset) -> None:
    (about,) = named(tree(document), "121065")
    del about.item.ContentSequence


def _silent_about_ai(document: Dataset) -> None:
    (about,) = named(tree(document), "121065")
    about.item.TextValue = "Reviewed and verified."


def _present_though_rejected(document: Dataset) -> None:
    (*_, presence) = named(tree(document), "121052")
    presence.item.ConceptCodeSequence[0].CodeValue = "52101004"


def _without_reason(document: Dataset) -> None:
    (reason,) = named(tree(document), "ASSESS_REASON")
    reason.item.ConceptNameCodeSequence[0].CodeValue = "ANOTHER"


BROKEN: dict[Callable[[Dataset], None], tuple[str, str]] = {
    _anonymous: ("verified_report", "VerifyingObserverName is missing"),
    _unverified: ("verified_report", "flags are UNVERIFIED, FINAL"),
    _without_reference: ("verified_report", "does not refer to AI result, draft report and assessment"),
    _silent_about_ai: ("verified_report", "does not name the AI model"),
    _present_though_rejected: ("assessment", "is rejected, yet present"),
    _without_reason: ("assessment", "is REJECTED with 0 reasons"),
}


@pytest.mark.parametrize("breaker", BROKEN, ids=lambda breaker: breaker.__name__)
def test_broken_documents_of_a_review_are_caught(breaker: Callable[[Dataset], None], tmp_path: Path) -> None:
    kind, complaint = BROKEN[breaker]
    document = documents_of_review(reviewed(ACCEPTED, REJECTED))[kind]
    breaker(document)
    path = tmp_path / "broken.dcm"
    path.write_bytes(write_bytes(document))
    assert complaint in " ".join(verdict.text for verdict in our_verdicts(path))
