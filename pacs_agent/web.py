"""The web server: DICOMweb, health, and later the console and the viewer, in one Flask application."""

import hmac
import ipaddress
import threading
from collections.abc import Callable
from contextlib import closing
from typing import Any

from flask import Flask, Response, jsonify, request
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from waitress import wasyncore  # type: ignore[import-untyped]
from waitress.server import create_server  # type: ignore[import-untyped]
from werkzeug.exceptions import HTTPException, Unauthorized

from pacs_agent.archive import Archive
from pacs_agent.archive.dicomweb import dicomweb_blueprint
from pacs_agent.config import Settings, WebSettings
from pacs_agent.db import Database, Study
from pacs_agent.ops import get_log
from pacs_agent.ops.stopping import stop_signal
from pacs_agent.receive import Intake

MEBIBYTE = 1 << 20
OPEN_PATHS = frozenset(("/healthz", "/readyz"))
"""Probes carry no token, and learn nothing."""

log = get_log("web")


class InsecureStart(Exception):
    """The settings would let anyone in the network read and write patient data."""


def create_app(settings: Settings, database: Database, archive: Archive) -> Flask:
    """The application. Every request but a probe needs the bearer token, where one is set."""
    app = Flask("pacs_agent", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = settings.web.max_stow_mb * MEBIBYTE
    app.register_error_handler(HTTPException, _error_in_words)
    app.before_request(_token_check(settings.web))
    app.register_blueprint(dicomweb_blueprint(archive, Intake(database, archive)))
    _add_health(app, database, archive)
    return app


class WebServer:
    """The application served by waitress, in threads."""

    def __init__(self, settings: Settings, database: Database, archive: Archive) -> None:
        """Binds the port. Raises InsecureStart off loopback without a token, OSError when it cannot be bound."""
        check_secure(settings.web)
        self._host = settings.web.host
        self._sockets: dict[int, Any] = {}
        self._server = create_server(
            create_app(settings, database, archive),
            map=self._sockets,
            host=settings.web.host,
            port=settings.web.port,
            threads=settings.web.threads,
            max_request_body_size=settings.web.max_stow_mb * MEBIBYTE,
            ident=None,
            clear_untrusted_proxy_headers=True,
        )
        self._thread: threading.Thread | None = None

    @property
    def port(self) -> int:
        """The TCP port in use; settings may say 0 for any free one."""
        several = getattr(self._server, "effective_listen", None)  # a host name may stand for several addresses
        return int(several[0][1] if several else self._server.effective_port)

    def start(self) -> None:
        """Serves in a thread of its own."""
        self._thread = threading.Thread(target=self._server.run, name="web", daemon=True)
        self._thread.start()
        log.info("serving", host=self._host, port=self.port)

    def stop(self) -> None:
        """Ends the requests being served, and gives the port back."""
        self._server.task_dispatcher.shutdown()
        wasyncore.close_all(self._sockets, ignore_all=True)  # waitress serves until none is left
        if self._thread is not None:
            self._thread.join(timeout=10)


def run_web(settings: Settings) -> None:
    """Serves until SIGTERM or SIGINT. The database must be at this version; call from the main thread.

    Raises InsecureStart, or OSError when the address cannot be bound.
    """
    database = Database(settings.sqlalchemy_url)
    with closing(database), stop_signal() as stopping:
        server = WebServer(settings, database, Archive(database, settings.data_dir / "archive"))
        server.start()
        stopping.wait()
        server.stop()


def check_secure(settings: WebSettings) -> None:
    """Raises InsecureStart when the address is not loopback and no token is set."""
    if settings.token is None and not _is_loopback(settings.host):
        raise InsecureStart(
            f"web.host is {settings.host}, which others can reach, but web.token is not set; "
            "set a token (PACS_AGENT_WEB__TOKEN) or bind 127.0.0.1"
        )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _token_check(settings: WebSettings) -> Callable[[], None]:
    expected = f"Bearer {settings.token.get_secret_value()}".encode() if settings.token else None

    def check() -> None:
        """Compares in constant time: the time taken tells nothing of the token."""
        given = request.headers.get("Authorization", "").encode()
        if expected is not None and request.path not in OPEN_PATHS and not hmac.compare_digest(given, expected):
            raise Unauthorized("a bearer token is needed")

    return check


def _add_health(app: Flask, database: Database, archive: Archive) -> None:
    @app.get("/healthz")
    def healthz() -> Any:
        return jsonify(status="alive")

    @app.get("/readyz")
    def readyz() -> Any:
        checks = {"database": _answers(database), "archive": archive.files.is_writable()}
        ready = all(checks.values())
        return jsonify(status="ready" if ready else "not ready", checks=checks), 200 if ready else 503


def _answers(database: Database) -> bool:
    try:
        with database.reading() as session:
            session.execute(select(Study.id).limit(1))
    except SQLAlchemyError:
        return False
    return True


def _error_in_words(error: HTTPException) -> Response:
    """Errors as plain text: nothing a client sent is ever shown as HTML."""
    headers = {"WWW-Authenticate": "Bearer"} if error.code == 401 else {}
    return Response(
        f"{error.description}\n", status=error.code, content_type="text/plain; charset=utf-8", headers=headers
    )
