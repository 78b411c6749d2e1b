"""The routes of the readings API, below `/api/v1`."""

from typing import Any

from flask import Blueprint, Response, jsonify, request
from pydantic import BaseModel
from werkzeug.exceptions import BadRequest, HTTPException

from pacs_agent.archive import Archive
from pacs_agent.config import Settings
from pacs_agent.console.access import Role, needs
from pacs_agent.console.readings.answer import study_answer
from pacs_agent.console.readings.heat import heat_of_slice
from pacs_agent.console.readings.readings import Readings
from pacs_agent.console.readings.version import version
from pacs_agent.db import Database
from pacs_agent.receive.intake import is_uid

PREFIX = "/api/v1"
_STUDY = "/studies/<study>"
_REVALIDATED = "private, no-cache"
_KEPT = "private, max-age=31536000, immutable"


def readings_blueprint(settings: Settings, database: Database, archive: Archive) -> Blueprint:
    """What the panel reads: the result of a study, the heat of its findings, and news of both."""
    blueprint = Blueprint("readings", __name__, url_prefix=PREFIX)
    blueprint.url_value_preprocessor(_check_uids)
    blueprint.register_error_handler(HTTPException, _error_in_json)
    readings = Readings()
    _add_result(blueprint, settings, database, archive, readings)
    _add_heat(blueprint, settings, database, readings)
    return blueprint


def _check_uids(_endpoint: str | None, values: dict[str, Any] | None) -> None:
    for name in ("study", "instance"):
        uid = (values or {}).get(name)
        if uid is not None and not is_uid(uid):
            raise BadRequest(f"the {name} in the path is not a UID: digits and dots, at most 64 characters")


def _add_result(
    blueprint: Blueprint, settings: Settings, database: Database, archive: Archive, readings: Readings
) -> None:
    @blueprint.get(f"{_STUDY}/result")
    @needs(Role.VIEWER)
    def result(study: str) -> Response:
        with database.reading() as session:
            now = version(session, study)
            if request.if_none_match.contains(now):
                response = Response(status=304)
            else:
                response = _json(study_answer(session, archive, settings, readings, study))
        response.set_etag(now)
        response.headers["Cache-Control"] = _REVALIDATED
        return response


def _add_heat(blueprint: Blueprint, settings: Settings, database: Database, readings: Readings) -> None:
    tokens = settings.data_dir / "tokens"

    @blueprint.get(f"{_STUDY}/heat/<finding>/<instance>")
    @needs(Role.VIEWER)
    def heat(study: str, finding: str, instance: str) -> Response:
        job_id, frame_number = request.args.get("job"), _frame_number(request.args.get("frame"))
        with database.reading() as session:
            reading = readings.of_study(session, study, job_id)
        response = _json(heat_of_slice(reading, finding, instance, frame_number, tokens))
        response.headers["Cache-Control"] = _KEPT if job_id else _REVALIDATED
        return response


def _frame_number(value: str | None) -> int | None:
    """PS3.3 10.3: frames are numbered from 1."""
    if value is None:
        return None
    if not (value.isascii() and value.isdigit() and 0 < len(value) < 10 and int(value)):
        raise BadRequest("frame must be a whole number from 1")
    return int(value)


def _json(model: BaseModel) -> Response:
    return Response(model.model_dump_json(), content_type="application/json")


def _error_in_json(error: HTTPException) -> tuple[Response, int]:
    return jsonify(error=error.description), error.code or 500
