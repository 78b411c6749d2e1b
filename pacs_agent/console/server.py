"""The web server as a process: the application served by waitress."""

import threading
from contextlib import closing
from typing import Any

from waitress import wasyncore  # type: ignore[import-untyped]
from waitress.server import create_server  # type: ignore[import-untyped]
from waitress.trigger import trigger  # type: ignore[import-untyped]

from pacs_agent.accounts import accounts_exist
from pacs_agent.archive import Archive
from pacs_agent.config import Settings, WebSettings
from pacs_agent.console.app import MEBIBYTE, create_app
from pacs_agent.console.ending import end_all
from pacs_agent.console.secure_start import check_secure
from pacs_agent.db import Database
from pacs_agent.ops import get_log
from pacs_agent.ops.stopping import stop_signal

log = get_log("web")


class WebServer:
    """The application served by waitress, in threads."""

    def __init__(self, settings: Settings, database: Database, archive: Archive) -> None:
        """Binds the port. Raises InsecureStart when patient data would be open, OSError when it cannot be bound."""
        with database.reading() as session:
            check_secure(settings.web, accounts=accounts_exist(session))
        self._host = settings.web.host
        self._sockets: dict[int, Any] = {}
        self._app = create_app(settings, database, archive)
        self._server = create_server(
            self._app,
            map=self._sockets,
            host=settings.web.host,
            port=settings.web.port,
            threads=settings.web.threads,
            max_request_body_size=settings.web.max_stow_mb * MEBIBYTE,
            ident=None,
            clear_untrusted_proxy_headers=True,
            channel_request_lookahead=1,  # a view can ask then whether its client has gone
            **_proxy_trusted(settings.web),
        )
        self._closing = trigger(self._sockets)
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
        end_all(self._app)
        self._server.task_dispatcher.shutdown()
        self._close_sockets()  # waitress serves until none is left
        if self._thread is not None:
            self._thread.join(timeout=10)
            self._thread = None  # a second stop has nothing to pull

    def _close_sockets(self) -> None:
        """Closes them in the thread that waits for them: it would stumble over one that another thread closed.

        Nobody else pulls this trigger: one that waitress pulls as well could be closed between two pulls.
        """
        if self._thread is None:
            wasyncore.close_all(self._sockets, ignore_all=True)
        else:
            self._closing.pull_trigger(lambda: wasyncore.close_all(self._sockets, ignore_all=True))


def _proxy_trusted(settings: WebSettings) -> dict[str, Any]:
    """What waitress believes of the TLS proxy: who asks, and how the page was reached."""
    if not settings.behind_tls_proxy:
        return {}
    believed = {f"x-forwarded-{name}" for name in ("for", "host", "port", "proto")}
    return {"trusted_proxy": settings.proxy_address, "trusted_proxy_headers": believed}


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
