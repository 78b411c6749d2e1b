"""The JSON API against its own OpenAPI document: whatever is asked, nothing breaks, and answers are as described."""

import errno
import ipaddress
import socket
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
import schemathesis
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from people import add_person
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import Failure, FailureGroup
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from studies_listed import add_job, add_studies

from pacs_agent.accounts import TOKEN_ROLES, Role, make_token
from pacs_agent.archive import Archive
from pacs_agent.bring_in import begin_pull
from pacs_agent.config import Settings
from pacs_agent.console import create_app
from pacs_agent.console.openapi import openapi_document, operations_of
from pacs_agent.db import Database, Destination, JobState
from pacs_agent.deliver import NewDestination, put_destination
from pacs_agent.ops.outbound import Outbound
from pacs_agent.receive import NewPeer, put_peer

pytestmark = pytest.mark.slow
CHECKS = [
    not_a_server_error,
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
]
LEFT_OUT = ("/events",)
"""Streams, which do not end."""
EXAMPLES = 8
NEGATIVE = schemathesis.GenerationMode.NEGATIVE


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory, new_database: Callable[[Path], Database]) -> Flask:
    folder = tmp_path_factory.mktemp("schemathesis")
    database = new_database(folder)
    (study,) = add_studies(database, "Lovelace^Ada")
    add_person(database, "ada")
    jobs = [add_job(database, study, state) for state in (JobState.FAILED, JobState.DONE)]
    with database.writing() as session:
        token, given = make_token(session, actor="test", own=Role, name="schemathesis", roles=TOKEN_ROLES, days=1)
        token.id = 4711  # a number that nobody tries to revoke
        put_peer(session, NewPeer(ae_title="SCANNER"), actor="test")
        pacs = NewDestination("pacs", "dimse", {"host": "192.0.2.1", "port": 104, "called_ae": "PACS"})
        put_destination(session, pacs, actor="test", outbound=Outbound())
        session.flush()
        pulled = begin_pull(session, session.get_one(Destination, "pacs"), "1.2.3", None, actor="test").id
    bundles = folder / "bundles"
    bundles.mkdir()
    settings = Settings(data_dir=folder, inference={"bundles_dir": bundles})
    app = create_app(settings, database, Archive(database, folder / "archive"))
    app.config["HEADERS_OF_TEST"] = {"Authorization": f"Bearer {given}"}
    known = {"study": study, "job": jobs[0], "line": 1, "login": "ada", "ae_title": "SCANNER", "name": "pacs"}
    app.config["KNOWN"] = {**known, "transfer": pulled}
    return app


@pytest.fixture(autouse=True)
def no_other_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is reached from here: acts that ask other machines find that none answers."""
    resolve = socket.getaddrinfo

    def refuse(_socket: socket.socket, address: object) -> None:
        raise ConnectionRefusedError(errno.ECONNREFUSED, f"nobody is at {address}")

    def resolve_numbers(host: str | bytes | None, *arguments: int, **named: int) -> object:
        try:
            ipaddress.ip_address(host.decode() if isinstance(host, bytes) else host or "")
        except ValueError as error:
            raise socket.gaierror(socket.EAI_NONAME, "no names are known here") from error
        return resolve(host, *arguments, **named)

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", resolve_numbers)


def is_asked(path: str) -> bool:
    return not path.endswith(LEFT_OUT)


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
        if not is_asked(operation.path):
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
    assert asked > 90
    assert codes[200] > 100, codes
    assert not faults, "\n\n".join(faults)
