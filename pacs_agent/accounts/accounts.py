"""Local accounts in the database: add, list, change, disable, enable. Each change is audited."""

from collections.abc import Sequence

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from pacs_agent.accounts.auditors import tell_of_auditor
from pacs_agent.accounts.names import derived_person_name, wrong_login, wrong_name, wrong_person_name
from pacs_agent.accounts.passwords import hashed, wrong_password
from pacs_agent.accounts.roles import Role
from pacs_agent.db import User
from pacs_agent.ops import Outcome, audit


class AccountRefused(ValueError):
    """An account cannot be made or changed as asked; the message says why and what to do."""


def accounts_exist(session: Session) -> bool:
    """Whether there is an account, be it disabled."""
    return session.scalar(select(User.login).limit(1)) is not None


def all_accounts(session: Session) -> Sequence[User]:
    """All accounts by login."""
    return session.scalars(select(User).order_by(User.login)).all()


def account_of(session: Session, login: str) -> User:
    """The account of a login. Raises AccountRefused when there is none."""
    user = session.get(User, login)
    if user is None:
        raise AccountRefused(f"there is no account {login!r}; `pacs-agent user list` shows them all")
    return user


def add_account(
    session: Session, *, actor: str, login: str, name: str, roles: Sequence[Role], password: str, person_name: str = ""
) -> User:
    """Adds an account. Without `person_name` the DICOM name is derived from `name`.

    Raises AccountRefused when the login is taken, or anything given cannot be.
    """
    person_name = person_name or derived_person_name(name)
    _refuse(wrong_login(login), wrong_name(name), wrong_person_name(person_name), wrong_password(password, login, name))
    if not roles:
        raise AccountRefused("an account needs a role")
    if session.get(User, login) is not None:
        raise AccountRefused(f"there is an account {login!r} already; it can be enabled or given another password")
    user = User(
        login=login,
        name=name,
        person_name=person_name,
        password_hash=hashed(password),
        roles=sorted({Role(role) for role in roles}),
    )
    session.add(user)
    _audit(session, actor, "user.added", user, roles=user.roles)
    tell_of_auditor(session, user, "made", actor=actor)
    return user


def add_first_account(session: Session, *, actor: str, login: str, name: str, password: str) -> User:
    """Adds the administrator with whom everything begins. Raises AccountRefused when there is any account already.

    Of several that ask at once the first gets it: SQLite has one writer, Postgres is told to let one in.
    """
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("LOCK TABLE users IN SHARE ROW EXCLUSIVE MODE"))
    if accounts_exist(session):
        raise AccountRefused("there is an account already: log in, or ask its owner for one of your own")
    return add_account(session, actor=actor, login=login, name=name, roles=(Role.ADMIN,), password=password)


def change_account(
    session: Session, login: str, *, actor: str, name: str = "", person_name: str = "", roles: Sequence[Role] = ()
) -> User:
    """Gives an account another name, DICOM name or roles; what is empty stays. Another role ends its logins.

    With another name the DICOM name is derived again, unless it is given. Documents written before stay as they are.
    Raises AccountRefused when there is no such account, a name cannot be, or nobody would administer any more.
    """
    user = account_of(session, login)
    person_name = person_name or (derived_person_name(name) if name else user.person_name)
    name = name or user.name
    _refuse(wrong_name(name), wrong_person_name(person_name))
    before, roles_before = _said(user), user.roles
    user.name, user.person_name = name, person_name
    wanted: list[str] = sorted({Role(role) for role in roles}) or user.roles
    if wanted != user.roles:
        if Role.ADMIN not in wanted:
            _keep_an_administrator(session, user)
        user.roles = wanted
        user.session_generation += 1
    _audit(session, actor, "user.changed", user, before=before, after=_said(user))
    if Role.AUDITOR not in roles_before:
        tell_of_auditor(session, user, "made", actor=actor)
    return user


def set_enabled(session: Session, login: str, *, enabled: bool, actor: str) -> User:
    """Lets an account log in, or ends its logins and lets it no more.

    Raises AccountRefused when there is none, or when nobody would administer any more.
    """
    user = account_of(session, login)
    before = {"enabled": user.enabled}
    if not enabled:
        _keep_an_administrator(session, user)
    user.enabled = enabled
    if not enabled:
        user.session_generation += 1
    action = "user.enabled" if enabled else "user.disabled"
    _audit(session, actor, action, user, before=before, after={"enabled": enabled})
    if enabled:
        tell_of_auditor(session, user, "enabled", actor=actor)
    return user


def set_password(session: Session, login: str, password: str, *, actor: str) -> User:
    """Gives an account another password and ends its logins. Raises AccountRefused when it is not good enough."""
    user = account_of(session, login)
    _put_password(user, password)
    _audit(session, actor, "user.password", user)
    tell_of_auditor(session, user, "password", actor=actor)
    return user


def set_own_password(session: Session, login: str, password: str, *, password_hash: str, actor: str) -> User:
    """Gives an account the password that its owner wants, and ends its logins; `password_hash` is of the one he gave.

    Raises AccountRefused when the new one is not good enough, or the account was changed meanwhile.
    """
    user = account_of(session, login)
    if user.password_hash != password_hash or not user.enabled:
        raise AccountRefused("the account was changed just now; log in again")
    _put_password(user, password)
    _audit(session, actor, "user.password", user, own=True)
    return user


def _put_password(user: User, password: str) -> None:
    if user.provider is not None:
        raise AccountRefused(f"{user.login} logs in by {user.provider}, which has the password; change it there")
    _refuse(wrong_password(password, user.login, user.name))
    user.password_hash = hashed(password)
    user.session_generation += 1


def _keep_an_administrator(session: Session, leaving: User) -> None:
    """Refuses that the last administrator leaves. The rows are held: two may not disable each other at once."""
    enabled = session.scalars(select(User).where(User.enabled).order_by(User.login).with_for_update()).all()
    administrators = {user.login for user in enabled if Role.ADMIN in user.roles}
    if administrators == {leaving.login}:
        raise AccountRefused(f"{leaving.login} is the last administrator: make somebody else one first")


def _said(user: User) -> dict[str, object]:
    """What of an account can be changed, for the audit trail."""
    return {"name": user.name, "person_name": user.person_name, "roles": list(user.roles)}


def _refuse(*faults: str | None) -> None:
    found = [fault for fault in faults if fault]
    if found:
        raise AccountRefused("; ".join(found))


def _audit(session: Session, actor: str, action: str, user: User, **detail: object) -> None:
    audit(session, actor=actor, action=action, outcome=Outcome.SUCCESS, subject=user.login, **detail)
