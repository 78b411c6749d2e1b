"""Running jobs again, canceling them, waiting between attempts."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacs_agent.config import DeliverSettings
from pacs_agent.db import (
    Database,
    Delivery,
    DeliveryState,
    Job,
    JobState,
    JobStep,
    Patient,
    ResultObject,
    StepState,
    Study,
)
from pacs_agent.pipeline import JobStateError, cancel, rerun
from pacs_agent.pipeline.delivery import backoff_s
from pacs_agent.pipeline.errors import JobFailed, JobStopped
from pacs_agent.pipeline.progress import MAX_STARTS, STEP_ENDS, StepProgress, reading_step
from pacs_agent.pipeline.workflow import study_workflow_id


def _job(database: Database, state: JobState) -> str:
    with database.writing() as session:
        study = Study(study_instance_uid="1.2.3", patient=Patient(patient_id="P1"))
        job = Job(id="job", study=study, rule="r", pipeline="p", input_digest="0" * 64, state=state, progress=0.7)
        job.steps = [JobStep(name="compose", state=StepState.DONE), JobStep(name="deliver:a", state=StepState.FAILED)]
        session.add(job)
    return "job"


@pytest.mark.parametrize("state", [JobState.FAILED, JobState.CANCELED])
def test_a_rerun_keeps_what_is_done(database: Database, state: JobState) -> None:
    rerun(database, _job(database, state), actor="someone")
    with database.reading() as session:
        job = session.get_one(Job, "job")
        assert (job.state, job.run, job.error, job.progress) == (JobState.QUEUED, 2, "", 0.0)
        assert [step.name for step in job.steps] == ["compose"]


def test_a_rerun_leaves_alone_what_a_destination_that_is_through_does_without(database: Database) -> None:
    """Nothing is sent to it again, so that a delivery made pending would wait forever, and its study never go."""
    with database.writing() as session:
        study = Study(study_instance_uid="1.2.3", patient=Patient(patient_id="P1"))
        job = Job(id="job", study=study, rule="r", pipeline="p", input_digest="0" * 64, state=JobState.FAILED)
        job.destinations = ["a", "b"]
        job.steps = [
            JobStep(name="deliver:a", state=StepState.DONE),
            JobStep(name="confirm:a", state=StepState.DONE),
            JobStep(name="deliver:b", state=StepState.FAILED),
        ]
        outlines = ResultObject(
            kind="segmentation", sop_instance_uid="1.9", sop_class_uid="1", series_instance_uid="1", digest=""
        )
        outlines.deliveries = [Delivery(destination=name, state=DeliveryState.LEFT_OUT) for name in ("a", "b")]
        job.results = [outlines]
        session.add(job)
    rerun(database, "job", actor="someone")
    with database.reading() as session:
        states = {one.destination: one.state for one in session.get_one(Job, "job").results[0].deliveries}
    assert states == {"a": DeliveryState.LEFT_OUT, "b": DeliveryState.PENDING}


@pytest.mark.parametrize("state", [JobState.DONE, JobState.NO_RESULT, JobState.RUNNING, JobState.QUEUED])
def test_only_what_ended_badly_is_run_again(database: Database, state: JobState) -> None:
    with pytest.raises(JobStateError, match=f"is {state}"):
        rerun(database, _job(database, state), actor="someone")


@pytest.mark.parametrize("state", [JobState.DONE, JobState.NO_RESULT, JobState.FAILED, JobState.CANCELED])
def test_what_ended_is_not_canceled(database: Database, state: JobState) -> None:
    with pytest.raises(JobStateError):
        cancel(database, _job(database, state), actor="someone")


def test_a_canceled_job_says_by_whom(database: Database) -> None:
    cancel(database, _job(database, JobState.QUEUED), actor="someone")
    with database.reading() as session:
        assert session.get_one(Job, "job").error == "canceled by someone"


@pytest.mark.parametrize("act", [rerun, cancel])
def test_an_unknown_job_is_named(database: Database, act: object) -> None:
    with pytest.raises(JobStateError, match="nobody"):
        act(database, "nobody", actor="someone")  # type: ignore[operator]


@given(st.integers(1, 10_000), st.floats(0.01, 100), st.floats(0.01, 1e5))
def test_the_wait_doubles_up_to_its_limit(attempt: int, first_s: float, longest_s: float) -> None:
    settings = DeliverSettings(backoff_s=first_s, backoff_max_s=longest_s)
    wait_s = backoff_s(settings, attempt)
    assert 0 < wait_s <= longest_s
    assert backoff_s(settings, attempt + 1) in (pytest.approx(2 * wait_s), longest_s)


def test_each_run_is_a_workflow_of_its_own() -> None:
    assert (study_workflow_id("job", 1), study_workflow_id("job", 3)) == ("job", "job.3")


def test_a_step_that_keeps_killing_its_worker_is_given_up(database: Database) -> None:
    job_id = _job(database, JobState.RUNNING)

    def begin_and_die() -> None:
        with suppress(SystemExit), reading_step(database, job_id, 1, "encode_missing"):
            raise SystemExit

    for _ in range(MAX_STARTS):
        begin_and_die()
    with pytest.raises(JobFailed, match="encode_missing"):
        begin_and_die()


@pytest.mark.parametrize(("state", "run"), [(JobState.CANCELED, 1), (JobState.RUNNING, 2), (JobState.FAILED, 1)])
def test_a_step_of_another_run_or_an_ended_job_does_nothing(database: Database, state: JobState, run: int) -> None:
    job_id = _job(database, state)
    with pytest.raises(JobStopped), reading_step(database, job_id, run, "read_study"):
        pytest.fail("the step must not begin")


def test_progress_moves_within_its_step_and_notices_a_cancellation(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = _job(database, JobState.RUNNING)
    monkeypatch.setattr("pacs_agent.pipeline.progress.REPORT_EVERY_S", 0)
    progress = StepProgress(database, job_id, 1, "encode_missing")
    progress(1, 2)
    with database.reading() as session:
        halfway = session.get_one(Job, job_id).progress
    assert STEP_ENDS["select_series"] < halfway < STEP_ENDS["encode_missing"]
    cancel(database, job_id, actor="someone")
    with pytest.raises(JobStopped):
        progress(2, 2)
