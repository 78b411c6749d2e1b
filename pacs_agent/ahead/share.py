"""Which of several workers reads a study ahead: one of them, and each can tell without asking the others."""

import hashlib
from collections.abc import Collection

from sqlalchemy import select
from sqlalchemy.orm import Session

from pacs_agent.db import Worker


def living_workers(session: Session) -> list[str]:
    """Executor ids of the workers that nobody has found dead."""
    return list(session.scalars(select(Worker.executor_id).where(Worker.buried_at.is_(None))))


def reads_ahead(study_instance_uid: str, executor_id: str, living: Collection[str]) -> bool:
    """Whether the study is this worker's share: it has the largest digest of all (rendezvous hashing).

    When a worker comes or goes, only the studies of that one change hands. Nothing is locked: should two workers see
    the living differently, a slice is encoded twice, to the same token.
    """
    return max({*living, executor_id}, key=lambda one: _weight(one, study_instance_uid)) == executor_id


def _weight(executor_id: str, study_instance_uid: str) -> bytes:
    return hashlib.sha256(f"{executor_id}\n{study_instance_uid}".encode()).digest()
