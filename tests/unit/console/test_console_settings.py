"""Settings are shown with where they come from, changed with an audit line, and taken over as one file in two steps."""

import io
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from people import add_person, app_of, log_in
from sqlalchemy import select

from pacs_agent.accounts import Role
from pacs_agent.db import AuditEvent, Database, Peer
from pacs_agent.receive import NewPeer, put_peer


@pytest.fixture
def client(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FlaskClient:
    monkeypatch.setenv("PACS_AGENT_DIMSE__PORT", "4242")
    monkeypatch.setenv("PACS_AGENT_WEB__TOKEN", "swordfish")
    add_person(database, "boss", Role.ADMIN)
    return app_of(database, tmp_path, host="127.0.0.1").test_client()


@pytest.fixture
def csrf(client: FlaskClient) -> dict[str, str]:
    return log_in(client, "boss")


def line_of(database: Database, action: str) -> AuditEvent:
    with database.reading() as session:
        return session.scalars(select(AuditEvent).where(AuditEvent.action == action)).one()


def upload(client: FlaskClient, csrf: dict[str, str], text: str) -> Any:
    files = {"file": (io.BytesIO(text.encode()), "agent.yaml")}
    return client.post("/api/v1/settings/import", data=files, headers=csrf)


def test_each_setting_says_where_it_comes_from_and_secrets_say_nothing(client: FlaskClient, csrf: object) -> None:
    answer = client.get("/api/v1/settings")
    shown = {one["name"]: one for one in answer.json["settings"]}
    assert (shown["dimse.port"]["value"], shown["dimse.port"]["source"]) == ("4242", "environment")
    assert shown["dimse.ae_title"]["source"] == "default"
    assert shown["data_dir"]["source"] == "start"
    assert shown["web.token"]["value"] == "set"
    page = client.get("/console/settings").text
    assert "swordfish" not in page + answer.text
    assert "AE title we answer to" in page


def test_only_administrators_see_settings(client: FlaskClient, database: Database) -> None:
    add_person(database, "op", Role.OPERATOR, Role.AUDITOR, Role.REVIEWER)
    csrf = log_in(client, "op")
    for path in ("settings", "settings/retention", "settings/export"):
        assert client.get(f"/api/v1/{path}").status_code == 403
    assert client.post("/api/v1/settings/watermark", json={}, headers=csrf).status_code == 403


def test_a_change_is_audited_with_before_and_after(
    client: FlaskClient, csrf: dict[str, str], database: Database
) -> None:
    answer = client.post("/api/v1/settings/retention", json={"images_days": 30}, headers=csrf)
    assert answer.status_code == 200, answer.text
    line = line_of(database, "settings.changed")
    assert (line.subject, line.actor) == ("retention", "boss@127.0.0.1")
    assert line.detail == {"before": {"images_days": None}, "after": {"images_days": 30}}
    refused = client.post("/api/v1/settings/retention", json={"images_days": 30, "results_days": 2}, headers=csrf)
    assert refused.status_code == 422
    assert "no less for results" in refused.json["error"]
    assert client.get("/api/v1/settings/retention").json["studies"] == 0


def test_forms_leave_out_what_is_empty_and_take_addresses_in_one_field(
    client: FlaskClient, csrf: dict[str, str]
) -> None:
    form = {"mail_to": "a@example.org, b@example.org", "mail_from": "c@example.org", "smtp_host": "mail.example.org"}
    form |= {"csrf_token": csrf["X-CSRF-Token"], "webhook_url": "", "silent": ["worker-lost"]}
    assert client.post("/console/settings/notifications", data=form).status_code == 303
    now = client.get("/api/v1/settings").json["notifications"]
    assert now["mail_to"] == ["a@example.org", "b@example.org"]
    assert now["silent"] == ["worker-lost"]
    assert client.post("/console/settings/retention", data={"images_days": "", **form}).status_code == 303


def test_secrets_go_in_and_never_out(client: FlaskClient, csrf: dict[str, str], database: Database) -> None:
    body = {"name": "webhook_key", "value": "hush-hush"}
    assert client.post("/api/v1/settings/secrets", json=body, headers=csrf).status_code == 200
    seen = client.get("/api/v1/settings").text + client.get("/console/settings").text
    seen += client.get("/api/v1/settings/export").text + str(line_of(database, "settings.secret").detail)
    assert "hush-hush" not in seen
    assert '"is_set":true' in client.get("/api/v1/settings").text


def test_a_test_message_that_nobody_takes_is_told(client: FlaskClient, csrf: dict[str, str]) -> None:
    answer = client.post("/api/v1/settings/test", json={"way": "webhook"}, headers=csrf)
    assert answer.status_code == 422
    assert "no webhook is set up" in answer.json["error"]


def test_what_was_looked_at_is_what_is_taken_over(
    client: FlaskClient, csrf: dict[str, str], database: Database
) -> None:
    text = client.get("/api/v1/settings/export").text
    changed = text.replace("peers: []", "peers:\n- {ae_title: PACS, host: 192.0.2.1}")
    location = upload(client, csrf, changed).json["location"]
    difference = client.get(location.replace("/console", "/api/v1")).json
    assert {"kind": "added", "text": "- ae_title: PACS"} in difference["lines"]
    assert "ae_title: PACS" in client.get(location).text
    apply = location.replace("/console", "/api/v1") + "/apply"
    assert client.post(apply, json={"plan": "0" * 64}, headers=csrf).status_code == 409
    with database.writing() as session:
        put_peer(session, NewPeer(ae_title="OTHER"), actor="eve")
    assert client.post(apply, json={"plan": difference["plan"]}, headers=csrf).status_code == 409
    plan = client.get(location.replace("/console", "/api/v1")).json["plan"]
    assert client.post(apply, json={"plan": plan}, headers=csrf).status_code == 200
    with database.reading() as session:
        assert [peer.ae_title for peer in session.scalars(select(Peer))] == ["PACS"]
    assert line_of(database, "configuration.imported").detail["plan"] == plan
    assert client.get(location).status_code == 404


def test_what_is_stored_is_exported_though_it_would_be_refused_today(
    client: FlaskClient, csrf: dict[str, str], database: Database
) -> None:
    with database.writing() as session:
        session.add(Peer(ae_title="OLD", host="no host/at all", may_store=True, may_echo=True, enabled=True))
    answer = client.get("/console/settings/export")
    assert answer.status_code == 200
    assert "host: no host/at all" in answer.text
    assert "# An import refuses this until it is set right: peer OLD: host" in answer.text
    assert upload(client, csrf, answer.text).status_code == 422
    draft = upload(client, csrf, "pacs_agent_configuration: 1\nretention: {images_days: 7}\n").json["location"]
    assert client.get(draft.replace("/console", "/api/v1")).json["fault"] == "", "other parts can be taken over"


@pytest.mark.parametrize("text", ["\x00", "- a", "pacs_agent_configuration: 1\nx: !!python/none ''", "a: &a [*a]"])
def test_a_file_that_is_none_is_refused(client: FlaskClient, csrf: dict[str, str], text: str) -> None:
    assert upload(client, csrf, text).status_code == 422


def test_hostile_values_are_shown_as_text(client: FlaskClient, csrf: dict[str, str]) -> None:
    location = upload(client, csrf, "pacs_agent_configuration: 1\nrules: '<script>alert(1)</script>'\n").json[
        "location"
    ]
    page = client.get(location).text
    assert "<script>alert" not in page
    assert "&lt;script&gt;" in page


def test_nobody_gives_himself_more_than_he_has(client: FlaskClient, csrf: dict[str, str]) -> None:
    users = "users: [{login: boss, name: Boss, person_name: Boss, roles: [admin, auditor]}]"
    location = upload(client, csrf, f"pacs_agent_configuration: 1\n{users}\n").json["location"]
    address = location.replace("/console", "/api/v1")
    plan = client.get(address).json["plan"]
    answer = client.post(f"{address}/apply", json={"plan": plan}, headers=csrf)
    assert answer.status_code == 422
    assert "auditor" in answer.json["error"]
