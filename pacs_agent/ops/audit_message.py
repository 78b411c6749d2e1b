"""Audit lines as DICOM audit messages: PS3.15 A.5, one AuditMessage for each line.

The schema is A.5.1, the codes are CID 400 (event), CID 401 (type) and CID 402 (role). What the standard has no code for
is an Application Activity; the second EventTypeCode always is our own name of the act, so that nothing is lost.
"""

import base64
import ipaddress
import json
import re
from dataclasses import dataclass
from xml.etree.ElementTree import Element, SubElement, tostring

from pacs_agent.db import AuditEvent

OWN_SCHEME = "99PACSAGENT"
OUTCOMES = {"success": "0", "minor-failure": "4", "serious-failure": "8", "major-failure": "12"}
"""PS3.15 A.5.1.1, EventOutcomeIndicator."""
_NOT_XML = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_UID = re.compile(r"[0-9]+(\.[0-9]+)+")
_SERVER_PROCESS = "4"


@dataclass(frozen=True)
class Code:
    """A coded value: code value, scheme and meaning."""

    value: str
    meaning: str
    scheme: str = "DCM"


@dataclass(frozen=True)
class Event:
    """What kind of event an act is: EventID, EventTypeCode where there is one, EventActionCode."""

    kind: Code
    action: str = "E"
    type: Code | None = None


@dataclass(frozen=True)
class Source:
    """Who reports: our AE title, and the hospital."""

    ae_title: str
    organization: str


ACTIVITY = Code("110100", "Application Activity")
LOG_USED = Code("110101", "Audit Log Used")
ACCESSED = Code("110103", "DICOM Instances Accessed")
TRANSFERRED = Code("110104", "DICOM Instances Transferred")
DELETED = Code("110105", "DICOM Study Deleted")
EXPORT = Code("110106", "Export")
IMPORT = Code("110107", "Import")
QUERY = Code("110112", "Query")
ALERT = Code("110113", "Security Alert")
AUTHENTICATION = Code("110114", "User Authentication")
LOGIN, LOGOUT = Code("110122", "Login"), Code("110123", "Logout")
NODE = Code("110126", "Node Authentication")
NETWORK = Code("110128", "Network Configuration")
SECURITY = Code("110129", "Security Configuration")
SOFTWARE = Code("110131", "Software Configuration")
USERS = Code("110137", "User Security Attributes Changed")
APPLICATION = Code("110150", "Application")
DESTINATION, SOURCE = Code("110152", "Destination Role ID"), Code("110153", "Source Role ID")
STUDY_UID = Code("110180", "Study Instance UID")
USER_ID = Code("11", "User Identifier", "RFC-3881")
URI = Code("12", "URI", "RFC-3881")
TRAIL = "/console/audit"
"""Where the audit trail itself is read."""
TRAIL_NAME = "Security Audit Log"
"""Its name by PS3.15 A.5.3.2."""

EVENTS: dict[str, Event] = {
    "association": Event(TRANSFERRED, "C"),
    "association.rejected": Event(ALERT, "E", NODE),
    "audit": Event(LOG_USED, "R"),
    "auditor": Event(ALERT, "E", USERS),
    "backup": Event(EXPORT, "R"),
    "bring_in": Event(IMPORT, "C"),
    "config": Event(ALERT, "E", SOFTWARE),
    "destination": Event(ALERT, "E", NETWORK),
    "instance": Event(TRANSFERRED, "C"),
    "login": Event(AUTHENTICATION, "E", LOGIN),
    "logout": Event(AUTHENTICATION, "E", LOGOUT),
    "model": Event(ALERT, "E", SOFTWARE),
    "peer": Event(ALERT, "E", NETWORK),
    "prior.searched": Event(QUERY, "E"),
    "result.delivered": Event(TRANSFERRED, "C"),
    "review": Event(ACCESSED, "C"),
    "rules": Event(ALERT, "E", SOFTWARE),
    "settings": Event(ALERT, "E", SECURITY),
    "stow": Event(TRANSFERRED, "C"),
    "studies.searched": Event(QUERY, "E"),
    "study.deleted": Event(DELETED, "D"),
    "study.images_removed": Event(DELETED, "D"),
    "study.viewed": Event(ACCESSED, "R"),
    "token": Event(ALERT, "E", USERS),
    "user": Event(ALERT, "E", USERS),
}
"""The event of each act, by its name or the part before the dot; anything else is an Application Activity."""


def audit_message(line: AuditEvent, source: Source) -> bytes:
    """The AuditMessage of one line, as UTF-8 without a declaration."""
    event = event_of(line.action)
    message = Element("AuditMessage")
    _event_identification(message, line, event)
    _participants(message, line, event, source)
    reporter = SubElement(message, "AuditSourceIdentification", AuditSourceID=source.ae_title)
    reporter.set("AuditEnterpriseSiteID", source.organization)
    SubElement(reporter, "AuditSourceTypeCode", {"csd-code": _SERVER_PROCESS})
    _participant_object(message, line, event, source)
    return bytes(tostring(message, encoding="utf-8", xml_declaration=False))


def event_of(action: str) -> Event:
    """The event that an act is."""
    return EVENTS.get(action) or EVENTS.get(action.partition(".")[0]) or Event(ACTIVITY)


def _event_identification(message: Element, line: AuditEvent, event: Event) -> None:
    identification = SubElement(
        message,
        "EventIdentification",
        EventActionCode=event.action,
        EventDateTime=line.at.isoformat(timespec="milliseconds"),
        EventOutcomeIndicator=OUTCOMES.get(line.outcome, "8"),
    )
    _coded(identification, "EventID", event.kind)
    if event.type is not None:
        _coded(identification, "EventTypeCode", event.type)
    _coded(identification, "EventTypeCode", Code(line.action, line.action, OWN_SCHEME))
    reason = line.detail.get("reason")
    if line.outcome != "success" and isinstance(reason, str):
        SubElement(identification, "EventOutcomeDescription").text = _clean(reason)


def _participants(message: Element, line: AuditEvent, event: Event, source: Source) -> None:
    """Who acted, and the agent itself. Of a transfer the one is the source, the other the destination."""
    user, _, address = line.actor.rpartition("@") if "@" in line.actor else (line.actor, "", "")
    delivers = line.action.startswith("result.")
    roles = ((DESTINATION, SOURCE) if delivers else (SOURCE, DESTINATION)) if event.kind == TRANSFERRED else None
    acting = SubElement(message, "ActiveParticipant", UserID=_clean(user) or "unknown", UserIsRequestor="true")
    if address:
        acting.set("NetworkAccessPointID", _clean(address))
        acting.set("NetworkAccessPointTypeCode", "2" if _is_ip(address) else "1")
    if roles:
        _coded(acting, "RoleIDCode", roles[0])
    agent = SubElement(message, "ActiveParticipant", UserID=source.ae_title, UserIsRequestor="false")
    _coded(agent, "RoleIDCode", roles[1] if roles else APPLICATION)


def _participant_object(message: Element, line: AuditEvent, event: Event, source: Source) -> None:
    """What was acted on; the details of the act hang on it, in base64 as the schema wants (A.5.1.1, ValuePair)."""
    is_trail = event.kind == LOG_USED
    subject = TRAIL if is_trail else _clean(line.subject)
    is_study = bool(_UID.fullmatch(subject)) and not line.action.startswith("instance.")
    is_user = event.type == USERS or event.kind == AUTHENTICATION
    found = SubElement(message, "ParticipantObjectIdentification", ParticipantObjectID=subject or source.ae_title)
    if is_study:
        found.set("ParticipantObjectTypeCode", "2")
        found.set("ParticipantObjectTypeCodeRole", "3")
        _coded(found, "ParticipantObjectIDTypeCode", STUDY_UID)
    elif is_user:
        found.set("ParticipantObjectTypeCode", "1")
        found.set("ParticipantObjectTypeCodeRole", "11")
        _coded(found, "ParticipantObjectIDTypeCode", USER_ID)
    elif is_trail:
        found.set("ParticipantObjectTypeCode", "2")
        found.set("ParticipantObjectTypeCodeRole", "13")
        _coded(found, "ParticipantObjectIDTypeCode", URI)
    else:
        found.set("ParticipantObjectTypeCode", "2")
        _coded(found, "ParticipantObjectIDTypeCode", Code("subject", "What was acted on", OWN_SCHEME))
    SubElement(found, "ParticipantObjectName").text = TRAIL_NAME if is_trail else subject or source.ae_title
    for name, value in (*line.detail.items(), ("seal", f"{line.position}:{line.digest}" if line.digest else "")):
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        octets = text.encode("utf-8", "replace")
        SubElement(found, "ParticipantObjectDetail", type=_clean(name), value=base64.b64encode(octets).decode())


def _coded(parent: Element, name: str, code: Code) -> None:
    attributes = {"csd-code": code.value, "codeSystemName": code.scheme, "originalText": code.meaning}
    SubElement(parent, name, {key: _clean(value) for key, value in attributes.items()})


def _clean(text: str) -> str:
    """A text without the characters that XML 1.0 cannot hold."""
    return _NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text)


def _is_ip(address: str) -> bool:
    try:
        ipaddress.ip_address(address)
    except ValueError:
        return False
    return True
