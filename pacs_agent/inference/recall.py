"""Versions of models whose results are not to be relied on. A recall marks them; nothing is ever deleted by it."""

from typing import Any

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from pacs_agent.db import ModelRecall, utc_now
from pacs_agent.ops import Outcome, audit


class RecallRefused(ValueError):
    """A recall, or the end of one, that makes no sense: why, and what to do."""


def recall(session: Session, name: str, version: str, *, reason: str, actor: str) -> ModelRecall:
    """Recalls a version of a model, with an audit line, in the caller's transaction.

    All results that it made, or measured for, are marked from now on, and it reads or segments no further study.
    Raises RecallRefused.
    """
    if not reason.strip():
        raise RecallRefused("say why the version is recalled: everybody who sees one of its results will read it")
    if recall_of(session, name, version):
        raise RecallRefused(f"{name} {version} is recalled already")
    row = ModelRecall(name=name[:64], version=version[:64], reason=reason.strip(), recalled_by=actor[:128])
    session.add(row)
    _audit(session, row, actor, "model.recalled", reason=row.reason)
    return row


def lift_recall(session: Session, name: str, version: str, *, actor: str) -> ModelRecall:
    """Ends a recall, with an audit line, in the caller's transaction. Raises RecallRefused."""
    row = recall_of(session, name, version)
    if row is None:
        raise RecallRefused(f"{name} {version} is not recalled")
    row.lifted_at, row.lifted_by = utc_now(), actor[:128]
    _audit(session, row, actor, "model.recall_lifted", before=row.reason)
    return row


def recall_of(session: Session, name: str, version: str) -> ModelRecall | None:
    """The recall of a version that stands, or None."""
    query = _standing().where(ModelRecall.name == name[:64], ModelRecall.version == version[:64])
    found: ModelRecall | None = session.scalar(query.limit(1))
    return found


def recalls(session: Session) -> dict[tuple[str, str], ModelRecall]:
    """All recalls that stand, by name and version."""
    return {(row.name, row.version): row for row in session.scalars(_standing())}


def recalls_changed(session: Session) -> tuple[int, int]:
    """Changes whenever a version is recalled, or a recall is lifted."""
    row = session.execute(select(func.count(ModelRecall.id), func.count(ModelRecall.lifted_at))).one()
    return int(row[0]), int(row[1])


def _standing() -> Select[Any]:
    return select(ModelRecall).where(ModelRecall.lifted_at.is_(None))


def _audit(session: Session, row: ModelRecall, actor: str, action: str, **detail: str) -> None:
    subject = f"{row.name} {row.version}"
    audit(session, actor=actor, action=action, outcome=Outcome.SUCCESS, subject=subject, **detail)
