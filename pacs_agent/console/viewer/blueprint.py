"""The routes of the viewer: its page, its files, its configuration and our plugin."""

from pathlib import Path

from flask import Blueprint, Response, current_app, render_template_string
from flask.blueprints import BlueprintSetupState
from werkzeug.exceptions import NotFound
from werkzeug.routing import PathConverter

from pacs_agent.archive import Archive
from pacs_agent.archive.dicomweb import PREFIX as ARCHIVE_ROOT
from pacs_agent.config import Settings
from pacs_agent.console.access import Role, needs, open_to_all
from pacs_agent.console.viewer.app_config import app_config
from pacs_agent.console.viewer.build import PAGE, ViewerMissing, find_viewer
from pacs_agent.console.viewer.files import file_response
from pacs_agent.console.viewer.plugin import PREFIX, missing_modules, plugin_response
from pacs_agent.console.viewer.policy import WORKER_POLICY, page_policy
from pacs_agent.db import Database
from pacs_agent.ops import get_log

HELP_PAGE = Path(__file__).with_name("missing.html")

log = get_log("viewer")


_OF_OTHERS = r"(?!(?:api|console|dicom-web|pacs)(?:/|$))"
"""Nothing below the interfaces is the viewer's: there, what is not known is 404 for every method."""


class _RoutePath(PathConverter):
    """A route of the viewer."""

    regex = rf"{_OF_OTHERS}[^/].*?"


class _FilePath(PathConverter):
    """A path that ends in a file's name, with a dot; any other path is a route of the viewer."""

    regex = rf"{_OF_OTHERS}(?:[^/]+/)*[^/]*\.[^/]+"
    weight = PathConverter.weight - 1  # asked before the routes


def viewer_blueprint(settings: Settings, _database: Database, _archive: Archive) -> Blueprint:
    """The viewer at `/`. Its pages are for viewers; its files are published software, and open."""
    blueprint = Blueprint("viewer", __name__)
    blueprint.record_once(_know_file_paths)
    _add_pages(blueprint, settings.web.viewer_dir)
    _add_files(blueprint, settings.web.viewer_dir)
    _add_plugin(blueprint, settings)
    return blueprint


def _know_file_paths(state: BlueprintSetupState) -> None:
    state.app.url_map.converters.update(viewer_file=_FilePath, viewer_route=_RoutePath)


def _add_pages(blueprint: Blueprint, folder: Path) -> None:
    @blueprint.get("/")
    @blueprint.get("/<viewer_route:route>")
    @needs(Role.VIEWER)
    def page(route: str = "") -> Response:
        """The one page for every route: the viewer itself looks at the address."""
        if route.partition("/")[0] in _taken():
            raise NotFound("there is nothing at this address")
        try:
            viewer = find_viewer(folder)
        except ViewerMissing as missing:
            return _help(str(missing))
        response = file_response(viewer.page)
        response.headers["Content-Security-Policy"] = page_policy(viewer.script_hashes)
        return response


def _add_files(blueprint: Blueprint, folder: Path) -> None:
    @blueprint.get("/<viewer_file:name>")
    @open_to_all
    def file(name: str) -> Response:
        try:
            found = find_viewer(folder).files.get(name)
        except ViewerMissing as missing:
            raise NotFound(str(missing)) from missing
        if found is None or name == PAGE:
            raise NotFound("the viewer has no such file")
        response = file_response(found)
        if found.suffix in (".js", ".mjs"):
            response.headers["Content-Security-Policy"] = WORKER_POLICY
        return response


def _add_plugin(blueprint: Blueprint, settings: Settings) -> None:
    @blueprint.get("/app-config.js")
    @open_to_all
    def configuration() -> Response:
        if missing := missing_modules(settings.web.plugin_dir):
            log.warning("plugin not built", missing=missing, folder=str(settings.web.plugin_dir), run="make viewer")
        response = Response(app_config(settings.web), content_type="text/javascript; charset=utf-8")
        response.headers["Cache-Control"] = "no-store"
        return response

    @blueprint.get(f"{PREFIX}/<name>")
    @open_to_all
    def plugin(name: str) -> Response:
        return plugin_response(settings.web.plugin_dir, name)


def _taken() -> set[str]:
    """First words of the addresses of other rooms: what they do not answer is no route of the viewer."""
    rules = current_app.url_map.iter_rules()
    return {rule.rule.split("/")[1] for rule in rules} - {""}


def _help(reason: str) -> Response:
    """A page that says what to run, in the place of the viewer."""
    text = render_template_string(HELP_PAGE.read_text(encoding="utf-8"), reason=reason, archive=ARCHIVE_ROOT)
    response = Response(text, status=503, content_type="text/html; charset=utf-8")
    response.headers["Content-Security-Policy"] = page_policy(())
    response.headers["Cache-Control"] = "no-store"
    return response
