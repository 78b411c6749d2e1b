"""Which version of a study's answer there is, told by its small columns alone, for many studies in one look.

A poll that finds nothing new costs these queries and no more: neither readings nor files are touched.
"""

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from pacs_agent import __version__
from pacs_agent.console.readings.stored import REVIEW_PIPELINE
from pacs_agent.db import Delivery, Job, JobStep, ResultObject, RuleSet, Study

_OF_READING = Job.pipeline != REVIEW_PIPELINE


def versions(session: Session, study_instance_uids: Iterable[str]) -> dict[str, str]:
    """The version of the answer about each study, by Study Instance UID; it changes whenever the answer does."""
    uids = sorted(set(study_instance_uids))
    seen: dict[str, list[Any]] = {uid: [__version__] for uid in uids}
    for query in _queries(uids):
        for uid, *facts in session.execute(query):
            seen[uid].append(facts)
    rules = session.scalar(select(func.max(RuleSet.id)))
    return {uid: _digest([*facts, rules]) for uid, facts in seen.items()}


def version(session: Session, study_instance_uid: str) -> str:
    """The version of the answer about one study."""
    return versions(session, (study_instance_uid,))[study_instance_uid]


def _queries(uids: Sequence[str]) -> list[Select[Any]]:
    """Everything small that an answer is made of, each row led by the Study Instance UID."""
    uid = Study.study_instance_uid
    jobs: Select[Any] = select(uid).join(Study.jobs).where(uid.in_(uids), _OF_READING)
    return [
        select(uid, Study.state, Study.state_reason, Study.last_received_at).where(uid.in_(uids)),
        jobs.add_columns(Job.id, Job.state, Job.run, Job.progress, Job.error, Job.finished_at).order_by(Job.id),
        jobs.join(Job.steps)
        .add_columns(JobStep.id, JobStep.state, JobStep.attempts, JobStep.detail)
        .order_by(JobStep.id),
        jobs.join(Job.results)
        .outerjoin(ResultObject.deliveries)
        .add_columns(ResultObject.id, Delivery.id, Delivery.state)
        .order_by(ResultObject.id, Delivery.id),
    ]


def _digest(facts: list[Any]) -> str:
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:32]
