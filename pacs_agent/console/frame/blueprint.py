"""The frame's own part of the application: templates that all rooms share, and the files that pages load."""

from typing import Any

from flask import Blueprint, Response, request, send_from_directory

from pacs_agent.archive import Archive
from pacs_agent.config import Settings
from pacs_agent.console.access import current_person, open_to_all
from pacs_agent.console.frame.live import add_live
from pacs_agent.console.frame.navigation import entries_for, is_here
from pacs_agent.console.frame.policy import set_policy
from pacs_agent.console.frame.shown import set_filters
from pacs_agent.db import Database

VENDOR = "vendor/"
VENDOR_AGE_S = 86400
"""Files of other people change with a new version of the agent alone; ours are asked for anew, which costs a 304."""


def frame_blueprint(settings: Settings, database: Database, _archive: Archive) -> Blueprint:
    """`/console/static/...`, which needs no login: the same files for everybody, without data. And the news."""
    blueprint = Blueprint("frame", __name__, template_folder="pages")

    @blueprint.get("/console/static/<path:file>")
    @open_to_all
    def static(file: str) -> Response:
        age_s = VENDOR_AGE_S if file.startswith(VENDOR) else 0
        return send_from_directory(f"{blueprint.root_path}/static", file, max_age=age_s)

    add_live(blueprint, settings, database)
    blueprint.record_once(lambda state: _prepare(state.app))
    return blueprint


def _prepare(app: Any) -> None:
    set_filters(app)
    set_policy(app)

    def around() -> dict[str, Any]:
        """What the frame around every page needs."""
        person = current_person()
        shown = [(entry, is_here(entry, request.path)) for entry in entries_for(person)]
        return {"navigation": shown, "person": person}

    app.jinja_env.globals["around"] = around
