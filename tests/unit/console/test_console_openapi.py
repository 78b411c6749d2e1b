"""The OpenAPI document says what the application serves, and docs/api.md names all of it."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from people import app_of
from studies_read import ANSWER

from pacs_agent.console.openapi import openapi_document, operations_of
from pacs_agent.db import Database

HEAT = ANSWER.parent / "heat.json"
PAGE = Path(__file__).resolve().parents[3] / "docs" / "api.md"


@pytest.fixture
def app(database: Database, tmp_path: Path) -> Flask:
    return app_of(database, tmp_path)


def test_it_has_each_request_that_is_served_and_no_other(app: Flask) -> None:
    served = {
        (method.lower(), re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule))
        for rule in app.url_map.iter_rules()
        if rule.rule.startswith("/api/")
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    assert served == {(one.method, one.path) for one in operations_of(app)}


def test_it_is_served_to_whoever_may_ask(app: Flask) -> None:
    response = app.test_client().get("/api/v1/openapi.json")
    assert response.json == json.loads(json.dumps(openapi_document(operations_of(app))))
    assert response.json["openapi"] == "3.1.0"


def test_every_reference_leads_somewhere(app: Flask) -> None:
    document = openapi_document(operations_of(app))
    references = list(_references(document))
    assert references
    for reference in references:
        place: Any = document
        for part in reference.removeprefix("#/").split("/"):
            place = place[part]


@pytest.mark.parametrize(("file", "schema"), [(ANSWER, "StudyAnswer"), (HEAT, "HeatOfSlice")])
def test_the_answers_that_the_plugin_is_tested_with_fit_it(app: Flask, file: Path, schema: str) -> None:
    schemas = openapi_document(operations_of(app))["components"]["schemas"]
    assert list(_faults(json.loads(file.read_text()), schemas[schema], schemas)) == []


def test_the_page_about_the_api_names_every_request(app: Flask) -> None:
    page = PAGE.read_text()
    missing = [one for one in operations_of(app) if f"`{one.method.upper()} {one.path}`" not in page]
    assert not missing


def _references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for value in node.values():
            yield from _references(value)
    elif isinstance(node, list):
        for value in node:
            yield from _references(value)


def _faults(value: Any, schema: dict[str, Any], schemas: dict[str, Any], at: str = "") -> Iterator[str]:
    """Fields that the schema does not have, and fields that it demands and the value does not have."""
    if "$ref" in schema:
        schema = schemas[schema["$ref"].rsplit("/", 1)[1]]
    if "anyOf" in schema:
        schema = next((one for one in schema["anyOf"] if (one.get("type") == "null") == (value is None)), {})
        yield from _faults(value, schema, schemas, at) if schema else [f"{at}: fits nothing"]
    elif isinstance(value, dict):
        known = schema.get("properties", {})
        yield from (f"{at}.{name}" for name in set(value) ^ set(known))
        for name in set(value) & set(known):
            yield from _faults(value[name], known[name], schemas, f"{at}.{name}")
    elif isinstance(value, list) and "items" in schema:
        for index, item in enumerate(value):
            yield from _faults(item, schema["items"], schemas, f"{at}[{index}]")
