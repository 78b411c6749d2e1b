"""The steps of a job. Each does its work once or twice with the same outcome, and leaves its facts in the database."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import datetime
from functools import lru_cache
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session, defer

from pacs_agent.archive import Archive
from pacs_agent.assemble import image_digests, input_digest
from pacs_agent.db import REVIEW_PIPELINE, Database, Job, JobState, ResultObject, StepState, utc_now
from pacs_agent.inference.reading import SincePrior
from pacs_agent.ops import Outcome, audit
from pacs_agent.pipeline.errors import JobFailed, JobStopped, NothingToSay
from pacs_agent.pipeline.places import Places
from pacs_agent.pipeline.progress import StepProgress, end_step, reading_step
from pacs_agent.pipeline.queue import suspension
from pacs_agent.pipeline.review import ReviewDocuments
from pacs_agent.pipeline.segmenting import measured_by
from pacs_agent.pipeline.stages import Document, Documents, Earlier, JobFacts, Stages, kept
from pacs_agent.pipeline.told import follow_up, header_of, reading_of
from pacs_agent.results import ObjectKind, Predecessor
from pacs_agent.route import expected_of, pipeline_asked

STUDIES_AT_HAND = 4
"""Studies whose files' paths are remembered from one step to the next."""
MISSING_SERIES = "missing_series"
OVERTAKEN = "more images came before it was read; the study is read again when it is complete"


class Steps:
    """The steps of reading and of writing a review, for the workflow to call in order."""

    def __init__(
        self,
        database: Database,
        archive: Archive,
        stages: Mapping[str, Stages],
        organization: str,
        worker: str = "",
        jobs: Places | None = None,
    ) -> None:
        """`organization` is the one in whose name reports are verified, `worker` the executor id of this worker.

        `jobs` are the places of this worker; each job holds one while it reads.
        """
        self.database = database
        self.archive = archive
        self.stages = stages
        self.worker = worker
        self.jobs = jobs or Places(1)
        self.reviews = ReviewDocuments(database, archive, organization)
        self._paths = lru_cache(STUDIES_AT_HAND)(self._paths_of)

    def begin(self, job_id: str, run: int) -> bool:
        """Marks the job as running; false when it has its objects already and only delivery is left.

        Raises JobStopped when it was canceled or overtaken, JobFailed when nobody knows its pipeline. While the work
        is suspended the job goes back into the queue, as its next run.
        """
        with self.database.writing() as session:
            job = _job(session, job_id, run)
            is_put_back = job.state == JobState.QUEUED and suspension(session) is not None
            if is_put_back:
                job.run += 1
            elif job.state == JobState.QUEUED:
                job.state, job.started_at = JobState.RUNNING, job.started_at or utc_now()
            pipeline, has_objects = job.pipeline, bool(_results(session, job_id))
        if is_put_back:
            raise JobStopped(job_id)
        if pipeline_asked(pipeline).pipeline not in (*self.stages, REVIEW_PIPELINE):
            raise JobFailed(f"there is no pipeline {pipeline}; there are {', '.join(sorted(self.stages))}")
        return not has_objects

    def select_series(self, job_id: str, run: int) -> str:
        """Chooses the series to be read, and keeps the choice with its reasons.

        Raises NothingToSay where the job is there to say what has not come.
        """
        with self._step(job_id, run, "select_series"):
            facts = self._facts(job_id)
            if facts.expected is not None and facts.expected.is_reported:
                raise NothingToSay(MISSING_SERIES, f"expected, and has not come: {facts.expected.missing}")
            choice = self._stages(job_id).select_series(facts)
            with self.database.writing() as session:
                job = session.get_one(Job, job_id)
                job.bundle, job.series_choice = choice.bundle, choice.series_choice
            if choice.why is not None:
                raise choice.why
            return kept(choice)

    def encode_missing(self, job_id: str, run: int, earlier: Earlier) -> str:
        """Encodes the slices that are not encoded yet."""
        with self._step(job_id, run, "encode_missing"):
            progress = StepProgress(self.database, job_id, run, "encode_missing")
            return self._stages(job_id).encode_missing(self._facts(job_id), earlier, progress)

    def read_study(self, job_id: str, run: int, earlier: Earlier) -> str:
        """Asks the model."""
        with self._step(job_id, run, "read_study"):
            return self._stages(job_id).read_study(self._facts(job_id), earlier)

    def weigh_evidence(self, job_id: str, run: int, earlier: Earlier) -> str:
        """Asks what the answer rests on."""
        with self._step(job_id, run, "weigh_evidence"):
            return self._stages(job_id).weigh_evidence(self._facts(job_id), earlier)

    def segment(self, job_id: str, run: int, earlier: Earlier) -> str:
        """Outlines and measures."""
        with self._step(job_id, run, "segment"):
            progress = StepProgress(self.database, job_id, run, "segment")
            return self._stages(job_id).segment(self._facts(job_id), earlier, progress)

    def find_prior(self, job_id: str, run: int, earlier: Earlier, began: str) -> str:
        """Asks the source for the prior study; a SincePrior as JSON, empty where there is none. `began`: from `now`."""
        with self._step(job_id, run, "find_prior"):
            progress = StepProgress(self.database, job_id, run, "find_prior")
            stages, at = self._stages(job_id), datetime.fromisoformat(began)
            found = stages.find_prior(self._facts(job_id), earlier, at, progress)
        with self.database.writing() as session:
            end_step(session, job_id, "find_prior", StepState.DONE, _in_words(found, earlier["source"]))
        return found.model_dump_json() if found else ""

    def now(self) -> str:
        """The present time, ISO 8601."""
        return utc_now().isoformat()

    def broke_off(self, job_id: str, name: str, reason: str) -> None:
        """Lets the row of a step that can be done without say that it failed, where the step itself could not."""
        with self.database.writing() as session:
            end_step(session, job_id, name, StepState.FAILED, reason)

    def compose(self, job_id: str, run: int, earlier: Earlier) -> None:
        """Makes the objects and archives them."""
        with self._step(job_id, run, "compose"):
            facts = self._facts(job_id)
            documents = self._stages(job_id).compose(facts, earlier)
            lacks = " ".join(filter(None, (facts.not_come, documents.lacks)))
            self._keep(job_id, replace(documents, lacks=lacks))

    def compose_no_result(self, job_id: str, run: int, code: str, reason: str, bundle: str) -> None:
        """Makes the object that says why nothing can be said, and archives it."""
        with self._step(job_id, run, "compose"):
            why = NothingToSay(code, reason, bundle)
            self._keep(job_id, self._stages(job_id).compose_no_result(self._facts(job_id), why), reason)

    def compose_review(self, job_id: str, run: int) -> None:
        """Makes the documents of a review and archives them. Images that came since do not matter to it."""
        with self._step(job_id, run, "compose"):
            self._keep(job_id, self.reviews.compose(job_id))

    def hand_over(self, job_id: str, run: int) -> list[str]:
        """Marks the job as delivering; returns the destinations that do not have its objects yet."""
        with self.database.writing() as session:
            job = _job(session, job_id, run)
            job.state, job.progress = JobState.DELIVERING, 0.9
            done = through(job)
            return [name for name in job.destinations if name not in done]

    def fail(self, job_id: str, run: int, reason: str) -> None:
        """Makes the job a dead letter."""
        with self.database.writing() as session:
            job = session.get(Job, job_id, with_for_update=True)
            if job is not None and job.run == run and job.state in (JobState.QUEUED, JobState.RUNNING):
                fail_job(session, job, reason)
                _close_steps(job, reason)

    def stop(self, job_id: str, run: int) -> None:
        """Closes the rows of steps that were cut off by a cancellation."""
        with self.database.writing() as session:
            job = session.get(Job, job_id, with_for_update=True)
            if job is not None and job.run == run and job.state == JobState.CANCELED:
                _close_steps(job, "canceled")

    def _step(self, job_id: str, run: int, name: str) -> AbstractContextManager[None]:
        return reading_step(self.database, job_id, run, name, self.worker)

    def _stages(self, job_id: str) -> Stages:
        with self.database.reading() as session:
            return self.stages[pipeline_asked(session.get_one(Job, job_id).pipeline).pipeline]

    def _facts(self, job_id: str) -> JobFacts:
        """The job with its images. Raises JobStopped where it is overtaken by more of them."""
        with self.database.reading() as session:
            job = session.get_one(Job, job_id, options=[WITHOUT_READING])
            digests = tuple(image_digests(session, job.study_pk))
            if input_digest(digests) == job.input_digest:
                return self._known_facts(session, job, digests)
        with self.database.writing() as session:
            job = session.get_one(Job, job_id, with_for_update=True, options=[WITHOUT_READING])
            if job.state == JobState.RUNNING:
                cancel_job(session, job, OVERTAKEN)
        raise JobStopped(job_id)

    def _paths_of(self, digests: tuple[str, ...]) -> tuple[Path, ...]:
        return tuple(self.archive.path(digest) for digest in digests)

    def _known_facts(self, session: Session, job: Job, digests: tuple[str, ...]) -> JobFacts:
        return JobFacts(
            job_id=job.id,
            study_instance_uid=job.study.study_instance_uid,
            input_digest=job.input_digest,
            created_at=job.created_at,
            images=self._paths(digests),
            predecessors=_predecessors(session, job),
            expected=expected_of(job.expected),
            model=pipeline_asked(job.pipeline).model,
        )

    def _keep(self, job_id: str, documents: Documents, reason: str = "") -> None:
        """Archives the files first: a row never names an object that is not safe on disk."""
        results = [_result(job_id, document, self.archive) for document in documents.files]
        reading = reading_of(documents)
        header = header_of(self.database, self.archive, reading)
        with self.database.writing() as session:
            known = {result.sop_instance_uid for result in _results(session, job_id)}
            session.add_all(result for result in results if result.sop_instance_uid not in known)
            job = session.get_one(Job, job_id)
            if reading is not None and job.reading is None:
                follow_up(session, job, reading, header)
            job.reading, job.error = documents.reading, reason
            job.segmenter, job.lacks = measured_by(reading), documents.lacks


WITHOUT_READING = defer(Job.reading)
"""A row of a job is read without its slices: of 600 they take ten milliseconds to parse."""


def through(job: Job) -> set[str]:
    """The destinations that are through with a job: nothing is sent to them again."""
    done = {step.name for step in job.steps if step.state == StepState.DONE}
    return {name for name in job.destinations if f"confirm:{name}" in done}


def fail_job(session: Session, job: Job, reason: str) -> None:
    """Makes a job a dead letter, with an audit line, in the caller's transaction."""
    job.state, job.error, job.finished_at = JobState.FAILED, reason[:4000], utc_now()
    audit(session, actor="agent", action="job.failed", outcome=Outcome.SERIOUS_FAILURE, subject=job.id, reason=reason)


def cancel_job(session: Session, job: Job, reason: str, *, actor: str = "agent") -> None:
    """Cancels a job, with an audit line, in the caller's transaction."""
    job.state, job.error, job.finished_at = JobState.CANCELED, reason, utc_now()
    audit(session, actor=actor, action="job.canceled", outcome=Outcome.SUCCESS, subject=job.id, reason=reason)


def _in_words(found: SincePrior | None, source: str) -> str:
    if found is None:
        return f"{source} has no earlier study that can be compared"
    return f"the study of {found.prior.study_date}, from {source}" if found.prior else found.not_compared


def _close_steps(job: Job, detail: str) -> None:
    """No step of a job that has ended may seem to run."""
    for step in job.steps:
        if step.state in (StepState.RUNNING, StepState.WAITING):
            step.state, step.detail, step.finished_at = StepState.FAILED, detail, utc_now()


def _job(session: Session, job_id: str, run: int) -> Job:
    """The job, locked. Raises JobStopped when this run of it may not go on."""
    job = session.get(Job, job_id, with_for_update=True, options=[WITHOUT_READING])
    if job is None or job.run != run or job.state not in (JobState.QUEUED, JobState.RUNNING, JobState.DELIVERING):
        raise JobStopped(job_id)
    return job


def _results(session: Session, job_id: str) -> list[ResultObject]:
    return list(session.scalars(select(ResultObject).where(ResultObject.job_id == job_id).order_by(ResultObject.id)))


def _result(job_id: str, document: Document, archive: Archive) -> ResultObject:
    receipt = archive.store_result(document.part10)
    return ResultObject(
        job_id=job_id,
        kind=document.kind,
        sop_instance_uid=receipt.sop_instance_uid,
        sop_class_uid=receipt.sop_class_uid,
        series_instance_uid=receipt.series_instance_uid,
        digest=receipt.digest,
    )


def _predecessors(session: Session, job: Job) -> tuple[Predecessor, ...]:
    """The objects of the latest earlier job that has any: one that was canceled or failed early has none."""
    earlier_id = job.supersedes_id
    while earlier_id is not None:
        if found := _results(session, earlier_id):
            uid = job.study.study_instance_uid
            return tuple(
                Predecessor(ObjectKind(one.kind), one.sop_class_uid, one.sop_instance_uid, uid, one.series_instance_uid)
                for one in found
            )
        earlier_id = session.get_one(Job, earlier_id).supersedes_id
    return ()
