"""Peers and destinations in the console: set up, tested, removed; secrets go in and never come out."""

from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from people import add_person, app_of, log_in
from sqlalchemy import select

from pacs_agent.accounts import Role
from pacs_agent.db import AuditEvent, CommitmentOwed, Database, Destination, Peer
from pacs_agent.ops import Outcome, audit
from pacs_agent.receive.peers import note_refused, note_seen
from pacs_agent.route import put_rules

SECRET = "s3cret-of-the-pacs"
HOSTILE = '"><script>alert(1)</script>'
RULES = "rules:\n  - {name: chest, pipeline: msvlm, destinations: [web]}\n"


@pytest.fixture
def client(database: Database, tmp_path: Path) -> FlaskClient:
    return app_of(database, tmp_path).test_client()


def audited(database: Database, action: str) -> list[dict[str, Any]]:
    with database.reading() as session:
        query = select(AuditEvent.detail).where(AuditEvent.action == action).order_by(AuditEvent.id)
        return list(session.scalars(query))


def add_web(client: FlaskClient, **more: Any) -> None:
    body = {"name": "web", "kind": "stow", "url": "http://127.0.0.1:9/dicom-web", **more}
    answer = client.post("/api/v1/peers/destinations/add", json=body)
    assert answer.status_code == 200, answer.text


def test_a_sender_is_added_changed_and_removed(client: FlaskClient, database: Database) -> None:
    assert "Add the PACS as a sender" in client.get("/console/peers").text
    added = client.post("/console/peers/senders/add", data={"ae_title": "CT 1/A", "may_store": ["false", "true"]})
    assert added.location == "/console/peers/senders/CT%201%2FA"
    assert client.get(added.location).status_code == 200
    client.post(added.location + "/change", data={"host": "10.0.0.0/8", "may_store": "false", "may_echo": "true"})
    with database.reading() as session:
        peer = session.get_one(Peer, "CT 1/A")
    assert (peer.host, peer.may_store, peer.may_echo) == ("10.0.0.0/8", False, True)
    assert client.post("/api/v1/peers/senders/add", json={"ae_title": "CT 1/A"}).status_code == 409
    assert client.post("/api/v1/peers/senders/CT%201%2FA/remove").status_code == 200
    assert client.post("/api/v1/peers/senders/CT%201%2FA/remove").status_code == 404
    first, second = audited(database, "peer.changed")
    assert (first["before"], first["after"]["may_store"]) == (None, True)
    assert (second["before"]["host"], second["after"]["host"]) == ("", "10.0.0.0/8")
    assert audited(database, "peer.removed")[0]["after"] is None


def test_encryption_and_commitment_of_a_sender(client: FlaskClient, database: Database) -> None:
    body = {"certificate_name": " CT-1.example ", "tls_only": True, "commitment_port": 104}
    assert client.post("/api/v1/peers/senders/add", json={"ae_title": "CT", **body}).status_code == 200
    with database.writing() as session:
        peer = session.get_one(Peer, "CT")
        assert (peer.certificate_name, peer.tls_only, peer.commitment_port) == ("CT-1.example", True, 104)
        session.add(
            CommitmentOwed(ae_title="CT", transaction_uid="1.2.9", source="CT@10.0.0.1", instances=[["1.2", "1.3"]])
        )
    assert "TLS only; CT-1.example" in client.get("/console/peers").text
    page = client.get("/console/peers/senders/CT").text
    assert "not looked yet" in page and "1.2.9" in page
    assert client.get("/api/v1/peers/senders/CT").json["commitments"][0]["instances"] == 1
    wrong = {"ae_title": "CT2", "commitment_port": 70000}
    assert client.post("/api/v1/peers/senders/add", json=wrong).status_code == 422


def test_a_dicom_destination_over_tls_that_is_asked_for_commitment(client: FlaskClient, database: Database) -> None:
    body = {"name": "pacs", "kind": "dimse", "host": "127.0.0.1", "port": 2762, "called_ae": "PACS"}
    more = {"confirm": "commitment", "tls": True, "certificate_name": "pacs.example"}
    more |= {"segmentations": False, "key_objects": False, "saliency_maps": False}
    assert client.post("/api/v1/peers/destinations/add", json={**body, **more}).status_code == 200
    shown = client.get("/api/v1/peers/destinations/pacs").json["destination"]
    assert shown["settings"].items() >= more.items()
    assert "certificate of pacs.example" in shown["encryption"]
    assert '<option value="commitment" selected>' in client.get("/console/peers/destinations/pacs").text


@pytest.mark.parametrize("host", ["10.0.0.300", "10.0.0.0/33", "a b", HOSTILE, "x" * 300, "a..b"])
def test_a_binding_that_is_none_is_refused(client: FlaskClient, host: str) -> None:
    answer = client.post("/api/v1/peers/senders/add", json={"ae_title": "CT", "host": host})
    assert answer.status_code == 422


def test_what_was_refused_to_a_sender_is_shown_and_escaped(client: FlaskClient, database: Database) -> None:
    with database.writing() as session:
        session.add(Peer(ae_title="CT"))
        session.flush()
        note_seen(session, "CT@10.0.0.1")
        note_refused(session, "CT@10.0.0.1", HOSTILE)
        for actor in ("CT@10.0.0.1", "CT2@10.0.0.1"):
            audit(
                session,
                actor=actor,
                action="instance.refused",
                outcome=Outcome.SERIOUS_FAILURE,
                subject="1.2.3",
                text=HOSTILE,
            )
    page = client.get("/console/peers/senders/CT").text
    assert HOSTILE not in page
    assert "&lt;script&gt;" in page
    found = client.get("/api/v1/peers/senders/CT").json
    assert [line["source"] for line in found["refusals"]] == ["CT@10.0.0.1"]
    assert found["sender"]["last_seen_at"] and found["sender"]["last_refusal"] == HOSTILE


def test_secrets_go_in_and_never_come_out(client: FlaskClient, database: Database) -> None:
    add_web(client, user="agent", password=SECRET)
    addresses = ("/console/peers", "/api/v1/peers", "/console/peers/destinations/web", "/api/v1/peers/destinations/web")
    assert all(SECRET not in client.get(address).text for address in addresses)
    assert client.get("/api/v1/peers/destinations/web").json["destination"]["secrets"] == [
        {"name": "password", "is_set": True, "variable": ""},
        {"name": "token", "is_set": False, "variable": ""},
    ]
    assert SECRET not in str(audited(database, "destination.changed"))
    with database.reading() as session:
        row = session.get_one(Destination, "web")
        assert [(one.name, one.value) for one in row.secrets] == [("password", SECRET)]
        assert SECRET not in str(row.settings)


def has_password(client: FlaskClient) -> bool:
    password, _token = client.get("/api/v1/peers/destinations/web").json["destination"]["secrets"]
    return bool(password["is_set"])


def test_a_secret_stays_with_its_address(client: FlaskClient, database: Database) -> None:
    """Whoever may change addresses could else have secrets sent to his own."""
    add_web(client, user="agent", password=SECRET)
    change = "/api/v1/peers/destinations/web/change"
    body = {"kind": "stow", "url": "http://127.0.0.1:9/other", "user": "agent"}
    assert client.post(change, json=body).status_code == 200
    assert has_password(client)
    assert client.post(change, json={**body, "url": "http://127.0.0.1:10/other"}).status_code == 200
    assert not has_password(client)


def test_a_secret_of_the_environment_stays_with_its_address(client: FlaskClient, database: Database) -> None:
    settings = {"url": "http://127.0.0.1:9/dicom-web", "token_env": "PACS_TOKEN"}
    with database.writing() as session:
        session.add(Destination(name="web", kind="stow", settings=settings))
    change = "/api/v1/peers/destinations/web/change"
    refused = client.post(change, json={"kind": "stow", "url": "http://evil.example/dicom-web"})
    assert (refused.status_code, "PACS_TOKEN" in refused.json["error"]) == (422, True)
    assert client.post(change, json={"kind": "stow", "url": "http://127.0.0.1:9/new"}).status_code == 200
    with database.reading() as session:
        assert session.get_one(Destination, "web").settings["token_env"] == "PACS_TOKEN"


def test_a_destination_is_not_removed_while_rules_deliver_there(client: FlaskClient, database: Database) -> None:
    add_web(client)
    with database.writing() as session:
        put_rules(session, RULES, actor="test")
    refused = client.post("/api/v1/peers/destinations/web/remove")
    assert (refused.status_code, "chest" in refused.json["error"]) == (409, True)
    with database.writing() as session:
        put_rules(session, "rules: []", actor="test")
    assert client.post("/api/v1/peers/destinations/web/remove").status_code == 200
    assert audited(database, "destination.removed")[0]["before"]["settings"]["url"] == "http://127.0.0.1:9/dicom-web"


def test_a_destination_is_disabled_and_enabled(client: FlaskClient, database: Database) -> None:
    add_web(client)
    for act, enabled in (("disable", False), ("enable", True)):
        assert client.post(f"/api/v1/peers/destinations/web/{act}").status_code == 200
        assert client.get("/api/v1/peers/destinations/web").json["destination"]["enabled"] is enabled
    assert [one["after"]["enabled"] for one in audited(database, "destination.changed")] == [True, False, True]


@pytest.mark.parametrize(
    "body",
    [
        {"kind": "stow", "url": "http://169.254.169.254/latest"},
        {"kind": "stow", "url": "http://2852039166/"},
        {"kind": "stow", "url": "file:///etc/passwd"},
        {"kind": "stow", "url": "http://me:word@127.0.0.1/"},
        {"kind": "dimse", "host": "169.254.169.254", "port": 80, "called_ae": "A"},
        {"kind": "dimse", "host": "pacs", "called_ae": "A"},
        {"kind": "dimse", "host": "127.0.0.1", "port": 104, "called_ae": "A\\B"},
        {"name": "../x", "kind": "dimse", "host": "127.0.0.1", "port": 104, "called_ae": "A"},
    ],
)
def test_addresses_that_must_not_be_asked_are_refused(client: FlaskClient, body: dict[str, Any]) -> None:
    answer = client.post("/api/v1/peers/destinations/add", json={"name": "bad", **body})
    assert answer.status_code == 422, answer.text
    assert client.get("/api/v1/peers").json["nodes"] == []


def test_a_test_tells_the_real_answer(client: FlaskClient, database: Database) -> None:
    add_web(client)
    answer = client.post("/api/v1/peers/destinations/web/test")
    assert (answer.status_code, "nobody listens" in answer.json["error"]) == (409, True)
    with database.writing() as session:
        session.add(Peer(ae_title="CT"))
    echo = client.post("/api/v1/peers/senders/CT/echo", json={"host": "127.0.0.1", "port": 9})
    assert (echo.status_code, "did not accept" in echo.json["error"]) == (409, True)
    forbidden = client.post("/api/v1/peers/senders/CT/echo", json={"host": "169.254.169.254", "port": 80})
    assert "link-local" in forbidden.json["error"]
    assert len(audited(database, "peer.tested")) == 2


def test_only_operators_see_and_change_peers(client: FlaskClient, database: Database) -> None:
    add_person(database, "ada", Role.VIEWER)
    headers = log_in(client)
    assert client.get("/api/v1/peers").status_code == 403
    assert client.post("/api/v1/peers/senders/add", json={"ae_title": "CT"}, headers=headers).status_code == 403
