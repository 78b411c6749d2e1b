"""The guard before every view: who asks, may he, and did his own page ask. A view without a decision is for nobody."""

import hmac
from urllib.parse import urlsplit

from flask import Flask, current_app, g, request
from flask_wtf.csrf import CSRFError
from werkzeug.exceptions import Forbidden, Unauthorized

from pacs_agent.accounts import Role, accounts_exist, token_used, with_included
from pacs_agent.config import WebSettings
from pacs_agent.console.access import ANONYMOUS, MACHINE, Person, needed_roles
from pacs_agent.console.secure_start import is_loopback, is_open
from pacs_agent.console.sessions import person_logged_in
from pacs_agent.db import Database

SAFE_METHODS = frozenset(("GET", "HEAD", "OPTIONS"))
PROBES = frozenset(("health.healthz", "health.readyz"))
FIGURES = "health.metrics"
"""Without patient data: a Prometheus of this machine needs no token."""


class Guard:
    """Decides on every request of one application."""

    def __init__(self, settings: WebSettings, database: Database) -> None:
        self._settings = settings
        self._database = database
        self._token = settings.token.get_secret_value().encode() if settings.token else None
        self._has_accounts = False

    def check(self) -> None:
        """Lets the request pass and notes its person. Raises Unauthorized or Forbidden."""
        if request.endpoint in PROBES or (request.endpoint == FIGURES and asks_locally()):
            return
        self._refuse_plain()
        self._refuse_foreign()
        view = current_app.view_functions[request.endpoint] if request.endpoint else None
        roles = needed_roles(view) if view else None
        if roles == frozenset():
            return
        g.person = self._who()
        if view and not g.person.may(*(roles or ())):
            raise Forbidden(f"this needs the role {' or '.join(sorted(roles or ['of nobody']))}; ask an administrator")

    def _who(self) -> Person:
        scheme, _, given = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            return self._machine(given.strip())
        person = person_logged_in()
        if person is not None:
            check_csrf()
            return person
        if self._is_open():
            return ANONYMOUS
        raise Unauthorized("log in, or send the bearer token")

    def _machine(self, given: str) -> Person:
        """Whoever has this token. That of the settings is compared in constant time: it may have few bits."""
        if self._token is not None and hmac.compare_digest(given.encode(), self._token):
            return MACHINE
        token = token_used(self._database, given)
        if token is None:
            raise Unauthorized("this is no bearer token, or one that has expired or was revoked")
        roles = with_included(token.roles) - {Role.REVIEWER}
        return Person(f"token:{token.name}", f"token {token.name}", roles, machine=True)

    def _is_open(self) -> bool:
        """Whether anybody on this machine may ask. The name asked for counts: a page may point its own at us."""
        return may_begin(self._settings) and not self._accounts()

    def _accounts(self) -> bool:
        """Accounts are never removed: once there are some there always are."""
        if not self._has_accounts:
            with self._database.reading() as session:
                self._has_accounts = accounts_exist(session)
        return self._has_accounts

    def _refuse_plain(self) -> None:
        if self._settings.behind_tls_proxy and not request.is_secure:
            raise Forbidden(
                "this did not come through the TLS proxy, or the proxy does not say X-Forwarded-Proto: https "
                "(web.proxy_address)"
            )

    def _refuse_foreign(self) -> None:
        """Browsers say which page sends a changing request (RFC 6454 7.3); machines say nothing."""
        origin = request.headers.get("Origin")
        if request.method in SAFE_METHODS or origin is None or origin in self._settings.viewer_origins:
            return
        if urlsplit(origin).netloc != request.host:
            raise Forbidden("a page of another origin sent this; web.viewer_origins has the origins that may")


def may_begin(settings: WebSettings) -> bool:
    """Whether whoever asks sits at this machine, and nothing was set up yet that says who may."""
    return (
        is_open(settings)
        and is_loopback(request.remote_addr or "")
        and is_loopback(urlsplit(f"//{request.host}").hostname or "")
    )


def asks_locally() -> bool:
    """Whether the request comes from this machine, and by its own name for itself: a page may point another at us."""
    host = urlsplit(f"//{request.host}").hostname or ""
    return is_loopback(request.remote_addr or "") and is_loopback(host)


def set_guard(app: Flask, settings: WebSettings, database: Database) -> None:
    """Puts the guard before every request of the application."""
    app.before_request(Guard(settings, database).check)


def check_csrf() -> None:
    """Raises Forbidden when a changing request does not carry the token of its session."""
    try:
        current_app.extensions["csrf"].protect()
    except CSRFError as error:
        raise Forbidden(
            "the header X-CSRF-Token is missing or not that of this login; GET /api/v1/session gives it"
        ) from error
