"""Stored cross-site scripting: HTML, scripts, templates, SQL and formulas in every text that a page may show.

hostile-inputs 25. Each text column of each table is filled, so that new tables and pages are looked at without a word.
"""

import re
from collections.abc import Callable, Iterator
from html import unescape
from pathlib import Path

import pytest
from argon2 import PasswordHasher
from flask import Flask
from flask.testing import FlaskClient
from lxml import html
from people import add_person, app_of, log_in
from sqlalchemy import String, Text, text, update
from studies_listed import add_job, add_studies
from werkzeug.routing import Rule

from pacs_agent.accounts import Role, make_token, passwords, with_included
from pacs_agent.db import Base, Database, Destination, JobState, Patient, Peer, QuarantinedInstance
from pacs_agent.ops import Outcome, audit

PAYLOAD = "\"'><script>alert(1)</script><img src=x onerror=alert(2)>{{7331*7}}${7331*7}<%=7331*7%>' OR 1=1;--"
AS_TITLE = "\"><b>'{{7*7}}"
"""What fits into an AE title."""
FORBIDDEN = ("<script>alert", "<img src=x", "51317", '"><b>', '="javascript:')
KEYS = re.compile(
    r"(^|_)(id|uid|pk|digest|hash|login|roles?|state|status|origin|kind|outcome|presence|action|section|name|way|event|"
    r"task|method|form|priority|executor_id|ae_title|destination|pipeline|modality|bundle|version|provider|day|path|"
    r"host|rule|text|source|direction|what|date|time)$"
)
"""Columns that are keys, choices or numbers: what they hold is ours, or was checked when it came."""
SHOWN_THOUGH = {
    ("instances", "source"),
    ("jobs", "rule"),
    ("studies", "study_date"),
    ("quarantined_instances", "source"),
}


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory, new_database: Callable[[Path], Database]) -> Iterator[Database]:
    database = new_database(tmp_path_factory.mktemp("payloads"))
    yield database
    database.close()


@pytest.fixture(scope="module")
def known(database: Database) -> dict[str, str]:
    """What is in the database, by the name that paths have for it."""
    study, _ = add_studies(database, PAYLOAD, "<b>Second</b>")
    jobs = [add_job(database, study, state) for state in (JobState.FAILED, JobState.DONE, JobState.QUEUED)]
    with database.writing() as session:
        session.add(Peer(ae_title=AS_TITLE, host="10.0.0.7"))
        session.add(
            Destination(name="pacs", kind="dimse", settings={"host": PAYLOAD, "port": 104, "ae_title": AS_TITLE})
        )
        session.add(
            QuarantinedInstance(
                sop_instance_uid="1.2.3", study_instance_uid=study, digest="0" * 64, reason=PAYLOAD, source=PAYLOAD
            )
        )
        for outcome in Outcome:
            detail = {"before": {PAYLOAD: PAYLOAD}, "after": {PAYLOAD: [PAYLOAD]}, PAYLOAD: PAYLOAD}
            audit(session, actor=PAYLOAD, action=PAYLOAD[:60], outcome=outcome, subject=PAYLOAD, **detail)
        audit(session, actor="x", action="y", outcome=Outcome.SUCCESS, before=f"a\n{PAYLOAD}\n", after=f"{PAYLOAD}\n")
        make_token(session, actor=PAYLOAD, own=with_included(Role), name="RIS", roles=[Role.VIEWER], days=1)
    _fill(database)
    return {"study": study, "job": jobs[0], "login": "ada", "line": "1", "ae_title": AS_TITLE, "name": "pacs"}


def _fill(database: Database) -> None:
    """Writes the payload into every text column that people or machines may fill."""
    with database.engine.begin() as connection:
        for table in Base.metadata.sorted_tables:
            texts = [
                column.name
                for column in table.columns
                if isinstance(column.type, String | Text)
                and not (column.primary_key or column.foreign_keys or column.unique)
                and (not KEYS.search(column.name) or (table.name, column.name) in SHOWN_THOUGH)
            ]
            if texts and not table.name.startswith("audit"):
                connection.execute(update(table).values(dict.fromkeys(texts, PAYLOAD)))
        connection.execute(update(Patient).values(name=PAYLOAD, patient_id=text("id || '<b>\"'")))
        connection.execute(text("UPDATE users SET name = :name"), {"name": PAYLOAD})
        connection.execute(text("UPDATE series SET modality = :it"), {"it": AS_TITLE})


@pytest.fixture(scope="module")
def app(database: Database, known: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Flask:
    return app_of(database, tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def client(app: Flask, database: Database) -> FlaskClient:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(passwords, "HASHER", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
        add_person(database, "ada", *Role, name="<script>alert(7)</script>")
        client = app.test_client()
        log_in(client)
    return client


def pages(app: Flask) -> list[Rule]:
    """Every page of the console; a stream that never ends is none."""
    found = [rule for rule in app.url_map.iter_rules() if rule.rule.startswith("/console") and "GET" in rule.methods]
    return [rule for rule in found if not rule.rule.startswith("/console/static") and rule.rule != "/console/events"]


def path_of(rule: Rule, known: dict[str, str]) -> str:
    return str(rule.build({name: known.get(name, "1") for name in rule.arguments}, append_unknown=False)[1])


def test_what_is_stored_is_shown_only_escaped(app: Flask, client: FlaskClient, known: dict[str, str]) -> None:
    shown = 0
    for rule in pages(app):
        answer = client.get(path_of(rule, known), headers={"Accept": "text/html"})
        assert answer.status_code < 500, rule.rule
        if answer.mimetype == "text/html":
            found = [one for one in FORBIDDEN if one in answer.text]
            assert not found, f"{rule.rule} shows {found}"
            shown += PAYLOAD in unescape(answer.text)
    assert shown >= 5, "the payload is on no page: nothing was tested"


def test_what_is_asked_is_shown_only_escaped(app: Flask, client: FlaskClient, known: dict[str, str]) -> None:
    names = ("search", "name", "id", "accession", "text", "actor", "action", "subject", "cursor", "next", "state", "q")
    for rule in pages(app):
        answer = client.get(path_of(rule, known), query_string=dict.fromkeys(names, PAYLOAD))
        assert answer.status_code < 500, rule.rule
        assert not (answer.mimetype == "text/html" and any(one in answer.text for one in FORBIDDEN)), rule.rule
        if rule.arguments and not any(kind in rule.rule for kind in ("<int:", "<uuid:")):
            gone = client.get(path_of(rule, dict.fromkeys(rule.arguments, PAYLOAD)), headers={"Accept": "text/html"})
            assert gone.status_code < 500, rule.rule
            assert not any(one in gone.text for one in FORBIDDEN), rule.rule


def test_pages_run_no_script_that_came_from_elsewhere(app: Flask, client: FlaskClient, known: dict[str, str]) -> None:
    for rule in pages(app):
        answer = client.get(path_of(rule, known), headers={"Accept": "text/html"})
        if answer.mimetype != "text/html" or answer.status_code >= 300:
            continue
        policy = answer.headers["Content-Security-Policy"]
        assert "unsafe" not in policy, rule.rule
        assert "default-src 'none'" in policy, rule.rule
        nonces = re.findall(r"'nonce-([^']+)'", policy)
        for element in html.fromstring(answer.text).iter("*"):
            handlers = [name for name in element.attrib if name.startswith("on") or name == "style"]
            assert not handlers, f"{rule.rule} has {handlers} in its HTML"
            data = element.get("type") == "application/json"
            assert element.tag != "script" or data or element.get("nonce") in nonces, rule.rule
            for name in ("href", "src", "action"):
                assert not element.get(name, "").strip().lower().startswith(("javascript:", "data:text")), rule.rule


def test_json_is_never_taken_for_a_page(app: Flask, client: FlaskClient, known: dict[str, str]) -> None:
    for rule in app.url_map.iter_rules():
        if not rule.rule.startswith("/api/") or "GET" not in (rule.methods or ()) or rule.rule.endswith("/events"):
            continue
        answer = client.get(path_of(rule, known))
        assert answer.status_code < 500, rule.rule
        assert answer.mimetype != "text/html", rule.rule
        assert answer.headers["X-Content-Type-Options"] == "nosniff", rule.rule
        answer.close()
