"""The route of the proxy."""

from flask import Blueprint, Response, request
from werkzeug.exceptions import NotFound, RequestURITooLarge

from pacs_agent.archive import Archive
from pacs_agent.config import PacsDicomWeb, Settings
from pacs_agent.console.access import Role, needs
from pacs_agent.console.proxy.addresses import Readdressed
from pacs_agent.console.proxy.answers import asked_headers, check, given_headers, is_json
from pacs_agent.console.proxy.pacs import Pacs, pieces
from pacs_agent.console.proxy.resources import NoResource, readable_path
from pacs_agent.console.study_views import audit_views
from pacs_agent.db import Database

PREFIX = "/pacs/dicom-web"
_LONGEST_QUERY_BYTES = 8192


def proxy_blueprint(settings: Settings, database: Database, _archive: Archive) -> Blueprint:
    """DICOMweb of the configured PACS, for viewers; without one, an answer that says how to configure it."""
    blueprint = Blueprint("proxy", __name__, url_prefix=PREFIX)
    if settings.web.pacs is None:
        _add_absent(blueprint)
    else:
        _add_reading(blueprint, settings.web.pacs, settings.web.threads)
        audit_views(blueprint, database, source="pacs")
    return blueprint


def _add_reading(blueprint: Blueprint, settings: PacsDicomWeb, threads: int) -> None:
    pacs = Pacs(settings, connections=threads)
    ours = Readdressed(settings.url, PREFIX)

    @blueprint.get("/<path:path>")
    @needs(Role.VIEWER)
    def read(path: str) -> Response:
        resource = _resource(path)
        answer = pacs.ask(request.method, resource, request.query_string, asked_headers(request.headers))
        check(answer)
        body = pieces(answer)
        headers = given_headers(answer)
        if is_json(answer):
            headers.pop("Content-Length", None)  # our addresses are of another length
            body = ours.stream(body)
        response = Response(body, status=answer.status_code, headers=headers)
        response.call_on_close(answer.close)
        return response


def _add_absent(blueprint: Blueprint) -> None:
    @blueprint.get("/<path:path>")
    @needs(Role.VIEWER)
    def absent(path: str) -> Response:
        raise NotFound("no PACS is configured; set web.pacs.url in agent.yaml")


def _resource(path: str) -> str:
    if len(request.query_string) > _LONGEST_QUERY_BYTES:
        raise RequestURITooLarge(f"the query is longer than {_LONGEST_QUERY_BYTES} bytes")
    try:
        return readable_path(path)
    except NoResource as error:
        raise NotFound(str(error)) from error
