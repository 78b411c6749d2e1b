"""Lines of the audit trail that are sought, a page or many at a time."""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import Select, and_, or_, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from pacs_agent.console.audit_trail.models import Sought
from pacs_agent.db import AuditEvent, Database, utc_now
from pacs_agent.ops.conditions import AUDITOR_ACTS

AUDITORS_SHOWN = timedelta(days=30)
MOST_AUDITORS = 10
AT_ONCE = 1000
"""Lines of one look of an export: no look holds the database for long, nor much memory."""


def sought_lines(database: Database, sought: Sought) -> Select[Any]:
    """The query of the lines that are sought, in no order."""
    query = select(AuditEvent)
    if sought.since is not None:
        query = query.where(AuditEvent.at >= sought.since)
    if sought.until is not None:
        query = query.where(AuditEvent.at < sought.until)
    if sought.actor:
        query = query.where(_actor_is(database, sought.actor))
    if sought.action:
        query = query.where(_begins(AuditEvent.action, sought.action))
    if sought.outcome:
        query = query.where(_outcome_is(sought))
    if sought.subject:
        query = query.where(AuditEvent.subject == sought.subject)
    return query


def all_lines(database: Database, sought: Sought, most: int) -> Iterator[Sequence[AuditEvent]]:
    """The lines that are sought, the newest first, in groups; each group is its own look at the database."""
    edge: AuditEvent | None = None
    while most > 0:
        query = (
            sought_lines(database, sought)
            .order_by(AuditEvent.at.desc(), AuditEvent.id.desc())
            .limit(min(AT_ONCE, most))
        )
        if edge is not None:
            same_time = and_(AuditEvent.at == edge.at, AuditEvent.id < edge.id)
            query = query.where(or_(AuditEvent.at < edge.at, same_time))
        with database.reading() as session:
            group = session.scalars(query).all()
        if not group:
            return
        yield group
        edge, most = group[-1], most - len(group)


def changed_auditors(session: Session) -> list[AuditEvent]:
    """The newest lines of auditors' accounts that were opened to somebody, of the last month."""
    lately = AuditEvent.at > utc_now() - AUDITORS_SHOWN
    queries = (select(AuditEvent).where(AuditEvent.action == act, lately) for act in AUDITOR_ACTS)
    newest = (session.scalars(query.order_by(AuditEvent.at.desc()).limit(MOST_AUDITORS)) for query in queries)
    return sorted((line for lines in newest for line in lines), key=lambda line: line.at, reverse=True)[:MOST_AUDITORS]


def _actor_is(database: Database, actor: str) -> Any:
    """Lines of an actor, at any address. Who has none, as the agent itself, is read off the index in its order."""
    exact, addressed = AuditEvent.actor == actor, _with_address(database, actor)
    with database.reading() as session:
        has_address = session.scalar(select(AuditEvent.id).where(addressed).limit(1)) is not None
    return or_(exact, addressed) if has_address else exact


def _with_address(database: Database, actor: str) -> Any:
    """Lines of an actor at any address. SQLite finds a range by the index, and sorts by octets: after @ comes A."""
    if database.engine.dialect.name == "sqlite":
        return and_(AuditEvent.actor > f"{actor}@", AuditEvent.actor < f"{actor}A")
    return AuditEvent.actor.startswith(f"{actor}@", autoescape=True)


def _outcome_is(sought: Sought) -> Any:
    """Lines of an outcome. Any other field says more: its index is to be taken then, and not that of the outcome."""
    says_more = sought.actor or sought.subject or (not sought.action.endswith(".") and sought.action)
    return (AuditEvent.outcome.concat("") if says_more else AuditEvent.outcome) == sought.outcome


def _begins(column: InstrumentedAttribute[str], words: str) -> Any:
    return column.startswith(words, autoescape=True) if words.endswith(".") else column == words
