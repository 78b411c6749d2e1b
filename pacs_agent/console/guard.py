"""The guard before every view: who asks, and may he. A view without a decision is given to nobody."""

import hmac

from flask import Flask, current_app, g, request
from werkzeug.exceptions import Forbidden, Unauthorized

from pacs_agent.config import WebSettings
from pacs_agent.console.access import ANONYMOUS, MACHINE, Person, needed_roles


def set_guard(app: Flask, settings: WebSettings) -> None:
    """Puts the guard before every request of the application."""
    expected = f"Bearer {settings.token.get_secret_value()}".encode() if settings.token else None

    def who() -> Person:
        """Compares in constant time: the time taken tells nothing of the token."""
        if expected is None:
            return ANONYMOUS
        if hmac.compare_digest(request.headers.get("Authorization", "").encode(), expected):
            return MACHINE
        raise Unauthorized("a bearer token is needed")

    def check() -> None:
        view = current_app.view_functions.get(request.endpoint) if request.endpoint else None
        roles = needed_roles(view) if view else None
        if roles == frozenset():
            return
        g.person = who()
        if view is not None and (roles is None or not g.person.may(*roles)):
            raise Forbidden(f"this needs the role {' or '.join(sorted(roles or ['of nobody']))}")

    app.before_request(check)
