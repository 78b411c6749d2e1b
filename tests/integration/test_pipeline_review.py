"""A saved review is written, delivered and confirmed by the worker, whatever happens to it."""

from pathlib import Path

import pytest

from pacs_agent import pipeline
from pacs_agent.db import Job, JobState
from pacs_agent.results import Reviewer
from pacs_agent.review import ReviewNow, current_review, save_review
from tests.integration.pacs import CountingPacs
from tests.integration.studies_at_work import AgentFolder, until
from tests.integration.worker_process import StandinWorker
from tests.unit.review.read_studies import ACCEPT_NODULE, ADA, REJECT_EMPHYSEMA, ReadStudy

SIGKILL_CODE = -9
PATIENCE_S = 120
PLACES = ("begun", "archived", "handed_over", "deliver", "confirm")


def save(study: ReadStudy, *, reviewer: Reviewer = ADA, **changed: object) -> ReviewNow:
    asked = study.review(ACCEPT_NODULE, REJECT_EMPHYSEMA, **changed)
    with study.database.writing() as session:
        return save_review(session, study.uid, asked, reviewer)


def wait_for_review(study: ReadStudy, state: str, version: int = 1) -> ReviewNow:
    def there() -> ReviewNow | None:
        with study.database.reading() as session:
            found = current_review(session, study.job_id)
        return found if found and found.version == version and found.state == state else None

    def otherwise() -> object:
        with study.database.reading() as session:
            return current_review(session, study.job_id)

    return until(there, PATIENCE_S, otherwise)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_review_survives_a_kill_in_each_step_and_tells_nothing_twice(tmp_path: Path) -> None:
    agent, log = AgentFolder(tmp_path), tmp_path / "worker.log"
    with CountingPacs() as pacs:
        agent.destination("pacs", "dimse", {**pacs.settings, "query": True})
        study = ReadStudy(agent.database, agent.archive, "pacs")
        save(study, verify=True)
        for place in PLACES:
            with StandinWorker(agent.config, log, kill_at=place, kill_flag=tmp_path / place) as worker:
                assert worker.process.wait(PATIENCE_S) == SIGKILL_CODE, f"{place}: {log.read_text()}"
        with StandinWorker(agent.config, log):
            sent = wait_for_review(study, "sent")
    assert [one.kind for one in sent.objects] == ["assessment", "verified_report"]
    assert set(pacs.stored) == {one.sop_instance_uid for one in sent.objects}
    assert sum(pacs.received.values()) == 3, "only the object whose answer was lost is sent again"
    assert {one.state for document in sent.objects for one in document.deliveries} == {"confirmed"}
    assert pacs.stored[sent.objects[1].sop_instance_uid].VerificationFlag == "VERIFIED"


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_later_version_takes_the_place_of_the_earlier_documents(tmp_path: Path) -> None:
    """Also where the version between the two was not verified, and where more images came meanwhile."""
    agent = AgentFolder(tmp_path)
    study = ReadStudy(agent.database, agent.archive)
    with StandinWorker(agent.config, tmp_path / "worker.log"):
        save(study, verify=True)
        first = wait_for_review(study, "sent")
        save(study, base_version=1, text="Kein Rundherd.")
        save(study, base_version=2, verify=True, text="Doch ein Rundherd.")
        third = wait_for_review(study, "sent", version=3)
    jobs = agent.jobs()
    replaced = {
        one.kind: agent.archive.read(_digest(agent, one.sop_instance_uid)).PredecessorDocumentsSequence
        for one in third.objects
    }
    assert _instances(replaced["verified_report"]) == [first.objects[1].sop_instance_uid]
    assert _instances(replaced["assessment"]) == [_assessment_of(agent, jobs[2])]
    assert [job.pipeline for job in jobs] == ["msvlm", "review", "review", "review"]


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_review_that_could_not_be_sent_is_run_again(tmp_path: Path) -> None:
    agent = AgentFolder(tmp_path)
    study = ReadStudy(agent.database, agent.archive, "pacs")
    with StandinWorker(agent.config, tmp_path / "worker.log"), CountingPacs() as pacs:
        saved = save(study)
        failed = wait_for_review(study, "failed")
        assert "there is no destination pacs" in failed.error
        agent.destination("pacs", "dimse", pacs.settings)
        with study.database.reading() as session:
            (job,) = session.query(Job).filter_by(state=JobState.FAILED)
        pipeline.rerun(agent.database, job.id, actor="test")
        sent = wait_for_review(study, "sent")
    assert saved.objects == ()
    assert [one.sop_instance_uid for one in sent.objects] == [one.sop_instance_uid for one in failed.objects]
    assert set(pacs.stored) == {one.sop_instance_uid for one in sent.objects}


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_review_does_not_wait_for_a_long_reading(tmp_path: Path) -> None:
    agent = AgentFolder(tmp_path)
    agent.rule()
    with StandinWorker(agent.config, tmp_path / "worker.log", slow_s=PATIENCE_S):
        agent.receive("long", range(3))
        reading = agent.wait_for_job("running", timeout_s=PATIENCE_S)
        study = ReadStudy(agent.database, agent.archive)
        save(study)
        wait_for_review(study, "sent")
        assert next(job.state for job in agent.jobs() if job.id == reading.id) == "running"


def _digest(agent: AgentFolder, sop_instance_uid: str) -> str:
    from pacs_agent.db import ResultObject

    with agent.database.reading() as session:
        return session.query(ResultObject).filter_by(sop_instance_uid=sop_instance_uid).one().digest


def _assessment_of(agent: AgentFolder, job: Job) -> str:
    with agent.database.reading() as session:
        (result,) = session.get_one(Job, job.id).results
        return str(result.sop_instance_uid)


def _instances(replaced: object) -> list[str]:
    return [str(replaced[0].ReferencedSeriesSequence[0].ReferencedSOPSequence[0].ReferencedSOPInstanceUID)]  # type: ignore[index]
