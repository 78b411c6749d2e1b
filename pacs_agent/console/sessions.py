"""Login sessions: a signed cookie that names the account, its generation and the login; the database has the last word.

A session ends with its time, at logout, and when the account is disabled or gets another password.
"""

import secrets
import time
from datetime import timedelta

from flask import Flask, session
from flask_login import LoginManager, UserMixin, current_user, login_user, logout_user
from flask_wtf import CSRFProtect
from sqlalchemy import delete

from pacs_agent.accounts import with_included
from pacs_agent.config import Settings
from pacs_agent.console.access import Person
from pacs_agent.console.signing_key import signing_key
from pacs_agent.db import Database, EndedSession, User, utc_now
from pacs_agent.ops import Outcome, audit

LONGEST_SESSION = timedelta(hours=24)


class LoggedIn(UserMixin):  # type: ignore[misc]
    """The person of a login, as Flask-Login keeps it."""

    def __init__(self, user: User) -> None:
        self._id = f"{user.session_generation}:{user.login}"
        self.person = Person(user.login, user.name, with_included(user.roles), user.person_name)

    def get_id(self) -> str:
        """Login and generation of the account; a later generation does not know it."""
        return self._id


def set_sessions(app: Flask, settings: Settings, database: Database) -> None:
    """Lets the application know who is logged in.

    Secure cookies carry the prefix __Host- (RFC 6265bis 4.1.3.2); the others the port, as cookies know none.
    """
    secure = settings.web.behind_tls_proxy
    app.secret_key = signing_key(settings.data_dir)
    app.config.update(
        SESSION_COOKIE_NAME="__Host-pacs-agent" if secure else f"pacs-agent-{settings.web.port}",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_SECURE=secure,
        SESSION_REFRESH_EACH_REQUEST=False,
        PERMANENT_SESSION_LIFETIME=timedelta(hours=settings.web.session_hours),
        WTF_CSRF_CHECK_DEFAULT=False,  # the guard knows which requests need it
        WTF_CSRF_SSL_STRICT=False,  # the guard looks at the origin
        WTF_CSRF_TIME_LIMIT=None,  # as long as the session
    )
    CSRFProtect(app)
    manager = LoginManager(app)
    oldest_s = settings.web.session_hours * 3600

    @manager.user_loader  # type: ignore[untyped-decorator]
    def load(user_id: str) -> LoggedIn | None:
        if time.time() - session.get("since", 0) > oldest_s:
            return None
        return _load(database, user_id, session.get("sid", ""))


def person_logged_in() -> Person | None:
    """The person whose session cookie came with the request, or None."""
    return current_user.person if current_user.is_authenticated else None


def start_session(user: User) -> Person:
    """Begins a session under a new id; nothing of an earlier one stays."""
    session.clear()
    session.permanent = True
    session["sid"] = secrets.token_urlsafe(32)
    session["since"] = int(time.time())
    logged_in = LoggedIn(user)
    login_user(logged_in)
    return logged_in.person


def end_session(database: Database, person: Person, address: str) -> None:
    """Ends the session of the request: its cookie is worth nothing from now on, copies too."""
    with database.writing() as rows:
        if "sid" in session:
            rows.merge(EndedSession(id=session["sid"]))
        rows.execute(delete(EndedSession).where(EndedSession.ended_at < utc_now() - LONGEST_SESSION))
        actor = f"{person.login}@{address}"
        audit(rows, actor=actor, action="logout", outcome=Outcome.SUCCESS, subject=person.login)
    logout_user()
    session.clear()


def _load(database: Database, user_id: str, session_id: str) -> LoggedIn | None:
    _, _, login = user_id.partition(":")
    with database.reading() as rows:
        user = rows.get(User, login)
        if user is None or not user.enabled or rows.get(EndedSession, session_id) is not None:
            return None
    logged_in = LoggedIn(user)
    return logged_in if logged_in.get_id() == user_id else None
