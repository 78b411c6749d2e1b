"""The prior study at the source, where none was read here: asked for, fetched, and read by the same model.

All of it within a time, and whatever goes wrong costs the study that is read nothing more: it is told without
comparison, and why. What was fetched is read for this alone; its reading is kept as a job of the pipeline `prior`.
Who waits for the source holds no place of the worker; who reads what came holds one.
"""

import threading
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session, defer

from pacs_agent.archive import Archive
from pacs_agent.assemble import input_digest
from pacs_agent.bring_in import ways_of
from pacs_agent.config import Settings
from pacs_agent.db import PRIOR_PIPELINE, Destination, Instance, Job, JobState, Origin, Series, utc_now
from pacs_agent.deliver import destination_of
from pacs_agent.inference import StudyReading
from pacs_agent.inference.reading import PriorStudy, SincePrior
from pacs_agent.pipeline.errors import PriorNotHad
from pacs_agent.pipeline.places import Places
from pacs_agent.pipeline.prior_search import STEP_S, Here, Search
from pacs_agent.pipeline.segmenting import measured_by
from pacs_agent.pipeline.stages import JobFacts, Progress

NOBODY_TO_ASK = "Nobody can be asked for an earlier study: neither its sender nor where results go is searchable."

Reads = Callable[[JobFacts, Progress], StudyReading | None]
"""Reads a study with the model of the job; None where the model reads no series of it."""


@dataclass(frozen=True)
class Wanted:
    """What is looked for: at which destination, of which modality, to be read by which model (name and version)."""

    source: str
    modality: str
    bundle: str
    segmenter: str = ""
    """Name and version of the one that measured the study and is to measure the earlier one; empty where none did."""


def source_to_ask(session: Session, job_id: str) -> str | None:
    """The destination that sent a job's study, else the first of those its results go to; empty where none is searched.

    None where the patient has no ID to ask for.
    """
    job = session.get(Job, job_id)
    if job is None or not job.study.patient.patient_id.strip():
        return None
    newest = select(Instance.source).join(Instance.series).where(Series.study_pk == job.study_pk)
    newest = newest.where(Instance.origin == Origin.RECEIVED).order_by(Instance.id.desc()).limit(1)
    sender = destination_of(session, session.scalar(newest) or "")
    rows = [sender, *(session.get(Destination, name) for name in job.destinations)]
    return next((row.name for row in rows if row is not None and row.enabled and ways_of(row.kind)), "")


def not_had(why: str) -> SincePrior:
    """What is said where an earlier study could not be looked for, or not be had."""
    return SincePrior(not_compared=why, search_failed=True)


class PriorAtSource:
    """Looks for priors. Safe for any number of threads."""

    def __init__(self, settings: Settings, archive: Archive, places: Places) -> None:
        self._settings = settings
        self._archive = archive
        self._database = archive.database
        self._places = places

    def find(
        self, job: JobFacts, wanted: Wanted, read: Reads, began: datetime, progress: Progress
    ) -> SincePrior | None:
        """The prior, read and still without changes, or why there is doubt about it; None where the source has none.

        Raises PriorNotHad where it could not be had before `results.prior_wait_s` after `began`, and what `progress`
        raises; what is under way then ends by itself.
        """
        time, over = _Time(wanted.source, began, self._settings.results.prior_wait_s, progress), threading.Event()
        search = Search(self._settings, self._archive, job, wanted.source, wanted.modality, over)
        try:
            for found in _in_time(search.found(), time):
                if isinstance(found, SincePrior):
                    return found
                if job_id := self._job_of(found, wanted, read, time):
                    return SincePrior(prior=_prior(found, job_id))
        finally:
            over.set()
        return None

    def _job_of(self, study: Here, wanted: Wanted, read: Reads, time: "_Time") -> str | None:
        """The job that holds a reading of a study, measured as well where that can be; None where nothing is read."""
        known = self._known(study, wanted)
        if known is not None and wanted.segmenter in ("", known.segmenter):
            return known.id
        try:
            reading, began = self._read(study, read, time)
        except PriorNotHad:
            if known is None:
                raise
            return known.id
        if known is not None and measured_by(reading) != wanted.segmenter:
            return known.id
        return self._keep(study, wanted, reading, began) if reading else None

    def _known(self, study: Here, wanted: Wanted) -> Job | None:
        """The job that holds a reading of these images by the same model, one that was measured before any other."""
        query = select(Job).where(Job.study_pk == study.study_pk, Job.pipeline == PRIOR_PIPELINE)
        query = query.where(Job.input_digest == input_digest(study.digests), Job.bundle == wanted.bundle)
        query = query.order_by((Job.segmenter == wanted.segmenter).desc(), Job.created_at.desc())
        with self._database.reading() as session:
            return session.scalar(query.options(defer(Job.reading)).limit(1))

    def _read(self, study: Here, read: Reads, time: "_Time") -> tuple[StudyReading | None, datetime]:
        """What the model says of a study, in a place of the worker, and since when it was read."""
        images = tuple(self._archive.path(digest) for digest in study.digests)
        asked = utc_now()
        with self._places.job(time.is_not_counted):
            began = utc_now()
            time.add(began - asked)
            facts = JobFacts("", study.study_instance_uid, input_digest(study.digests), began, images, ())
            return read(facts, time), began

    def _keep(self, study: Here, wanted: Wanted, reading: StudyReading, began: datetime) -> str:
        job = Job(
            id=str(uuid.uuid4()),
            study_pk=study.study_pk,
            rule=PRIOR_PIPELINE,
            pipeline=PRIOR_PIPELINE,
            destinations=[],
            input_digest=input_digest(study.digests),
            state=JobState.DONE,
            progress=1.0,
            bundle=wanted.bundle,
            segmenter=measured_by(reading),
            reading=reading.model_dump(mode="json"),
            created_at=began,
            started_at=began,
            finished_at=utc_now(),
        )
        with self._database.writing() as session:
            session.add(job)
        return job.id


class _Time:
    """How long a prior may still be waited for and read. As a Progress, it raises PriorNotHad when that is over."""

    def __init__(self, source: str, began: datetime, wait_s: float, progress: Progress) -> None:
        self._source = source
        self._wait_s = wait_s
        self._ends = began + timedelta(seconds=wait_s)
        self._progress = progress

    def __call__(self, done: int, total: int) -> None:
        """Raises PriorNotHad when the time is over, and what the progress of the step raises."""
        self._progress(0, 1)
        if self.left_s() <= 0:
            raise PriorNotHad(
                f"{self._source} was asked for an earlier study; {self._wait_s:g} s later none was here and read."
            )

    def left_s(self) -> float:
        """Until it is over, in seconds."""
        return (self._ends - utc_now()).total_seconds()

    def is_not_counted(self) -> None:
        """While a place is waited for: only the progress of the step is asked."""
        self._progress(0, 1)

    def add(self, more: timedelta) -> None:
        """Lets it be over so much later."""
        self._ends += more


def _prior(study: Here, job_id: str) -> PriorStudy:
    return PriorStudy(study_instance_uid=study.study_instance_uid, study_date=study.study_date, job_id=job_id)


def _in_time(found: Iterator[Here | SincePrior], time: _Time) -> Iterator[Here | SincePrior]:
    """What a search finds, each looked for in a thread that is left behind when the time is over."""
    while (each := _next_in_time(found, time)) is not None:
        yield each


def _next_in_time(found: Iterator[Here | SincePrior], time: _Time) -> Here | SincePrior | None:
    told: Future[Here | SincePrior | None] = Future()
    threading.Thread(target=_tell_next, args=(found, told), name="prior", daemon=True).start()
    while not wait([told], max(0.0, min(time.left_s(), STEP_S))).done:
        time(0, 1)
    return told.result()


def _tell_next(found: Iterator[Here | SincePrior], told: "Future[Here | SincePrior | None]") -> None:
    """A thread's outermost: whatever goes wrong is told to whoever waits."""
    try:
        told.set_result(next(found, None))
    except Exception as error:  # noqa: BLE001
        told.set_exception(error)
