"""Attempts at delivery and confirmation: what one attempt does to its step and its job."""

from collections.abc import Callable
from datetime import timedelta
from enum import StrEnum

from sqlalchemy.orm import Session

from pacs_agent.config import DeliverSettings
from pacs_agent.db import Database, Job, JobState, JobStep, StepState, utc_now
from pacs_agent.deliver import (
    DeliveryError,
    NeverConfirmed,
    NotCommitted,
    NotThere,
    Outbox,
    Uncommitted,
    Unconfirmed,
    Unreachable,
)
from pacs_agent.pipeline.progress import begin_step, describe, end_step, is_running
from pacs_agent.pipeline.steps import WITHOUT_READING, fail_job
from pacs_agent.results import ObjectKind


class Act(StrEnum):
    """What is attempted at a destination."""

    DELIVER = "deliver"
    CONFIRM = "confirm"


class Attempted(StrEnum):
    """How an attempt ended."""

    DONE = "done"
    AGAIN = "again"
    FAILED = "failed"
    STOPPED = "stopped"


def backoff_s(settings: DeliverSettings, attempt: int) -> float:
    """The wait after an attempt that failed, counted from 1: it doubles each time up to a limit."""
    return min(settings.backoff_s * 2.0 ** min(attempt - 1, 60), settings.backoff_max_s)


class Deliveries:
    """Single attempts. They hold no place while they wait for the next one: that is in the workflow's tables."""

    def __init__(self, database: Database, outbox: Outbox, settings: DeliverSettings, worker: str = "") -> None:
        self.database = database
        self.outbox = outbox
        self.settings = settings
        self.worker = worker
        self._acts: dict[Act, Callable[[str, str], str]] = {Act.DELIVER: self._deliver, Act.CONFIRM: self._confirm}

    def attempt(self, job_id: str, run: int, act: Act, destination: str, number: int) -> Attempted:
        """Delivers or confirms once. What it did is in the step's row and the rows of the deliveries."""
        name = f"{act}:{destination}"
        with self.database.writing() as session:
            if not is_running(session, job_id, run):
                return Attempted.STOPPED
            begin_step(session, job_id, name, self.worker)
        try:
            detail = self._acts[act](job_id, destination)
        except Unreachable as error:
            return self._unreachable(job_id, act, destination, number, error)
        except DeliveryError as error:
            return self._refused(job_id, act, destination, error)
        self._end(job_id, name, StepState.DONE, detail)
        return Attempted.DONE

    def break_off(self, job_id: str, act: Act, destination: str, reason: str) -> Attempted:
        """Ends a destination's part after an error that nobody expected."""
        self.outbox.give_up(job_id, destination)
        self._end(job_id, f"{act}:{destination}", StepState.FAILED, reason)
        return Attempted.FAILED

    def settle(self, job_id: str, run: int) -> None:
        """Ends the job when every destination is through with it; called after each of them."""
        with self.database.writing() as session:
            job = session.get(Job, job_id, with_for_update=True, options=[WITHOUT_READING])
            if job is None or job.run != run or job.state != JobState.DELIVERING:
                return
            steps = {step.name: step for step in job.steps}
            ends = [_end_of(steps, destination) for destination in job.destinations]
            if None not in ends:
                _end_job(session, job, [end for end in ends if end])

    def _deliver(self, job_id: str, destination: str) -> str:
        stored = f"{self.outbox.deliver(job_id, destination)} objects stored"
        return "; ".join([stored, *(f"1 left out: {why}" for why in self.outbox.left_out(job_id, destination))])

    def _confirm(self, job_id: str, destination: str) -> str:
        return self.outbox.confirm(job_id, destination)

    def _unreachable(self, job_id: str, act: Act, destination: str, number: int, error: Unreachable) -> Attempted:
        name = f"{act}:{destination}"
        if number < self.settings.attempts:
            at = utc_now() + timedelta(seconds=backoff_s(self.settings, number))
            self._end(job_id, name, StepState.WAITING, f"{describe(error)}; next attempt at {at:%Y-%m-%d %H:%M:%S} UTC")
            return Attempted.AGAIN
        if act is Act.DELIVER:
            self.outbox.give_up(job_id, destination)
        elif isinstance(error, Uncommitted):
            self.outbox.give_up(job_id, destination)
            self.outbox.lost(job_id, destination, describe(error))
        elif isinstance(error, NotThere):
            self.outbox.lost(job_id, destination)
        elif not isinstance(error, Unconfirmed):
            return self._unconfirmed(job_id, name, error)
        self._end(job_id, name, StepState.FAILED, f"given up after {number} attempts: {describe(error)}")
        return Attempted.FAILED

    def _refused(self, job_id: str, act: Act, destination: str, error: DeliveryError) -> Attempted:
        name = f"{act}:{destination}"
        if isinstance(error, NotCommitted):
            self.outbox.lost(job_id, destination, describe(error))
        elif act is Act.CONFIRM and not isinstance(error, NeverConfirmed):
            return self._unconfirmed(job_id, name, error)
        self._end(job_id, name, StepState.FAILED, describe(error))
        return Attempted.FAILED

    def _unconfirmed(self, job_id: str, name: str, error: DeliveryError) -> Attempted:
        """The destination took the objects and need not confirm it: that it cannot be asked is no failure."""
        self._end(job_id, name, StepState.DONE, f"could not be confirmed: {describe(error)}")
        return Attempted.DONE

    def _end(self, job_id: str, name: str, state: StepState, detail: str) -> None:
        with self.database.writing() as session:
            end_step(session, job_id, name, state, detail)


def _end_of(steps: dict[str, JobStep], destination: str) -> str | None:
    """Why a destination failed, empty when it did not, None while it is not through."""
    for act in Act:
        step = steps.get(f"{act}:{destination}")
        if step is not None and step.state == StepState.FAILED:
            return f"{step.name}: {step.detail}"
        if step is None or step.state != StepState.DONE:
            return None
    return ""


def _end_job(session: Session, job: Job, failures: list[str]) -> None:
    if failures:
        fail_job(session, job, "; ".join(failures))
        return
    told = job.reading is not None or any(result.kind != ObjectKind.NO_RESULT for result in job.results)
    job.state = JobState.DONE if told else JobState.NO_RESULT
    job.progress, job.finished_at = 1.0, utc_now()
