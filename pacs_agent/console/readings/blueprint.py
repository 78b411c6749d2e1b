"""The routes of the readings API, below `/api/v1`."""

import json
from typing import Any

from flask import Blueprint, Response, request
from pydantic import BaseModel
from werkzeug.exceptions import BadRequest, NotFound, ServiceUnavailable

from pacs_agent.archive import Archive
from pacs_agent.config import Settings, WebSettings
from pacs_agent.console.access import Role, current_person, needs
from pacs_agent.console.ending import at_the_end
from pacs_agent.console.readings.answer import study_answer
from pacs_agent.console.readings.diagnostic_report import diagnostic_report
from pacs_agent.console.readings.events import EventStream
from pacs_agent.console.readings.heat import heat_of_slice
from pacs_agent.console.readings.readings import Readings
from pacs_agent.console.readings.sights import look_into
from pacs_agent.console.readings.version import version
from pacs_agent.console.readings.watch import Watch
from pacs_agent.console.streams import count_with_others, open_elsewhere, streams_at_most
from pacs_agent.db import Database
from pacs_agent.receive.identity import is_uid

PREFIX = "/api/v1"
_STUDY = "/studies/<study>"
RETRY_AFTER_S = 10
FHIR_JSON = "application/fhir+json"
_REVALIDATED = "private, no-cache"
_KEPT = "private, max-age=31536000, immutable"


def readings_blueprint(settings: Settings, database: Database, archive: Archive) -> Blueprint:
    """What the panel reads: the result of a study, the heat of its findings, and news of both."""
    blueprint = Blueprint("readings", __name__, url_prefix=PREFIX)
    blueprint.url_value_preprocessor(_check_uids)
    readings = Readings()
    _add_result(blueprint, settings, database, archive, readings)
    _add_heat(blueprint, settings, database, readings)
    _add_diagnostic_report(blueprint, settings, database, readings)
    _add_events(blueprint, settings.web, Watch(look_into(database)))
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
            if request.if_none_match.contains_weak(now):  # RFC 9110 13.1.2; a proxy that compresses makes it weak
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


def _add_diagnostic_report(blueprint: Blueprint, settings: Settings, database: Database, readings: Readings) -> None:
    @blueprint.get(f"{_STUDY}/diagnostic-report")
    @needs(Role.VIEWER)
    def fhir(study: str) -> Response:
        if not settings.results.fhir:
            raise NotFound("no FHIR is offered here; an administrator switches it on by results.fhir")
        with database.reading() as session:
            job, reading = readings.job_of_study(session, study, request.args.get("job"))
            said = diagnostic_report(session, job.id, reading)
        response = Response(json.dumps(said, ensure_ascii=False), content_type=FHIR_JSON)
        response.headers["Cache-Control"] = _REVALIDATED
        return response


def _add_events(blueprint: Blueprint, settings: WebSettings, watch: Watch) -> None:
    most = streams_at_most(settings)
    blueprint.record_once(lambda setup: at_the_end(setup.app, watch.close))
    blueprint.record_once(lambda setup: count_with_others(setup.app, watch))

    @blueprint.get(f"{_STUDY}/events")
    @needs(Role.VIEWER)
    def events(study: str) -> Response:
        login, gone = current_person().login, request.environ.get("waitress.client_disconnected", _not_known)
        if not watch.enter(study, most - open_elsewhere(watch)):
            fault = f"{most} studies are watched already, more need web.events_max and web.threads; ask for the result"
            raise ServiceUnavailable(f"{fault} again in {RETRY_AFTER_S} s", retry_after=RETRY_AFTER_S)
        response = Response(EventStream(watch, study, login, gone=gone), content_type="text/event-stream")
        response.headers["Cache-Control"] = "no-store"
        response.headers["X-Accel-Buffering"] = "no"  # nginx would wait for more
        return response


def _not_known() -> bool:
    return False


def _frame_number(value: str | None) -> int | None:
    """PS3.3 10.3: frames are numbered from 1."""
    if value is None:
        return None
    if not (value.isascii() and value.isdigit() and 0 < len(value) < 10 and int(value)):
        raise BadRequest("frame must be a whole number from 1")
    return int(value)


def _json(model: BaseModel) -> Response:
    return Response(model.model_dump_json(), content_type="application/json")
