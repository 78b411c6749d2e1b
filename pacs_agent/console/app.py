"""The web application: every blueprint of the agent, behind one guard."""

from collections.abc import Callable

from flask import Blueprint, Flask, Response
from werkzeug.exceptions import HTTPException

from pacs_agent.archive import Archive
from pacs_agent.archive.dicomweb import dicomweb_blueprint
from pacs_agent.config import Settings
from pacs_agent.console.access import Role, needs
from pacs_agent.console.guard import set_guard
from pacs_agent.console.health import health_blueprint
from pacs_agent.console.readings import readings_blueprint
from pacs_agent.console.viewer import viewer_blueprint
from pacs_agent.db import Database
from pacs_agent.receive import Intake

MEBIBYTE = 1 << 20

Room = Callable[[Settings, Database, Archive], Blueprint]


def archive_blueprint(_settings: Settings, database: Database, archive: Archive) -> Blueprint:
    """DICOMweb over the agent's own archive."""
    return dicomweb_blueprint(archive, Intake(database, archive))


ROOMS: tuple[Room, ...] = (
    health_blueprint,
    archive_blueprint,
    readings_blueprint,
    viewer_blueprint,
)
"""What the application consists of. A new room is a function that gives a blueprint, and one line here."""


def create_app(settings: Settings, database: Database, archive: Archive) -> Flask:
    """The application. Every view says who may see it (`access.needs`); one that does not is given to nobody."""
    app = Flask("pacs_agent", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = settings.web.max_stow_mb * MEBIBYTE
    app.register_error_handler(HTTPException, _error_in_words)
    set_guard(app, settings.web)
    for room in ROOMS:
        app.register_blueprint(room(settings, database, archive))
    _decide_dicomweb(app)
    return app


def _decide_dicomweb(app: Flask) -> None:
    """The archive's room knows nothing of people: who may ask it is decided here."""
    for endpoint, view in app.view_functions.items():
        if endpoint.startswith("dicomweb."):
            needs(Role.VIEWER)(view)


def _error_in_words(error: HTTPException) -> Response:
    """Errors as plain text: nothing a client sent is ever shown as HTML."""
    headers = {"WWW-Authenticate": "Bearer"} if error.code == 401 else {}
    return Response(
        f"{error.description}\n", status=error.code, content_type="text/plain; charset=utf-8", headers=headers
    )
