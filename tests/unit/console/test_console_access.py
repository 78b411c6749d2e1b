"""Who may ask what: every route has a decision, and the guard keeps it."""

from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.routing import Rule

from pacs_agent.accounts import INCLUDED, Role
from pacs_agent.console.access import current_person, needed_roles, needs
from pacs_agent.db import Database
from tests.unit.console.people import add_person, app_of, log_in

OPEN = {
    "/healthz",
    "/readyz",
    "/login",
    "/login/style.css",
    "/logout",
    "/api/v1/session",
    "/app-config.js",
    "/<viewer_file:name>",
    "/plugins/pacs-agent/<path:name>",
    "/plugins/pacs-agent/<name>",
    "/console/static/<path:file>",
    "/console/first",
}
"""What anybody may ask: probes, the login, and the viewer's programs. None of it is about patients."""

TOKEN = "machine-token"


@pytest.fixture
def app(database: Database, tmp_path: Path) -> Flask:
    add_person(database)
    return app_of(database, tmp_path, token=TOKEN)


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


def roles_of(app: Flask, rule: Rule) -> frozenset[Role] | None:
    return needed_roles(app.view_functions[rule.endpoint])


def test_every_route_has_a_decision(app: Flask) -> None:
    undecided = [
        rule.rule for rule in app.url_map.iter_rules() if needed_roles(app.view_functions[rule.endpoint]) is None
    ]
    assert undecided == []


def test_only_what_is_listed_is_open_to_all(app: Flask) -> None:
    opened = {rule.rule for rule in app.url_map.iter_rules() if not roles_of(app, rule)}
    assert opened <= OPEN


def test_nobody_gets_anything_else(app: Flask, client: FlaskClient) -> None:
    for rule in app.url_map.iter_rules():
        if not roles_of(app, rule) or rule.rule == "/metrics":  # which has its own tests
            continue
        path = rule.build({name: "viewer" if name == "route" else "1" for name in rule.arguments})[1]
        for method in (rule.methods or set()) - {"OPTIONS"}:
            assert client.open(path, method=method).status_code == 401, f"{method} {path}"


def test_a_view_without_a_decision_is_for_nobody(app: Flask) -> None:
    app.add_url_rule("/forgotten", view_func=lambda: "patients")
    assert app.test_client().get("/forgotten", headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 403


def test_roles_are_asked_for(app: Flask, database: Database) -> None:
    @app.get("/review")
    @needs(Role.REVIEWER)
    def review() -> str:
        return f"{current_person().login} {current_person().person_name}"

    add_person(database, "grace", Role.VIEWER)
    ada, grace = app.test_client(), app.test_client()
    log_in(ada), log_in(grace, "grace")
    assert ada.get("/review").text == "ada Lovelace^Ada^^Dr."
    refused = grace.get("/review")
    assert (refused.status_code, refused.text) == (403, "this needs the role reviewer; ask an administrator\n")


@pytest.mark.parametrize("role", Role)
def test_who_is_more_is_also_less(role: Role) -> None:
    assert role in INCLUDED[role]
    assert all(INCLUDED[included] <= INCLUDED[role] for included in INCLUDED[role])
    assert (Role.AUDITOR in INCLUDED[role]) == (role is Role.AUDITOR)


def test_images_come_from_machines_not_from_viewers(client: FlaskClient, database: Database) -> None:
    headers = log_in(client)
    assert client.post("/dicom-web/studies", headers=headers).status_code == 403
    machine = client.post("/dicom-web/studies", headers={"Authorization": f"Bearer {TOKEN}"})
    assert machine.status_code not in (401, 403)


@pytest.mark.parametrize("given", ["", "wrong", TOKEN + "x", "ä"])
def test_a_wrong_token_is_nobody_even_with_a_login(client: FlaskClient, given: str) -> None:
    log_in(client)
    response = client.get("/dicom-web/studies", headers={"Authorization": f"Bearer {given}"})
    assert (response.status_code, response.headers["WWW-Authenticate"]) == (401, "Bearer")


def test_the_token_is_a_machine(client: FlaskClient) -> None:
    response = client.get("/api/v1/session", headers={"Authorization": f"Bearer {TOKEN}"})
    assert response.json == {"login": "token", "name": "token", "roles": ["operator", "viewer"], "csrf": ""}
    assert "Set-Cookie" not in response.headers


def test_people_are_sent_to_the_login_page_and_programs_are_told(client: FlaskClient) -> None:
    page = client.get("/viewer?StudyInstanceUIDs=1.2&x=ä", headers={"Accept": "text/html,*/*;q=0.8"})
    assert page.status_code == 303
    assert page.headers["Location"] == "/login?next=/viewer%3FStudyInstanceUIDs%3D1.2%26x%3D%C3%A4"
    script = client.get("/api/v1/session", headers={"Accept": "text/html"})
    assert (script.status_code, script.json["login"]) == (401, "/login")
    dicomweb = client.get("/dicom-web/studies", headers={"Accept": "text/html"})
    assert (dicomweb.status_code, dicomweb.mimetype) == (401, "text/plain")
    fetched = client.get("/viewer", headers={"Accept": "text/html", "Sec-Fetch-Mode": "cors"})
    assert fetched.status_code == 401


@pytest.mark.parametrize("path", ["/api/v1/nothing", "/console/nothing", "/dicom-web/nothing.x", "/api"])
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_what_no_interface_knows_is_not_the_viewers(client: FlaskClient, path: str, method: str) -> None:
    assert client.open(path, method=method, headers=log_in(client)).status_code == 404


def test_errors_of_interfaces_are_json(client: FlaskClient) -> None:
    response = client.put("/api/v1/session", headers=log_in(client))
    assert response.status_code == 405
    assert set(response.json) == {"error"}
    assert "DELETE" in response.headers["Allow"]


# an agent without accounts and without a token


@pytest.fixture
def open_client(database: Database, tmp_path: Path) -> FlaskClient:
    return app_of(database, tmp_path).test_client()


def test_without_accounts_and_token_this_machine_may_use_dicomweb(open_client: FlaskClient) -> None:
    for host in ("localhost", "127.0.0.1:8080", "[::1]:8080"):
        assert open_client.get("/dicom-web/studies", headers={"Host": host}).status_code == 204
    assert open_client.post("/dicom-web/studies").status_code not in (401, 403)
    assert open_client.get("/api/v1/session").status_code == 401


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "192.0.2.7:8080", "[bad", ""])
def test_a_name_that_was_pointed_at_this_machine_is_not_this_machine(open_client: FlaskClient, host: str) -> None:
    assert open_client.get("/dicom-web/studies", headers={"Host": host}).status_code in (400, 401)


def test_the_first_account_closes_the_door(open_client: FlaskClient, database: Database) -> None:
    assert open_client.get("/dicom-web/studies").status_code == 204
    add_person(database)
    assert open_client.get("/dicom-web/studies").status_code == 401
