"""Tokens of programs: named, with roles and an end, shown once. Each change is audited."""

import hashlib
import re
import secrets
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from pacs_agent.accounts.roles import Role, lacking
from pacs_agent.db import ApiToken, Database, utc_now
from pacs_agent.ops import Outcome, audit

PREFIX = "pacsagent_"
"""What a token begins with, so that scanners for secrets find one that lies about."""
LONGEST = timedelta(days=731)
TOKEN_ROLES = (Role.VIEWER, Role.OPERATOR, Role.ADMIN, Role.AUDITOR)
"""A report is verified by a person, so no token reviews."""
USE_NOTED_EVERY = timedelta(minutes=1)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._-]{0,63}")


class TokenRefused(ValueError):
    """A token cannot be made or revoked as asked; the message says why and what to do."""


def all_tokens(session: Session) -> Sequence[ApiToken]:
    """All tokens, the newest first; revoked and expired ones stay in the list."""
    return session.scalars(select(ApiToken).order_by(ApiToken.id.desc())).all()


def make_token(
    session: Session, *, actor: str, own: Iterable[Role], name: str, roles: Sequence[Role], days: int
) -> tuple[ApiToken, str]:
    """A new token and its text, which nobody can show again. `own` are the roles of whoever makes it.

    Raises TokenRefused when the name or the time cannot be, or the roles are more than one's own.
    """
    if not _NAME.fullmatch(name):
        raise TokenRefused(f"{name!r} is no name of a token: 1 to 64 letters, digits, spaces and . _ -")
    if not timedelta(0) < timedelta(days=days) <= LONGEST:
        raise TokenRefused(f"a token lives for 1 to {LONGEST.days} days")
    if not roles or not set(roles) <= set(TOKEN_ROLES):
        raise TokenRefused("a token needs a role, and none may review: people verify reports")
    if more := lacking(own, roles) - {Role.REVIEWER}:
        raise TokenRefused(f"you are not {', '.join(sorted(more))} yourself, so you cannot make a token that is")
    if any(each.name == name and _is_live(each, utc_now()) for each in all_tokens(session)):
        raise TokenRefused(f"there is a token {name!r} already; revoke it first, or take another name")
    given = PREFIX + secrets.token_urlsafe(32)
    expires_at = utc_now() + timedelta(days=days)
    token = ApiToken(
        name=name, digest=_digest(given), roles=sorted(set(roles)), created_by=actor[:128], expires_at=expires_at
    )
    session.add(token)
    session.flush()
    _audit(session, actor, "token.made", token, roles=token.roles, expires_at=expires_at.isoformat())
    return token, given


def revoke_token(session: Session, token_id: int, *, actor: str) -> ApiToken:
    """Ends a token at once. Raises TokenRefused when there is none of this number, or it has ended."""
    token = session.get(ApiToken, token_id)
    if token is None:
        raise TokenRefused(f"there is no token {token_id}")
    if not _is_live(token, utc_now()):
        raise TokenRefused(f"the token {token.name!r} has ended already")
    token.revoked_at = utc_now()
    _audit(session, actor, "token.revoked", token)
    return token


def token_used(database: Database, given: str) -> ApiToken | None:
    """The live token of a text, whose use is noted; None for anything else."""
    if not given.startswith(PREFIX) or len(given) > 128:
        return None
    now = utc_now()
    with database.reading() as session:
        token = session.scalar(select(ApiToken).where(ApiToken.digest == _digest(given)))
    if token is None or not _is_live(token, now):
        return None
    if token.last_used_at is None or now - token.last_used_at > USE_NOTED_EVERY:
        with database.writing() as session:
            session.execute(update(ApiToken).where(ApiToken.id == token.id).values(last_used_at=now))
    return token


def _is_live(token: ApiToken, now: datetime) -> bool:
    return token.revoked_at is None and now < token.expires_at


def _digest(given: str) -> str:
    return hashlib.sha256(given.encode("utf-8", "surrogatepass")).hexdigest()


def _audit(session: Session, actor: str, action: str, token: ApiToken, **detail: object) -> None:
    audit(session, actor=actor, action=action, outcome=Outcome.SUCCESS, subject=f"token:{token.name}", **detail)
