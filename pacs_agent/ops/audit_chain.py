"""The audit trail as a chain of digests: what was changed, deleted, inserted or moved afterwards is found.

Rows are written unsealed, in the transaction of the act that they describe, so that nobody waits for the chain. A
sealer gives them their place in it within seconds: a position without gaps, and the SHA-256 digest over the position,
the digest of the row before and all that the row says. Whoever can write to the database can also write a whole new
chain; against that the seal of the newest row is kept elsewhere, and shown again to `verify` (`known`).
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, bindparam, func, select, update
from sqlalchemy.orm import Session

from pacs_agent.db import AuditChain, AuditEvent, Database

SEALED_AT_ONCE = 500
"""Rows of one transaction; SQLite has one write lock, and images are coming in."""
SEAL_EVERY_S = 2.0
_SAID = (
    *(AuditEvent.id, AuditEvent.at, AuditEvent.actor, AuditEvent.action),
    *(AuditEvent.outcome, AuditEvent.subject, AuditEvent.detail),
)


@dataclass(frozen=True)
class Seal:
    """A place in the chain, as people keep it: `17:9f86d0...`."""

    position: int
    digest: str

    def __str__(self) -> str:
        return f"{self.position}:{self.digest}"

    @classmethod
    def parse(cls, text: str) -> "Seal":
        """The seal of a text. Raises ValueError when it is none."""
        position, _, digest = text.strip().partition(":")
        if not position.isdecimal() or len(digest) != 64:
            raise ValueError(f"{text!r} is no seal: `pacs-agent audit verify` prints one, such as 17:9f86d0...")
        return cls(int(position), digest.lower())


@dataclass(frozen=True)
class Verdict:
    """What a look at the whole chain found. `fault` names the first row that is not as it was sealed."""

    sealed: int
    unsealed: int
    newest: Seal
    fault: str = ""


class _Broken(Exception):
    """The chain does not hold; the message says where."""


def seal_waiting(database: Database) -> int:
    """Seals all rows that wait for it and counts them. Several processes may do so at once: they take turns."""
    with database.reading() as session:
        if session.scalar(select(AuditEvent.id).where(AuditEvent.position.is_(None)).limit(1)) is None:
            return 0
    sealed, count = 0, SEALED_AT_ONCE
    while count == SEALED_AT_ONCE:
        with database.writing() as session:
            count = seal_some(session)
        sealed += count
    return sealed


def seal_some(session: Session | Connection) -> int:
    """Seals the oldest unsealed rows in the caller's transaction, and counts them."""
    head = session.execute(
        select(AuditChain.position, AuditChain.digest).where(AuditChain.id == 1).with_for_update()
    ).one()
    position, digest = head.position, head.digest
    waiting = select(*_SAID).where(AuditEvent.position.is_(None)).order_by(AuditEvent.id).limit(SEALED_AT_ONCE)
    seals: list[dict[str, Any]] = []
    for row in session.execute(waiting).all():
        position += 1
        digest = digest_of(position, digest, row)
        seals.append({"row": row.id, "at_position": position, "sealed_as": digest})
    if seals:
        events = AuditEvent.__table__
        values: dict[Any, Any] = {"position": bindparam("at_position"), "digest": bindparam("sealed_as")}
        session.execute(update(events).where(events.c.id == bindparam("row")).values(values), seals)  # type: ignore[arg-type]
        session.execute(update(AuditChain).where(AuditChain.id == 1).values(position=position, digest=digest))
    return len(seals)


def digest_of(position: int, before: str, row: Row[Any]) -> str:
    """The digest of a row at its place: over its JSON with sorted keys, times in UTC to the microsecond."""
    at = row.at.isoformat(timespec="microseconds")
    said = [position, before, row.id, at, row.actor, row.action, row.outcome, row.subject, row.detail]
    text = json.dumps(said, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def verify(database: Database, known: Seal | None = None) -> Verdict:
    """Looks at every sealed row, of one state of the database. `known` is a seal that was kept elsewhere."""
    with database.reading() as session:
        if session.get_bind().dialect.name == "postgresql":
            session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
        head = session.execute(select(AuditChain.position, AuditChain.digest).where(AuditChain.id == 1)).one_or_none()
        waits = select(func.count()).select_from(AuditEvent).where(AuditEvent.position.is_(None))
        unsealed = session.scalar(waits) or 0
        newest = Seal(0, "")
        try:
            for newest in _chained(session):
                if known is not None and newest.position == known.position and newest != known:
                    raise _Broken(f"row {known.position} has another digest than the seal that was kept elsewhere")
            _refuse_other_end(newest, Seal(head.position, head.digest) if head else Seal(0, ""), known)
        except _Broken as broken:
            return Verdict(newest.position, unsealed, newest, str(broken))
    return Verdict(newest.position, unsealed, newest)


def _chained(session: Session) -> Iterator[Seal]:
    """The seals of all rows in their order. Raises _Broken at the first that does not hold."""
    rows = select(*_SAID, AuditEvent.position, AuditEvent.digest).where(AuditEvent.position.is_not(None))
    ordered = rows.order_by(AuditEvent.position, AuditEvent.id).execution_options(yield_per=1000)
    before = Seal(0, "")
    for row in session.execute(ordered):
        here = f"row {row.position} (id {row.id}, {row.at.isoformat(timespec='seconds')}, {row.action})"
        if row.position > before.position + 1:
            raise _Broken(f"row {before.position + 1} is missing: after row {before.position} comes {here}")
        if row.position <= before.position:
            raise _Broken(f"{here} was inserted: its place is taken")
        if digest_of(row.position, before.digest, row) != row.digest:
            raise _Broken(f"{here} is not what was sealed: it was changed, inserted or moved")
        before = Seal(row.position, row.digest)
        yield before


def _refuse_other_end(newest: Seal, head: Seal, known: Seal | None) -> None:
    if newest.position < head.position:
        raise _Broken(f"row {newest.position + 1} is missing, and so is all after it up to row {head.position}")
    if newest != head:
        raise _Broken(f"row {head.position + 1} was inserted: the chain ended with row {head.position}")
    if known is not None and newest.position < known.position:
        raise _Broken(f"row {newest.position + 1} is missing: the seal kept elsewhere is of row {known.position}")
