"""UIDs that follow from what an object says: the same content has the same UID, other content another one."""

import hashlib
import json
import uuid
from dataclasses import dataclass

from pacs_agent.results.facts import BESIDE_REPORTS, DocumentFacts, ObjectKind, Predecessor


def derived_uid(*facts: str) -> str:
    """A UID made of facts: the first 128 bits of their SHA-256 as a UUID of version 8, under 2.25.

    PS3.5 B.2; RFC 9562 5.8. At most 44 characters.
    """
    digest = hashlib.sha256(json.dumps(facts, ensure_ascii=False).encode("utf-8", "surrogatepass")).digest()
    octets = bytearray(digest[:16])
    octets[6] = octets[6] & 0x0F | 0x80
    octets[8] = octets[8] & 0x3F | 0x80
    return f"2.25.{uuid.UUID(bytes=bytes(octets)).int}"


@dataclass(frozen=True)
class DocumentUids:
    """The two UIDs of a document; each document is a series of its own, but for those of `one_of`."""

    sop_instance_uid: str
    series_instance_uid: str


def document_uids(
    kind: ObjectKind, study_instance_uid: str, model_digest: str, content_digest: str, facts: DocumentFacts
) -> DocumentUids:
    """The UIDs of one document.

    `content_digest` is over everything the document says that the other facts do not already fix.
    """
    identity = (
        kind.value,
        study_instance_uid,
        model_digest,
        facts.input_digest,
        content_digest,
        facts.composed_at.isoformat(),
        facts.software_version,
        *(previous.sop_instance_uid for previous in replaced_by(kind, facts)),
        *filter(None, (facts.lacks,)),
    )
    return DocumentUids(derived_uid("instance", *identity), derived_uid("series", *identity))


def one_of(together: DocumentUids, key: str) -> DocumentUids:
    """The UIDs of one of several objects of a kind that are one series; the key tells it from the others."""
    return DocumentUids(derived_uid("one of", together.sop_instance_uid, key), together.series_instance_uid)


def replaced_by(kind: ObjectKind, facts: DocumentFacts) -> tuple[Predecessor, ...]:
    """The predecessors a document of this kind takes the place of: its own kind, and "no result" by or of any report.

    What stands beside the reports is replaced by its own kind only. PS3.3 C.17.2.
    """
    return tuple(p for p in facts.predecessors if p.kind == kind or _says_otherwise(kind, p.kind))


def _says_otherwise(kind: ObjectKind, earlier: ObjectKind) -> bool:
    return ObjectKind.NO_RESULT in (kind, earlier) and BESIDE_REPORTS.isdisjoint((kind, earlier))


def tracking_uid(study_instance_uid: str, device_uid: str, finding_key: str) -> str:
    """The UID under which one finding of one model is followed through all documents of a study. PS3.16 TID 4108."""
    return derived_uid("finding", study_instance_uid, device_uid, finding_key)


def distance_tracking_uid(study_instance_uid: str, device_uid: str, finding_key: str, what: str, number: int) -> str:
    """The UID under which one distance is followed; `what` was measured, `number` tells it from others of its kind."""
    return derived_uid("distance", study_instance_uid, device_uid, finding_key, what, str(number))


def agent_device_uid(software_version: str) -> str:
    """Device UID of the agent itself in one version: the observer when no model took part."""
    return derived_uid("agent", software_version)
