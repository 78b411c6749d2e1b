"""The JSON API against its own OpenAPI document: whatever is asked, nothing breaks, and answers are as described."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
import schemathesis
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from people import app_of
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import Failure, FailureGroup
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from studies_listed import add_job, add_studies

from pacs_agent.accounts import TOKEN_ROLES, Role, make_token
from pacs_agent.console.openapi import openapi_document, operations_of
from pacs_agent.db import Database, JobState

pytestmark = pytest.mark.slow
CHECKS = [
    not_a_server_error,
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
]
LEFT_OUT = ("/events", "/api/v1/session", "/people/", "/peers", "/bring-in", "/settings/test", "/models/upload")
"""Streams that do not end, what ends the own login, and acts that ask other machines."""
REACHES_OUT = ("/echo", "/test", "/find", "/pull", "/again")
EXAMPLES = 8
NEGATIVE = schemathesis.GenerationMode.NEGATIVE


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory, new_database: Callable[[Path], Database]) -> Flask:
    folder = tmp_path_factory.mktemp("schemathesis")
    database = new_database(folder)
    (study,) = add_studies(database, "Lovelace^Ada")
    jobs = [add_job(database, study, state) for state in (JobState.FAILED, JobState.DONE)]
    with database.writing() as session:
        token, given = make_token(session, actor="test", own=Role, name="schemathesis", roles=TOKEN_ROLES, days=1)
        token.id = 4711  # a number that nobody tries to revoke
    app = app_of(database, folder)
    app.config["HEADERS_OF_TEST"] = {"Authorization": f"Bearer {given}"}
    app.config["KNOWN"] = {"study": study, "job": jobs[0], "line": 1}
    return app


def is_asked(method: str, path: str) -> bool:
    if method == "get":
        return not path.endswith("/events")
    return not path.endswith(REACHES_OUT) and not any(part in path for part in LEFT_OUT)


def test_nothing_that_is_asked_breaks_it(app: Flask) -> None:
    document = openapi_document(operations_of(app))
    schema = schemathesis.openapi.from_dict(document)
    schema.app = app
    schema.config.generation.update(with_security_parameters=False)
    faults: list[str] = []
    codes: Counter[int] = Counter()
    asked = 0
    for result in schema.get_all_operations():
        operation = result.ok()
        if not is_asked(operation.method, operation.path):
            continue
        asked += 1

        @settings(
            max_examples=EXAMPLES,
            deadline=None,
            database=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy() | operation.as_strategy(generation_mode=NEGATIVE), is_known=st.booleans())
        def ask(case: schemathesis.Case, is_known: bool) -> None:
            if is_known:  # else hardly a name in a path is one that there is
                known = {name: value for name, value in app.config["KNOWN"].items() if name in case.path_parameters}
                case.path_parameters.update(known)
            response = case.call(headers=app.config["HEADERS_OF_TEST"])
            codes[response.status_code] += 1
            case.validate_response(response, checks=CHECKS)

        try:
            ask()
        except (FailureGroup, Failure) as error:
            found = error.exceptions if isinstance(error, FailureGroup) else (error,)
            faults += [f"{operation.method.upper()} {operation.path}: {one.title} {one.message}"[:600] for one in found]
    assert asked > 60
    assert codes[200] > 80, codes
    assert codes[401] == 0, codes
    assert not faults, "\n\n".join(faults)
