"""Audit lines as DICOM audit messages, held against the schema of PS3.15 A.5.1.1."""

import base64
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from pacs_agent.db import AuditEvent
from pacs_agent.ops.audit_message import EVENTS, Source, audit_message

SCHEMA = etree.RelaxNG(etree.parse(Path(__file__).with_name("audit_message.rng")))
SOURCE = Source("PACSAGENT", "St. Mary's")


def message(**given: Any) -> etree._Element:
    fields = {
        "actor": "ada@192.0.2.7",
        "action": "study.viewed",
        "outcome": "success",
        "subject": "1.2.3",
        "detail": {},
    }
    line = AuditEvent(id=1, at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), **{**fields, **given})
    parsed = etree.fromstring(audit_message(line, SOURCE))
    SCHEMA.assertValid(parsed)
    return parsed


@pytest.mark.parametrize("action", [*EVENTS, "user.added", "peer.changed", "job.failed", "never.heard.of"])
def test_every_act_is_a_message_of_the_schema(action: str) -> None:
    parsed = message(action=action)
    assert parsed.xpath("EventIdentification/EventTypeCode[last()]/@csd-code") == [action]


@pytest.mark.parametrize(
    ("action", "event", "code"),
    [
        ("login.failed", "110114", "E"),
        ("study.viewed", "110103", "R"),
        ("studies.searched", "110112", "E"),
        ("user.changed", "110113", "E"),
        ("association", "110104", "C"),
        ("association.rejected", "110113", "E"),
        ("audit.exported", "110101", "R"),
        ("study.deleted", "110105", "D"),
        ("worker.buried", "110100", "E"),
    ],
)
def test_the_event_is_that_of_the_standard(action: str, event: str, code: str) -> None:
    identification = message(action=action)[0]
    assert (identification.find("EventID").get("csd-code"), identification.get("EventActionCode")) == (event, code)


def test_who_from_where_what_and_why() -> None:
    parsed = message(outcome="serious-failure", detail={"reason": "no <such> thing", "number": 3})
    assert parsed[0].get("EventOutcomeIndicator") == "8"
    assert parsed[0].get("EventDateTime") == "2026-01-02T03:04:05.000+00:00"
    assert parsed.findtext("EventIdentification/EventOutcomeDescription") == "no <such> thing"
    person, agent = parsed.findall("ActiveParticipant")
    assert (person.get("UserID"), person.get("NetworkAccessPointID")) == ("ada", "192.0.2.7")
    assert (person.get("NetworkAccessPointTypeCode"), agent.get("UserID")) == ("2", "PACSAGENT")
    found = parsed.find("ParticipantObjectIdentification")
    assert (found.get("ParticipantObjectID"), found[0].get("csd-code")) == ("1.2.3", "110180")
    details = {
        each.get("type"): base64.b64decode(each.get("value")) for each in found.findall("ParticipantObjectDetail")
    }
    assert (details["reason"], details["number"]) == (b"no <such> thing", b"3")


@pytest.mark.parametrize("action", ["audit.viewed", "audit.exported"])
def test_whoever_reads_the_trail_reads_the_security_audit_log(action: str) -> None:
    found = message(action=action, subject="").find("ParticipantObjectIdentification")
    assert found.findtext("ParticipantObjectName") == "Security Audit Log"
    assert (found.get("ParticipantObjectTypeCode"), found.get("ParticipantObjectTypeCodeRole")) == ("2", "13")
    assert found.find("ParticipantObjectIDTypeCode").get("csd-code") == "12"


@given(actor=st.text(max_size=40), subject=st.text(max_size=40), value=st.text(max_size=40), name=st.text(max_size=20))
def test_no_value_breaks_a_message(actor: str, subject: str, value: str, name: str) -> None:
    message(actor=actor, subject=subject, detail={name: value, "reason": value}, outcome="minor-failure")
