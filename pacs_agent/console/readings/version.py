"""Which version of a study's answer there is, told by its small columns alone, for many studies in one look.

A poll that finds nothing new costs these queries and no more: neither readings nor files are touched.
"""

import hashlib
from collections.abc import Iterable
from typing import Any

from sqlalchemy import Executable, Select, bindparam, case, func, select
from sqlalchemy.orm import Session

from pacs_agent import __version__
from pacs_agent.db import Delivery, Job, JobStep, ResultObject, RuleSet, Study, StudyState
from pacs_agent.inference import recalls_changed

_UID = Study.study_instance_uid
_ASKED = _UID.in_(bindparam("uids", expanding=True))
_JOBS: Select[Any] = select(_UID).join(Study.jobs).where(_ASKED)
"""Those of reviews as well: each review comes with a job that sends it."""
_LAST_RECEIVED = case((Study.state == StudyState.RECEIVING, None), else_=Study.last_received_at)
"""While images arrive nothing is told of each."""
_QUERIES: tuple[Executable, ...] = (
    select(_UID, Study.state, Study.state_reason, _LAST_RECEIVED).where(_ASKED),
    _JOBS.add_columns(Job.id, Job.state, Job.run, Job.progress, Job.error, Job.lacks, Job.finished_at).order_by(Job.id),
    _JOBS.join(Job.steps).add_columns(JobStep.id, JobStep.state, JobStep.attempts, JobStep.detail).order_by(JobStep.id),
    _JOBS.join(Job.results)
    .outerjoin(ResultObject.deliveries)
    .add_columns(ResultObject.id, Delivery.id, Delivery.state)
    .order_by(ResultObject.id, Delivery.id),
)
"""Everything small that an answer is made of, each row led by the Study Instance UID."""
_NEWEST_RULES = select(func.max(RuleSet.id))


def versions(session: Session, study_instance_uids: Iterable[str]) -> dict[str, str]:
    """The version of the answer about each study, by Study Instance UID; it changes whenever the answer does."""
    seen: dict[str, list[Any]] = {uid: [] for uid in study_instance_uids}
    connection = session.connection()
    for query in _QUERIES:
        for uid, *facts in connection.execute(query, {"uids": list(seen)}):
            seen[uid].append(facts)
    rules = connection.scalar(_NEWEST_RULES)
    recalled = recalls_changed(session)
    return {uid: _digest([__version__, rules, recalled, *facts]) for uid, facts in seen.items()}


def version(session: Session, study_instance_uid: str) -> str:
    """The version of the answer about one study."""
    return versions(session, (study_instance_uid,))[study_instance_uid]


def _digest(facts: list[Any]) -> str:
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:32]
