"""Reviews are kept in versions, and nobody writes over anybody else's."""

from datetime import UTC, datetime
from threading import Barrier, Thread

import pytest
from sqlalchemy import select

from pacs_agent.db import AuditEvent, Database, HandledFinding, Job, JobState, Review
from pacs_agent.results import Reviewer
from pacs_agent.review import (
    NothingToReview,
    ReviewConflict,
    ReviewNow,
    ReviewRefused,
    ReviewRequest,
    current_review,
    rates,
    save_review,
)
from tests.unit.results.study_readings import reading
from tests.unit.review.read_studies import ACCEPT_NODULE, ADA, BOB, REJECT_EMPHYSEMA, ReadStudy

BEGINNING = datetime(2020, 1, 1, tzinfo=UTC)


def save(study: ReadStudy, asked: ReviewRequest, reviewer: Reviewer = ADA) -> ReviewNow:
    with study.database.writing() as session:
        return save_review(session, study.uid, asked, reviewer)


def current(study: ReadStudy) -> ReviewNow | None:
    with study.database.reading() as session:
        return current_review(session, study.job_id)


def test_a_review_is_kept_with_who_said_it_and_what_the_model_had_said(study: ReadStudy) -> None:
    saved = save(study, study.review(ACCEPT_NODULE, study.added(), text="Größer."))
    assert current(study) == saved
    assert (saved.version, saved.by, saved.verified, saved.state) == (1, "Dr. Ada Lovelace", False, "sending")
    assert saved.findings == (ACCEPT_NODULE, study.added())
    with study.database.reading() as session:
        review = session.scalars(select(Review)).one()
        rows = {row.finding: row for row in session.scalars(select(HandledFinding))}
        assert (review.login, review.name, review.person_name) == tuple(ADA.model_dump().values())
    assert (rows["nodule"].presence, rows["nodule"].probability) == ("present", 0.91)
    assert (rows["opacity"].presence, rows["opacity"].model_name) == ("absent", "msvlm-thorax-demo")


def test_the_documents_are_a_job_of_their_own_that_goes_where_the_reading_went(study: ReadStudy) -> None:
    save(study, study.review(ACCEPT_NODULE))
    save(study, study.review(ACCEPT_NODULE, base_version=1))
    with study.database.reading() as session:
        first, second = session.scalars(select(Job).where(Job.pipeline == "review").order_by(Job.created_at))
    assert (first.state, first.destinations, first.supersedes_id) == (JobState.QUEUED, ["pacs"], None)
    assert second.supersedes_id == first.id


def test_each_save_and_verification_is_audited_without_what_was_said(study: ReadStudy) -> None:
    save(study, study.review(ACCEPT_NODULE))
    save(study, study.review(ACCEPT_NODULE, REJECT_EMPHYSEMA, base_version=1, verify=True, text="Secret."))
    with study.database.reading() as session:
        lines = [line for line in session.scalars(select(AuditEvent)) if line.action.startswith("review.")]
    assert [(line.action, line.actor, line.subject) for line in lines] == [
        ("review.saved", "ada", study.uid),
        ("review.verified", "ada", study.uid),
    ]
    assert lines[1].detail["findings"] == {"accepted": 1, "rejected": 1}
    assert "Secret" not in str(lines[1].detail)


def test_whoever_is_second_is_told_of_the_first(study: ReadStudy) -> None:
    save(study, study.review(ACCEPT_NODULE), BOB)
    with pytest.raises(ReviewConflict, match=r"Dr\. Bob saved a review; reload") as conflict:
        save(study, study.review(REJECT_EMPHYSEMA))
    assert (conflict.value.by, conflict.value.version) == ("Dr. Bob", 1)
    assert conflict.value.at is not None
    save(study, study.review(REJECT_EMPHYSEMA, base_version=1))


def test_a_review_of_a_version_that_never_was_is_refused(study: ReadStudy) -> None:
    with pytest.raises(ReviewConflict, match="is not there; reload"):
        save(study, study.review(ACCEPT_NODULE, base_version=3))


def test_a_review_of_a_reading_that_was_overtaken_is_refused(study: ReadStudy) -> None:
    study.read()
    with pytest.raises(ReviewConflict, match="a newer result has come"):
        save(study, study.review(ACCEPT_NODULE))


def test_an_overtaken_review_stays_and_the_next_one_follows_it(study: ReadStudy) -> None:
    save(study, study.review(ACCEPT_NODULE))
    second = study.read()
    later = save(study, study.review(ACCEPT_NODULE, job_id=second))
    assert later.version == 1
    with study.database.reading() as session:
        first, next_one = session.scalars(select(Review).order_by(Review.id))
        assert session.get_one(Job, next_one.review_job_id).supersedes_id == first.review_job_id


def test_what_is_no_reading_of_the_study_cannot_be_reviewed(study: ReadStudy) -> None:
    save(study, study.review(ACCEPT_NODULE))
    with study.database.reading() as session:
        review_job = session.scalars(select(Job.id).where(Job.pipeline == "review")).one()
    other = ReadStudy(study.database, study.archive)
    for job_id in ("none", review_job, other.job_id):
        with pytest.raises(NothingToReview, match="reload the study"):
            save(study, study.review(ACCEPT_NODULE, job_id=job_id))


def test_a_refused_review_leaves_nothing(study: ReadStudy) -> None:
    with pytest.raises(ReviewRefused, match="not handled yet"):
        save(study, study.review(ACCEPT_NODULE, verify=True))
    assert current(study) is None
    with study.database.reading() as session:
        assert session.scalars(select(Job).where(Job.pipeline == "review")).all() == []


def test_of_many_who_save_at_once_one_is_first(study: ReadStudy) -> None:
    together, outcomes = Barrier(4), list[str]()

    def one() -> None:
        together.wait()
        try:
            outcomes.append(f"version {save(study, study.review(ACCEPT_NODULE)).version}")
        except ReviewConflict:
            outcomes.append("conflict")

    threads = [Thread(target=one) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["conflict", "conflict", "conflict", "version 1"]


def test_rates_count_the_newest_version_of_each_review(study: ReadStudy) -> None:
    other = ReadStudy(study.database, study.archive)
    save(study, study.review(ACCEPT_NODULE, REJECT_EMPHYSEMA))
    save(study, study.review(ACCEPT_NODULE, ACCEPT_NODULE.model_copy(update={"finding": "emphysema"}), base_version=1))
    save(other, other.review(ACCEPT_NODULE, REJECT_EMPHYSEMA))
    with study.database.reading() as session:
        found = {(one.finding, one.action): one for one in rates(session, BEGINNING)}
        assert rates(session, datetime(2999, 1, 1, tzinfo=UTC)) == []
    assert {key: one.count for key, one in found.items()} == {
        ("nodule", "accepted"): 2,
        ("emphysema", "accepted"): 1,
        ("emphysema", "rejected"): 1,
    }
    nodule = found["nodule", "accepted"]
    assert (nodule.model_name, nodule.model_version, nodule.presence) == ("msvlm-thorax-demo", "0.1.0", "present")
    assert nodule.mean_probability == pytest.approx(0.91)


def test_rates_tell_versions_of_a_model_apart(study: ReadStudy) -> None:
    second = study.read(lambda **of: reading(version="0.2.0", **of))
    save(study, study.review(ACCEPT_NODULE, job_id=second))
    with study.database.reading() as session:
        assert [one.model_version for one in rates(session, BEGINNING)] == ["0.2.0"]


def test_nobody_has_reviewed_yet(database: Database) -> None:
    with database.reading() as session:
        assert current_review(session, "none") is None
