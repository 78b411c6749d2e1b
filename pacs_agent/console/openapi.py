"""The JSON API as an OpenAPI 3.1 document, made of the models that write and read its JSON."""

import json
import re
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, Literal

from flask import Blueprint, Flask, Response, current_app
from pydantic import BaseModel, ConfigDict
from pydantic.json_schema import models_json_schema

from pacs_agent import __version__
from pacs_agent.accounts import Role
from pacs_agent.archive import Archive
from pacs_agent.config import Settings
from pacs_agent.console.access import needs
from pacs_agent.console.frame.operations import Operation, Problem, Schema
from pacs_agent.console.frame.room import Room
from pacs_agent.console.readings.blueprint import FHIR_JSON
from pacs_agent.console.readings.models import HeatOfSlice, StudyAnswer
from pacs_agent.db import Database
from pacs_agent.review import ReviewNow, ReviewRequest

PATH = "/api/v1/openapi.json"
_REF = "#/components/schemas/{model}"
_UID = {"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)*$", "maxLength": 64}
_UIDS = ("study", "instance")
_AS_VALIDATED: Literal["validation"] = "validation"
JSON = "application/json"


class _Model(BaseModel):
    model_config = ConfigDict(use_attribute_docstrings=True)


class Credentials(_Model):
    """Who logs in."""

    login: str
    password: str


class SessionNow(_Model):
    """Who is logged in."""

    login: str
    name: str
    roles: tuple[Role, ...]
    csrf: str
    """To be sent as X-CSRF-Token with every request that changes something."""


class Here(_Model):
    """Whether the panel of a study is open."""

    here: bool


class Others(_Model):
    """Who else has the study open."""

    others: tuple[str, ...]


class Conflict(Problem):
    """Who saved meanwhile. `version` 0: nobody did, but there is a newer result."""

    by: str
    at: str | None
    version: int


STUDY = "/api/v1/studies/{study}"
OPERATIONS: Sequence[Operation] = (
    Operation("get", "/api/v1/session", "Who is logged in", {200: SessionNow, 401: Problem}),
    Operation(
        "post",
        "/api/v1/session",
        "Log in",
        {200: SessionNow, 400: Problem, 401: Problem, 403: Problem, 415: Problem, 429: Problem},
        Credentials,
    ),
    Operation("delete", "/api/v1/session", "Log out", {204: None, 401: Problem, 403: Problem}),
    Operation(
        "get",
        f"{STUDY}/result",
        "What there is of a study, state none of an unknown one. Its ETag with If-None-Match makes polls cheap",
        {200: StudyAnswer, 304: None, 400: Problem, 401: Problem, 403: Problem},
    ),
    Operation(
        "get",
        f"{STUDY}/heat/{{finding}}/{{instance}}",
        "Where a finding lies in one slice that was read",
        {200: HeatOfSlice, 400: Problem, 401: Problem, 403: Problem, 404: Problem},
        query={"job": {"type": "string"}, "frame": {"type": "integer", "minimum": 1}},
    ),
    Operation(
        "get",
        f"{STUDY}/diagnostic-report",
        "The reading as FHIR R4 DiagnosticReport, where results.fhir is on",
        {200: FHIR_JSON, 400: Problem, 401: Problem, 403: Problem, 404: Problem},
        query={"job": {"type": "string"}},
    ),
    Operation(
        "get",
        f"{STUDY}/events",
        "News of a study as server-sent events: changed (ask for the result again), reviewers (who else is here)",
        {200: "text/event-stream", 400: Problem, 401: Problem, 403: Problem, 503: Problem},
    ),
    Operation(
        "post",
        f"{STUDY}/review",
        "Save a review of a result; with verify also the verified report",
        {201: ReviewNow, 400: Problem, 401: Problem, 403: Problem, 409: Conflict, 422: Problem},
        ReviewRequest,
    ),
    Operation(
        "post",
        f"{STUDY}/reviewers",
        "Say every 20 s that the study is open, and hear who else has it open",
        {200: Others, 400: Problem, 401: Problem, 403: Problem, 422: Problem},
        Here,
    ),
    Operation("get", PATH, "This document", {200: JSON}),
)
"""What is served by plain routes. The console's rooms say themselves what they understand (`Room.operations`)."""


def openapi_blueprint(_settings: Settings, _database: Database, _archive: Archive) -> Blueprint:
    """Serves the document."""
    blueprint = Blueprint("openapi", __name__)

    @blueprint.get(PATH)
    @needs(*Role)
    def openapi() -> Response:
        return Response(json.dumps(openapi_document(operations_of(current_app))), content_type=JSON)

    return blueprint


def operations_of(app: Flask) -> tuple[Operation, ...]:
    """All that the application's JSON API understands; a test compares it with what is served."""
    rooms = (one for one in app.blueprints.values() if isinstance(one, Room))
    return (*OPERATIONS, *(operation for room in rooms for operation in room.operations))


def openapi_document(operations: Sequence[Operation]) -> dict[str, Any]:
    """The whole document."""
    schemas = _schemas(operations)
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method] = _operation(operation)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "PACS agent",
            "version": __version__,
            "description": "What the radiologist's panel and the console read and write. docs/api.md tells the story.",
        },
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "session": {"type": "apiKey", "in": "cookie", "name": "__Host-pacs-agent"},
                "token": {"type": "http", "scheme": "bearer"},
            },
        },
        "security": [{"session": []}, {"token": []}],
    }


def _operation(operation: Operation) -> dict[str, Any]:
    described: dict[str, Any] = {
        "summary": operation.summary,
        "responses": {str(status): _answer(status, kind) for status, kind in operation.answers.items()},
    }
    parameters = [*_path_parameters(operation.path), *_query_parameters(operation.query), *_asked(operation)]
    if parameters:
        described["parameters"] = parameters
    if operation.upload is not None:
        described["requestBody"] = {"required": True, "content": {"multipart/form-data": {"schema": _parts(operation)}}}
    elif operation.body is not None:
        described["requestBody"] = {"required": True, "content": {JSON: {"schema": _reference(operation.body)}}}
    return described


def _path_parameters(path: str) -> list[dict[str, Any]]:
    names = re.findall(r"{(\w+)}", path)
    return [
        {"name": name, "in": "path", "required": True, "schema": _UID if name in _UIDS else {"type": "string"}}
        for name in names
    ]


def _query_parameters(query: Mapping[str, Schema]) -> list[dict[str, Any]]:
    return [{"name": name, "in": "query", "schema": schema} for name, schema in query.items()]


def _asked(operation: Operation) -> list[dict[str, Any]]:
    """The query's parameters from its model. It must have plain fields alone: text, numbers, choices."""
    if operation.asked is None:
        return []
    schema = operation.asked.model_json_schema(ref_template=_REF)
    required = schema.get("required", ())
    return [
        {"name": name, "in": "query", "required": name in required, "schema": part}
        for name, part in schema["properties"].items()
    ]


def _parts(operation: Operation) -> dict[str, Any]:
    """The parts of a multipart body: the file, and the fields of the body's model."""
    file = {
        "type": "object",
        "required": [operation.upload],
        "properties": {operation.upload: {"type": "string", "format": "binary"}},
    }
    return file if operation.body is None else {"allOf": [_reference(operation.body), file]}


def _answer(status: int, kind: type[BaseModel] | str | None) -> dict[str, Any]:
    described: dict[str, Any] = {"description": HTTPStatus(status).phrase}
    if isinstance(kind, str):
        described["content"] = {kind: {}}
    elif kind is not None:
        described["content"] = {JSON: {"schema": _reference(kind)}}
    return described


def _reference(kind: type[BaseModel]) -> dict[str, str]:
    return {"$ref": _REF.format(model=re.sub(r"\W", "_", kind.__name__))}


def _schemas(operations: Sequence[Operation]) -> dict[str, Any]:
    """The schemas of all models, by name. As validated: a field that may be left out on the wire has a default."""
    answers = {kind for one in operations for kind in one.answers.values() if isinstance(kind, type)}
    models = answers | {one.body for one in operations if one.body is not None}
    models |= {one.asked for one in operations if one.asked is not None}
    wanted = [(kind, _AS_VALIDATED) for kind in sorted(models, key=lambda kind: kind.__name__)]
    _, document = models_json_schema(wanted, ref_template=_REF)
    return dict(document["$defs"])
