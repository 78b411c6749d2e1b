"""The web application: every blueprint of the agent, behind one guard."""

from collections.abc import Callable

from flask import Blueprint, Flask

from pacs_agent.archive import Archive
from pacs_agent.archive.dicomweb import dicomweb_blueprint
from pacs_agent.config import Settings
from pacs_agent.console.access import Role, needs
from pacs_agent.console.audit_trail import audit_trail_blueprint
from pacs_agent.console.bring_in import bring_in_blueprint
from pacs_agent.console.cors import set_cors
from pacs_agent.console.errors import set_errors
from pacs_agent.console.frame import frame_blueprint
from pacs_agent.console.guard import set_guard
from pacs_agent.console.health import health_blueprint
from pacs_agent.console.login import login_blueprint
from pacs_agent.console.logs import logs_blueprint
from pacs_agent.console.models import models_blueprint
from pacs_agent.console.openapi import openapi_blueprint
from pacs_agent.console.overview import overview_blueprint
from pacs_agent.console.peers import peers_blueprint
from pacs_agent.console.people import people_blueprint
from pacs_agent.console.proxy import proxy_blueprint
from pacs_agent.console.quality import quality_blueprint
from pacs_agent.console.queue import queue_blueprint
from pacs_agent.console.readings import readings_blueprint
from pacs_agent.console.reviews import reviews_blueprint
from pacs_agent.console.rules import rules_blueprint
from pacs_agent.console.security_headers import set_security_headers
from pacs_agent.console.sessions import set_sessions
from pacs_agent.console.settings import settings_blueprint
from pacs_agent.console.studies import studies_blueprint
from pacs_agent.console.study_views import audit_views
from pacs_agent.console.viewer import viewer_blueprint
from pacs_agent.db import Database
from pacs_agent.receive import Intake

MEBIBYTE = 1 << 20

Room = Callable[[Settings, Database, Archive], Blueprint]


def archive_blueprint(_settings: Settings, database: Database, archive: Archive) -> Blueprint:
    """DICOMweb over the agent's own archive."""
    blueprint = dicomweb_blueprint(archive, Intake(database, archive))
    audit_views(blueprint, database, source="archive")
    return blueprint


ROOMS: tuple[Room, ...] = (
    health_blueprint,
    login_blueprint,
    frame_blueprint,
    overview_blueprint,
    logs_blueprint,
    studies_blueprint,
    queue_blueprint,
    archive_blueprint,
    readings_blueprint,
    reviews_blueprint,
    peers_blueprint,
    bring_in_blueprint,
    rules_blueprint,
    models_blueprint,
    quality_blueprint,
    audit_trail_blueprint,
    people_blueprint,
    settings_blueprint,
    openapi_blueprint,
    proxy_blueprint,
    viewer_blueprint,
)
"""What the application consists of. A new room is a function that gives a blueprint, and one line here."""


def create_app(settings: Settings, database: Database, archive: Archive) -> Flask:
    """The application. Every view says who may see it (`access.needs`); one that does not is given to nobody.

    Raises InsecureStart when the key that signs logins is not ours alone.
    """
    app = Flask("pacs_agent", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = settings.web.max_stow_mb * MEBIBYTE
    set_errors(app)
    set_security_headers(app, settings.web)
    set_cors(app, settings.web.viewer_origins)
    set_sessions(app, settings, database)
    set_guard(app, settings.web, database)
    for room in ROOMS:
        app.register_blueprint(room(settings, database, archive))
    _decide_dicomweb(app)
    return app


def _decide_dicomweb(app: Flask) -> None:
    """The archive's room knows nothing of people: who may ask it is decided here. Images come from machines."""
    for rule in app.url_map.iter_rules():
        if rule.endpoint.startswith("dicomweb."):
            stores = "POST" in (rule.methods or ())
            needs(Role.OPERATOR if stores else Role.VIEWER)(app.view_functions[rule.endpoint])
