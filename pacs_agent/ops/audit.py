"""The audit trail: who did what to what, with which outcome."""

from enum import StrEnum
from typing import Any

from sqlalchemy.orm import Session

from pacs_agent.db import AuditEvent


class Outcome(StrEnum):
    """Outcome of an act. PS3.15 A.5.2.1 EventOutcomeIndicator: 0, 4, 8 and 12."""

    SUCCESS = "success"
    MINOR_FAILURE = "minor-failure"
    SERIOUS_FAILURE = "serious-failure"
    MAJOR_FAILURE = "major-failure"


def audit(session: Session, *, actor: str, action: str, outcome: Outcome, subject: str = "", **detail: Any) -> None:
    """Writes one audit line in the caller's transaction, so that an act and its line stand or fall together.

    `actor` is an AE title with its address, a user or the agent itself; `subject` a UID or a name, never patient data.
    """
    session.add(AuditEvent(actor=actor[:128], action=action, outcome=outcome, subject=subject[:128], detail=detail))
