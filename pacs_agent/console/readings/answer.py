"""The answer to "what is there of this study?": its state in words, the newest result, and the history."""

from collections.abc import Iterator, Sequence

from sqlalchemy.orm import Session

from pacs_agent.archive import Archive
from pacs_agent.config import Settings
from pacs_agent.console.readings.measured import measurements_shown, recall_of_measurements
from pacs_agent.console.readings.models import Earlier, Result, State, StudyAnswer
from pacs_agent.console.readings.readings import Readings
from pacs_agent.console.readings.reasons import (
    NOT_SHOWN,
    measured_by_recalled,
    why_arriving,
    why_of_job,
    why_unknown,
    why_without_job,
)
from pacs_agent.console.readings.result import result_of
from pacs_agent.console.readings.sequences import sequences
from pacs_agent.console.readings.since_prior import changes_shown
from pacs_agent.console.readings.stored import (
    JobKnown,
    StudyKnown,
    instance_numbers,
    job_now,
    known_study,
    made_at,
    reading_jobs,
)
from pacs_agent.db import JobState, StudyState
from pacs_agent.inference import StudyReading, recall_of
from pacs_agent.review import current_review, documents_now


def study_answer(session: Session, archive: Archive, settings: Settings, readings: Readings, uid: str) -> StudyAnswer:
    """All that the panel shows of the study with this Study Instance UID, known here or not."""
    study = known_study(session, uid)
    if study is None:
        return _answer(uid, State.NONE, why_unknown(settings))
    jobs = reading_jobs(session, study.pk)
    if not jobs:
        reason = why_without_job(session, archive, settings, uid, study)
        return _answer(uid, _state_without_job(study), reason)
    told = next((job for job in (*_standing(jobs), *jobs) if job.told), None)
    reading = readings.of(session, told) if told else None
    state = _state(study, jobs, shown=reading is not None)
    reason = why_arriving(settings) if study.state == StudyState.RECEIVING else _reason(jobs[0], state)
    result = _result(session, archive, study, told, reading) if told and reading else None
    return StudyAnswer(
        study_instance_uid=uid,
        state=state,
        reason=" ".join(filter(None, (reason, *_shortfalls(told, result)))),
        job=job_now(session, jobs[0]),
        result=result,
        history=_history(jobs),
        review=current_review(session, told.id) if told else None,
    )


def _reason(newest: JobKnown, state: State) -> str:
    return why_of_job(newest) or (NOT_SHOWN if state == State.NOT_APPLICABLE else "")


def _shortfalls(told: JobKnown | None, result: Result | None) -> Iterator[str]:
    """What the result that is shown lacks, and that its measurements are not to be relied on."""
    if told is not None and result is not None:
        yield told.lacks
        if result.measurements is not None and result.measurements.recalled is not None:
            yield measured_by_recalled(result.measurements)


def _answer(uid: str, state: State, reason: str) -> StudyAnswer:
    return StudyAnswer(
        study_instance_uid=uid, state=state, reason=reason, job=None, result=None, history=(), review=None
    )


def _state_without_job(study: StudyKnown) -> State:
    if study.state == StudyState.RECEIVING:
        return State.PENDING
    return State.NOT_APPLICABLE if study.state == StudyState.IGNORED else State.NONE


def _state(study: StudyKnown, jobs: Sequence[JobKnown], *, shown: bool) -> State:
    """A result that stands decides, else the newest conclusion; without one, how far the newest job or the study is.

    A result stays in sight while a newer reading is under way, when that one broke off, and when another model has
    nothing to say of the study. `shown`: the job whose result is shown has a reading that can be.
    """
    decided = next((job for job in jobs if job.decided), None)
    if shown and any(job.told for job in _standing(jobs)):
        return State.READY
    if study.state == StudyState.RECEIVING or jobs[0].under_way:
        return State.PENDING
    if decided:
        return State.NOT_APPLICABLE
    return State.FAILED if jobs[0].state == JobState.FAILED else State.NONE


def _result(session: Session, archive: Archive, study: StudyKnown, job: JobKnown, reading: StudyReading) -> Result:
    recall = recall_of(session, reading.bundle.name, reading.bundle.version)
    numbers = instance_numbers(session, {series.series_instance_uid for series in reading.all_series})
    return result_of(
        reading,
        job_id=job.id,
        run=job.run,
        created_at=made_at(session, job.id) or job.created_at,
        instance_numbers=numbers,
        sequences=sequences(session, archive, reading),
        objects=documents_now(session, job.id),
        since_prior=changes_shown(reading, study.study_date),
        measurements=measurements_shown(reading, numbers, recall_of_measurements(session, reading)),
        recalled=recall.reason if recall else None,
    )


def _history(jobs: Sequence[JobKnown]) -> tuple[Earlier, ...]:
    superseded = _superseded(jobs)
    return tuple(
        Earlier(
            job_id=job.id,
            created_at=job.created_at,
            state=job.state,
            model=job.bundle,
            superseded=job.id in superseded,
            reason=job.error or job.lacks,
        )
        for job in jobs
    )


def _standing(jobs: Sequence[JobKnown]) -> list[JobKnown]:
    """The jobs whose conclusions stand, the newest first: one of each pipeline, as each supersedes its own."""
    superseded = _superseded(jobs)
    return [job for job in jobs if job.decided and job.id not in superseded]


def _superseded(jobs: Sequence[JobKnown]) -> set[str]:
    """The jobs in whose place a later conclusion stands; a job that was canceled takes nobody's place."""
    before = {job.id: job.supersedes_id for job in jobs}
    found: set[str] = set()
    for job in jobs:
        earlier = job.supersedes_id if job.decided else None
        while earlier is not None and earlier not in found:
            found.add(earlier)
            earlier = before.get(earlier)
    return found
