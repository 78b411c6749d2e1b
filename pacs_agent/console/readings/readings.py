"""Readings as they lie in the database, parsed once: a panel that is open asks for the same one again and again."""

from collections import OrderedDict
from collections.abc import Sequence
from threading import Lock

from sqlalchemy.orm import Session
from werkzeug.exceptions import NotFound

from pacs_agent.console.readings.stored import JobKnown, StudyKnown, known_study, reading_jobs, stored_reading
from pacs_agent.inference import StudyReading

KEPT = 16
"""Parsed readings in memory; one of 300 slices takes about a megabyte."""


class Readings:
    """The readings asked for last. Safe to use from several threads."""

    def __init__(self, kept: int = KEPT) -> None:
        self._kept = kept
        self._found: OrderedDict[tuple[str, int], StudyReading] = OrderedDict()
        self._lock = Lock()

    def of(self, session: Session, job: JobKnown) -> StudyReading | None:
        """What the model said in a job; None where nothing was said."""
        key = (job.id, job.run)
        with self._lock:
            if key in self._found:
                self._found.move_to_end(key)
                return self._found[key]
        reading = stored_reading(session, job.id)
        if reading is not None:
            self._keep(key, reading)
        return reading

    def of_study(self, session: Session, study_instance_uid: str, job_id: str | None) -> StudyReading:
        """The newest reading of a study, or that of one of its jobs. Raises NotFound with what to do."""
        return self.job_of_study(session, study_instance_uid, job_id)[1]

    def job_of_study(
        self, session: Session, study_instance_uid: str, job_id: str | None
    ) -> tuple[JobKnown, StudyReading]:
        """The same with the job that read."""
        study = known_study(session, study_instance_uid)
        jobs = reading_jobs(session, study.pk) if study else []
        for job in jobs:
            if job.told and job_id in (job.id, None) and (reading := self.of(session, job)):
                return job, reading
        raise NotFound(_no_reading(study, jobs, job_id))

    def _keep(self, key: tuple[str, int], reading: StudyReading) -> None:
        with self._lock:
            self._found[key] = reading
            while len(self._found) > self._kept:
                self._found.popitem(last=False)


def _no_reading(study: StudyKnown | None, jobs: Sequence[JobKnown], job_id: str | None) -> str:
    if study is None:
        return "the agent knows no such study; it must receive its images first"
    if job_id is not None and job_id not in {job.id for job in jobs}:
        return "this study has no such reading job; `history` of its result lists them"
    return "there is no reading yet; `state` and `reason` of the study's result say why"
