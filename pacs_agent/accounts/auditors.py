"""Whoever opens an auditor's account to somebody says so aloud: it is how an administrator could watch himself.

Roles keep administrators and auditors apart, but whoever sets up accounts can make one for himself, or take one over by
its password. That cannot be refused, as somebody must name the auditors. It gets an audit line of its own, which the
page of the audit trail shows to all auditors, and the notifications tell it (`ops.conditions`).
"""

from typing import Literal

from sqlalchemy.orm import Session

from pacs_agent.accounts.roles import Role
from pacs_agent.db import User
from pacs_agent.ops import Outcome, audit


def tell_of_auditor(session: Session, user: User, act: Literal["made", "enabled", "password"], *, actor: str) -> None:
    """Writes the line `auditor.<act>` when the account is an auditor's, in the caller's transaction."""
    if Role.AUDITOR in user.roles:
        audit(session, actor=actor, action=f"auditor.{act}", outcome=Outcome.SUCCESS, subject=user.login)
