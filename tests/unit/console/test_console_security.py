"""The whole surface: every route with its roles, every act with its CSRF token, and what browsers are tricked into.

New rooms are held to this without a word here; what they open wider than others must be listed.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from argon2 import PasswordHasher
from flask import Flask
from flask.testing import FlaskClient
from people import PASSWORD, add_person, app_of, log_in
from sqlalchemy import select
from test_console_login import form_token
from werkzeug.routing import Rule

from pacs_agent.accounts import Role, passwords
from pacs_agent.console.access import needed_roles
from pacs_agent.db import AuditEvent, Database, User

SAFE = {"GET", "HEAD", "OPTIONS"}
OF_ALL = {
    *("/logout", "/api/v1/session", "/api/v1/openapi.json", "/console", "/console/events", "/metrics"),
    *("/console/account", "/console/account/password", "/api/v1/account", "/api/v1/account/password"),
}
"""What everybody who is logged in may ask: about himself, and nothing about patients."""
BEFORE_LOGIN = {("POST", "/login"), ("POST", "/api/v1/session"), ("POST", "/console/first")}
"""Acts that are open to all: they ask for a password, or are over with the first account."""
OF_REVIEWERS = {"/api/v1/studies/<study>/review", "/api/v1/studies/<study>/reviewers"}
ADMINISTRATION = ("people", "tokens", "settings")
HOSTILE = ["%00", "..%2f..%2fetc%2fpasswd", "'%20OR%201=1--", "99999999999999999999", "1.2.3", "%ff%fe", "a" * 500]
ELSEWHERE = [
    *("//evil.example", "https://evil.example", "/\\evil.example", "\\\\evil.example", "/%5cevil.example/../\\x"),
    *("/\t/evil.example", "javascript:alert(1)", "https:evil.example", "http:///evil.example", " //evil.example"),
]


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory, new_database: Callable[[Path], Database]) -> Iterator[Database]:
    """One database for all: nothing here is let through to change it."""
    database = new_database(tmp_path_factory.mktemp("security"))
    yield database
    database.close()


@pytest.fixture(scope="module")
def app(database: Database, tmp_path_factory: pytest.TempPathFactory) -> Flask:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(passwords, "HASHER", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
        for role in Role:
            add_person(database, f"the-{role}", role)
        add_person(database, "everything", *Role)
    return app_of(database, tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def clients(app: Flask) -> dict[str, FlaskClient]:
    """A client of each role, logged in, whose CSRF token comes by itself; and `everything`."""
    found = {}
    for name in (*(f"the-{role}" for role in Role), "everything"):
        client = app.test_client()
        client.environ_base["HTTP_X_CSRF_TOKEN"] = log_in(client, name)["X-CSRF-Token"]
        found[name.removeprefix("the-")] = client
    return found


def rules(app: Flask) -> list[Rule]:
    return [rule for rule in app.url_map.iter_rules() if rule.rule not in OF_ALL]


def acts(app: Flask) -> list[tuple[str, Rule]]:
    found = [(method, rule) for rule in app.url_map.iter_rules() for method in (rule.methods or set()) - SAFE]
    return [(method, rule) for method, rule in found if (method, rule.rule) not in BEFORE_LOGIN]


def path_of(rule: Rule, value: str = "1.2.3") -> str:
    """A path of a rule; numbers where it takes numbers."""
    path = rule.rule
    for part in rule.rule.replace(">", "<").split("<")[1::2]:
        path = path.replace(f"<{part}>", "1" if part.startswith("int:") and not value.isdecimal() else value)
    return path


def roles_of(app: Flask, rule: Rule) -> frozenset[Role]:
    roles = needed_roles(app.view_functions[rule.endpoint])
    assert roles is not None, f"{rule.rule} has no decision"
    return roles


def test_acts_are_open_to_nobody_but_who_runs_things(app: Flask) -> None:
    allowed = {Role.OPERATOR, Role.ADMIN}
    for method, rule in acts(app):
        if rule.rule in OF_ALL:
            continue
        more = {Role.REVIEWER} if rule.rule in OF_REVIEWERS else set()
        assert roles_of(app, rule), f"{method} {rule.rule} is open to all"
        assert roles_of(app, rule) <= allowed | more, f"{method} {rule.rule} is open to {roles_of(app, rule)}"


def test_administration_is_the_administrators_and_the_trail_the_auditors(app: Flask) -> None:
    for rule in rules(app):
        room = rule.rule.removeprefix("/console").removeprefix("/api/v1").split("/")[1]
        if room in ADMINISTRATION:
            assert roles_of(app, rule) == {Role.ADMIN}, rule.rule
        elif room == "audit":
            assert roles_of(app, rule) == {Role.AUDITOR, Role.ADMIN}, rule.rule
        else:
            assert Role.AUDITOR not in roles_of(app, rule), f"{rule.rule}: an auditor sees no patients"


def test_a_page_and_its_json_are_for_the_same_people(app: Flask) -> None:
    by_path = {(rule.rule, frozenset(rule.methods or ())): rule for rule in app.url_map.iter_rules()}
    twins = 0
    for (path, methods), page in by_path.items():
        twin = by_path.get((path.replace("/console", "/api/v1", 1), methods))
        if path.startswith("/console/") and twin is not None:
            twins += 1
            assert roles_of(app, page) == roles_of(app, twin), path
    assert twins > 50


@pytest.mark.parametrize("role", [Role.VIEWER, Role.AUDITOR, Role.REVIEWER])
def test_who_only_looks_does_nothing(app: Flask, clients: dict[str, FlaskClient], role: Role) -> None:
    mine = OF_ALL | (OF_REVIEWERS if role is Role.REVIEWER else set())
    for method, rule in acts(app):
        if rule.rule not in mine:
            assert clients[role].open(path_of(rule), method=method).status_code == 403, f"{method} {rule.rule}"


def test_an_operator_does_not_administer(app: Flask, clients: dict[str, FlaskClient]) -> None:
    for rule in rules(app):
        if not roles_of(app, rule).isdisjoint({Role.OPERATOR, Role.VIEWER}) or not roles_of(app, rule):
            continue
        for method in (rule.methods or set()) - {"OPTIONS", "HEAD"}:
            assert clients[Role.OPERATOR].open(path_of(rule), method=method).status_code == 403, rule.rule


def test_no_act_without_the_token_of_the_session(app: Flask) -> None:
    client = app.test_client()
    headers = log_in(client, "everything")
    for method, rule in acts(app):
        for wrong in ({}, {"X-CSRF-Token": "x"}, {**headers, "Origin": "https://evil.example"}, {"Origin": "null"}):
            refused = client.open(path_of(rule), method=method, headers=wrong)
            assert refused.status_code == 403, f"{method} {rule.rule} {wrong}"


def test_reading_changes_nothing_by_another_method(app: Flask, clients: dict[str, FlaskClient]) -> None:
    for rule in app.url_map.iter_rules():
        assert (rule.methods or set()) <= {"GET", "HEAD", "OPTIONS", "POST", "DELETE"}, rule.rule


@pytest.mark.parametrize("value", HOSTILE)
def test_no_name_in_a_path_breaks_a_page(app: Flask, clients: dict[str, FlaskClient], value: str) -> None:
    for rule in app.url_map.iter_rules():
        if not rule.arguments or "GET" not in (rule.methods or set()) or rule.rule.endswith("/events"):
            continue
        if rule.rule.startswith(("/console", "/api")):
            answer = clients["everything"].get(path_of(rule, value), headers={"Accept": "text/html"})
            assert answer.status_code < 500, f"{rule.rule} {value}"
            assert "root:x:" not in answer.text
            answer.close()


def test_no_query_breaks_a_page(app: Flask, clients: dict[str, FlaskClient]) -> None:
    client = clients["everything"]
    names = ("cursor", "limit", "search", "since", "state", "name", "id", "level", "action", "q")
    for rule in app.url_map.iter_rules():
        if rule.arguments or "GET" not in (rule.methods or set()) or rule.rule == "/console/events":
            continue
        if rule.rule.startswith(("/console", "/api")):
            for value in ("%00", "-1", "%F0%9F%92%A9%27%22%3C", "9" * 30):
                answer = client.get(f"{rule.rule}?{'&'.join(f'{name}={value}' for name in names)}")
                assert answer.status_code < 500, f"{rule.rule} {value}"
                answer.close()


# what browsers are tricked into


@pytest.mark.parametrize("place", ELSEWHERE)
def test_no_login_leads_elsewhere(app: Flask, place: str) -> None:
    client = app.test_client()
    form = {"csrf_token": form_token(client), "login": "the-viewer", "password": PASSWORD, "next": place}
    answer = client.post("/login", data=form, headers={"Origin": "http://localhost"})
    assert answer.status_code == 303
    assert answer.location.startswith("/")
    assert "evil" not in answer.location
    assert client.get("/login", query_string={"next": place}).location == "/"


@pytest.mark.parametrize(
    "place", ["https://evil.example//evil.example/x", "https://x/\\evil.example", "//evil.example"]
)
def test_no_act_leads_elsewhere(clients: dict[str, FlaskClient], place: str) -> None:
    for header in ("Referer", "HX-Current-URL"):
        answer = clients["everything"].post("/console/people/nobody/enable", headers={header: place})
        assert "evil" not in answer.headers.get("Location", "")
        assert "evil" not in answer.headers.get("HX-Redirect", "")


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80@localhost", "localhost\\evil.example"])
def test_no_host_header_gets_into_an_answer(app: Flask, host: str) -> None:
    for path in ("/viewer", "/console", "/login", "/console/first", "/logout", "/api/v1/session"):
        answer = app.test_client().get(path, headers={"Host": host, "Accept": "text/html"})
        assert answer.status_code < 500
        assert "evil" not in answer.text
        assert "evil" not in str(answer.headers)
        answer.close()


def test_a_session_of_before_the_login_is_worth_nothing_after(app: Flask) -> None:
    client = app.test_client()
    form_token(client)
    planted = client.get_cookie("pacs-agent-8080")
    assert planted is not None
    log_in(client, "the-viewer")
    given = client.get_cookie("pacs-agent-8080")
    assert given is not None
    assert given.value != planted.value
    thief = app.test_client()
    thief.set_cookie("pacs-agent-8080", planted.value)
    assert thief.get("/api/v1/session").status_code == 401
    for flag in ("HttpOnly", "SameSite=Lax"):
        header = client.post("/api/v1/session", json={"login": "the-viewer", "password": PASSWORD}).headers[
            "Set-Cookie"
        ]
        assert flag in header


def test_a_login_gives_no_role_that_it_asks_for(app: Flask) -> None:
    body = {"login": "the-viewer", "password": PASSWORD, "roles": ["admin"], "role": "admin", "enabled": True}
    assert app.test_client().post("/api/v1/session", json=body).json["roles"] == ["viewer"]


def test_secrets_are_in_no_log_and_no_audit_line(
    app: Flask, database: Database, clients: dict[str, FlaskClient], capfd: pytest.CaptureFixture[str]
) -> None:
    secret = "Wrong-Secret-4711"
    client = app.test_client()
    client.get("/api/v1/session", headers={"Authorization": f"Bearer {secret}"})
    client.post("/api/v1/session", json={"login": "the-viewer", "password": secret})
    client.post("/api/v1/session", json={"login": secret, "password": "x"})
    made = clients["everything"].post("/api/v1/tokens/add", json={"name": "RIS", "roles": ["viewer"]}).json["token"]
    client.get("/api/v1/session", headers={"Authorization": f"Bearer {made}"})
    written = "".join(capfd.readouterr())
    with database.reading() as session:
        lines = [f"{line.actor} {line.subject} {line.detail}" for line in session.scalars(select(AuditEvent))]
    for text in (written, *lines):
        assert secret not in text
        assert made not in text


def test_yaml_makes_no_objects(clients: dict[str, FlaskClient], tmp_path: Path) -> None:
    for text in (
        f'!!python/object/apply:os.system ["touch {tmp_path}/made"]',
        f'rules: !!python/object/new:os.system ["touch {tmp_path}/made"]',
        "a: &a [*a, *a]\n" + "b: " + "[" * 500,
    ):
        answer = clients["everything"].post("/api/v1/rules/check", json={"text": text})
        assert answer.status_code < 500
        for route in ("rules/save", "settings/import"):
            answer = clients["everything"].post(f"/api/v1/{route}", json={"text": text, "based_on": None})
            assert answer.status_code in (400, 404, 409, 415, 422), f"{route} {answer.text}"
    assert list(tmp_path.iterdir()) == []


def test_everybody_is_still_who_he_was(database: Database) -> None:
    with database.reading() as session:
        roles = {user.login: user.roles for user in session.scalars(select(User)) if user.enabled}
    assert roles == {**{f"the-{role}": [role] for role in Role}, "everything": sorted(Role)}
