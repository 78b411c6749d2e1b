"""Audit lines about peers that misbehave: each one while they are few, then their number, minute by minute."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from pacs_agent.db import Database
from pacs_agent.ops import Outcome, audit, get_log
from pacs_agent.receive.peers import note_refused

LINES_A_MINUTE = 20
"""Of one address. A flood of refusals must not become a flood of transactions that images wait for."""
MINUTE_S = 60.0
MOST_ADDRESSES = 1000
"""Addresses that are told apart in one minute; further ones share a line."""
OTHERS = "others"
REJECTED, REFUSED = "association.rejected", "instance.refused"

log = get_log("receive")


@dataclass
class _Minute:
    """What one address did in the minute that began at a time."""

    began_s: float
    written: int = 0
    unwritten: int = 0
    last_reason: str = ""

    def count(self, reason: str) -> None:
        """One more that has no line of its own."""
        self.unwritten += 1
        self.last_reason = reason


class AuditBook:
    """Writes audit lines of refusals. Safe for any number of threads."""

    def __init__(self, database: Database, subject: str, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._subject = subject
        self._monotonic = monotonic
        self._minutes: dict[tuple[str, str], _Minute] = {}
        self._lock = threading.Lock()

    def rejected(self, peer: str, reason: str, /, **detail: Any) -> None:
        """Tells of one refusal to a peer, "AE@address", or counts it when that address had too many this minute."""
        log.warning("association rejected", source=peer, reason=reason)
        if self.has_room(peer.rpartition("@")[2], REJECTED, reason):
            self._write(peer, REJECTED, reason, **detail)

    def has_room(self, address: str, action: str, reason: str) -> bool:
        """Whether one more line of an action about an address may be written now; else it is counted."""
        with self._lock:
            minute = self._minute(address, action)
            if minute.written < LINES_A_MINUTE:
                minute.written += 1
                return True
            minute.count(reason)
            return False

    def count(self, address: str, action: str, reason: str) -> None:
        """Counts one more, for the line at the end of the minute: one that is not worth a transaction."""
        with self._lock:
            self._minute(address, action).count(reason)

    def sum_up(self, *, all_minutes: bool = False) -> None:
        """Writes a line for each address and action whose minute is over and that had more than was written."""
        now_s = self._monotonic()
        with self._lock:
            over = {
                key: minute
                for key, minute in self._minutes.items()
                if all_minutes or now_s - minute.began_s >= MINUTE_S
            }
            for key in over:
                del self._minutes[key]
        for (address, action), minute in over.items():
            if minute.unwritten:
                reason = f"{minute.unwritten} more within a minute, the last: {minute.last_reason}"
                self._write(f"@{address}", action, reason, count=minute.unwritten)

    def _minute(self, address: str, action: str) -> _Minute:
        if (address, action) not in self._minutes and len(self._minutes) >= MOST_ADDRESSES:
            address = OTHERS
        return self._minutes.setdefault((address, action), _Minute(self._monotonic()))

    def _write(self, peer: str, action: str, reason: str, /, **detail: Any) -> None:
        try:
            with self._database.writing() as session:
                note_refused(session, peer, reason)
                audit(
                    session,
                    actor=peer,
                    action=action,
                    outcome=Outcome.SERIOUS_FAILURE,
                    subject=self._subject if action != REFUSED else "",
                    reason=reason,
                    **detail,
                )
        except SQLAlchemyError as error:
            log.error("rejection not audited", error=type(error).__name__)
