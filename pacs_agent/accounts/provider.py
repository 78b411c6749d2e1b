"""Accounts of an identity provider: made at the first login, their roles anew at each."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from pacs_agent.accounts.auditors import tell_of_auditor
from pacs_agent.accounts.log_in import LoginRefused
from pacs_agent.accounts.names import derived_person_name, wrong_login, wrong_name, wrong_person_name
from pacs_agent.accounts.roles import Role
from pacs_agent.db import Database, User, utc_now
from pacs_agent.ops import Outcome, audit


@dataclass(frozen=True)
class ProviderClaims:
    """What an identity provider says of a person. `issuer` and `subject` together are that person for ever.

    OpenID Connect Core 1.0, 2 and 5.7: any other claim may change or be given to somebody else.
    """

    issuer: str
    subject: str
    login: str
    name: str
    roles: Sequence[Role]


def log_in_by_provider(database: Database, claims: ProviderClaims, address: str) -> User:
    """The account of a person whom the provider knows. Raises LoginRefused, in words for that person."""
    try:
        with database.writing() as session:
            user = _account(session, claims, actor=f"{claims.login[:64]}@{address}")
            user.last_login_at = utc_now()
            audit(session, actor=f"{user.login}@{address}", action="login", outcome=Outcome.SUCCESS, subject=user.login)
    except LoginRefused as refused:
        _note_failure(database, address, str(refused))
        raise
    except IntegrityError as error:
        raise LoginRefused("the account was made just now; log in again") from error
    return user


def _account(session: Session, claims: ProviderClaims, actor: str) -> User:
    if not claims.roles:
        raise LoginRefused("the identity provider gives you no role here; ask an administrator for one")
    known = (User.provider == claims.issuer, User.provider_subject == claims.subject)
    user = session.scalar(select(User).where(*known))
    if user is None:
        return _made(session, claims, actor)
    if not user.enabled:
        raise LoginRefused("your account is disabled here; ask an administrator")
    roles: list[str] = sorted(set(claims.roles))
    if roles != user.roles:
        before, user.roles = user.roles, roles
        user.session_generation += 1
        _audit(session, "user.changed", user, actor, before={"roles": before}, after={"roles": roles})
        if Role.AUDITOR not in before:
            tell_of_auditor(session, user, "made", actor=actor)
    return user


def _made(session: Session, claims: ProviderClaims, actor: str) -> User:
    """A new account. One of the same login is never taken for it: the provider may give a login to another person."""
    login, name = claims.login.strip().lower(), claims.name.strip() or claims.login
    person_name = derived_person_name(name)
    fault = wrong_login(login) or wrong_name(name) or wrong_person_name(person_name)
    if fault or not claims.subject or len(claims.subject) > 255:
        raise LoginRefused(f"the identity provider does not say who you are: {fault or 'no subject'}")
    if session.get(User, login) is not None:
        raise LoginRefused("there is another account of your user name here; ask an administrator")
    user = User(
        login=login,
        name=name,
        person_name=person_name,
        password_hash="",
        roles=sorted(set(claims.roles)),
        provider=claims.issuer,
        provider_subject=claims.subject,
    )
    session.add(user)
    session.flush()
    _audit(session, "user.added", user, actor, roles=user.roles, provider=claims.issuer)
    tell_of_auditor(session, user, "made", actor=actor)
    return user


def _note_failure(database: Database, address: str, reason: str) -> None:
    with database.writing() as session:
        outcome = Outcome.MINOR_FAILURE
        audit(session, actor=f"@{address}", action="login.failed", outcome=outcome, by="provider", reason=reason[:128])


def _audit(session: Session, action: str, user: User, actor: str, **detail: object) -> None:
    audit(session, actor=actor, action=action, outcome=Outcome.SUCCESS, subject=user.login, **detail)
