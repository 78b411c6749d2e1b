"""A study becomes complete: rules are asked and jobs written, in one transaction."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from pacs_agent.archive import Archive
from pacs_agent.assemble.jobs import image_digests, input_digest, write_jobs
from pacs_agent.assemble.quiet import QuietWatch
from pacs_agent.db import Database, Study, StudyState, utc_now
from pacs_agent.ops import Outcome, audit
from pacs_agent.route import Decision, NoAttributes, attributes_of_study, rules_in_force

AGENT = "agent"
NO_IMAGES = "no image received yet"


class UnknownStudy(LookupError):
    """No instance of the study was ever received."""


@dataclass(frozen=True)
class Completion:
    """What became of a study: its state, why, and the ids of the jobs written for it."""

    study_instance_uid: str
    state: StudyState
    reason: str
    jobs: tuple[str, ...] = ()

    @property
    def summary(self) -> str:
        """The outcome in one sentence."""
        if self.state == StudyState.IGNORED:
            return f"ignored: {self.reason}"
        return f"complete, {len(self.jobs)} jobs queued: {self.reason}" if self.jobs else f"complete: {self.reason}"


def complete_quiet_studies(database: Database, archive: Archive, watch: QuietWatch) -> list[Completion]:
    """Completes every study that is quiet. A study that an image joins meanwhile is left for its next quiet time.

    Raises route.WrongRules when the rules in force cannot be read; all studies then wait.
    """
    receiving = _receiving(database)
    found = (_complete(database, archive, uid, AGENT, receiving[uid]) for uid in watch.quiet(receiving))
    return [completion for completion in found if completion is not None]


def force(database: Database, archive: Archive, study_instance_uid: str, *, actor: str) -> Completion:
    """Completes a study now, without its quiet time. The same images are never read twice by the same pipeline.

    Raises UnknownStudy, and route.WrongRules when the rules in force cannot be read.
    """
    completion = _complete(database, archive, study_instance_uid, actor, None)
    if completion is None:
        raise UnknownStudy(f"no study {study_instance_uid} was received; `pacs-agent studies` lists those that were")
    return completion


def _receiving(database: Database) -> dict[str, datetime]:
    query = select(Study.study_instance_uid, Study.last_received_at).where(Study.state == StudyState.RECEIVING)
    with database.reading() as session:
        rows = session.execute(query.order_by(Study.last_received_at)).all()
    return {row.study_instance_uid: row.last_received_at for row in rows}


def _complete(
    database: Database, archive: Archive, study_instance_uid: str, actor: str, expected_last: datetime | None
) -> Completion | None:
    """Headers are read before the transaction, which holds SQLite's only write lock, and then checked to be current."""
    decision = _decide(database, archive, study_instance_uid)
    with database.writing() as session:
        study = session.scalar(select(Study).where(Study.study_instance_uid == study_instance_uid).with_for_update())
        if study is None or (expected_last is not None and not _unchanged(study, expected_last)):
            return None
        completion = _written(session, study, decision)
        _audit(session, completion, actor)
        return completion


def _decide(database: Database, archive: Archive, study_instance_uid: str) -> Decision | NoAttributes:
    with database.reading() as session:
        book = rules_in_force(session)
        try:
            attributes = attributes_of_study(session, archive, study_instance_uid)
        except NoAttributes as error:
            return error
    try:
        attributes.fetch(book.keywords())
    except NoAttributes as error:
        return error
    return book.decide(attributes)


def _unchanged(study: Study, expected_last: datetime) -> bool:
    return study.state == StudyState.RECEIVING and study.last_received_at == expected_last


def _written(session: Session, study: Study, decision: Decision | NoAttributes) -> Completion:
    digests = image_digests(session, study.id)
    if not digests:
        return _state(study, StudyState.IGNORED, NO_IMAGES)
    if isinstance(decision, NoAttributes):
        return _state(study, StudyState.IGNORED, str(decision))
    study.decision = decision.lines()
    if decision.ignored:
        return _state(study, StudyState.IGNORED, decision.summary)
    study.complete_at = utc_now()
    return _state(
        study, StudyState.COMPLETE, decision.summary, write_jobs(session, study, decision, input_digest(digests))
    )


def _state(study: Study, state: StudyState, reason: str, jobs: tuple[str, ...] = ()) -> Completion:
    study.state, study.state_reason = state, reason
    return Completion(study.study_instance_uid, state, reason, jobs)


def _audit(session: Session, completion: Completion, actor: str) -> None:
    audit(
        session,
        actor=actor,
        action=f"study.{completion.state}",
        outcome=Outcome.SUCCESS,
        subject=completion.study_instance_uid,
        reason=completion.reason,
        jobs=list(completion.jobs),
    )
