"""The peers that people set up: who may send to us, each change with its audit line, and what was last seen of each."""

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from pacs_agent.config import AETitle
from pacs_agent.db import AuditEvent, Destination, Peer, utc_now
from pacs_agent.ops import Outcome, audit

REFUSALS = ("association.rejected", "instance.refused", "instance.quarantined")
"""Actions of audit lines that tell of something refused to a peer."""
LOOKED_THROUGH = 10_000
"""Newest refusals of each kind: more would make the page wait when strangers flood the listener."""
_HOST_NAME = re.compile(r"[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63})*\.?")


def check_host_binding(value: str) -> str:
    """An address, a network (10.0.0.0/8) or a host name; empty for anywhere."""
    value = value.strip()
    try:
        ipaddress.ip_network(value or "0.0.0.0/0", strict=False)
    except ValueError as error:
        numeric = re.fullmatch(r"[0-9./:]+", value)
        if numeric or len(value) > 255 or not _HOST_NAME.fullmatch(value):
            raise ValueError(
                f"{value[:64]!r} is neither an address, a network such as 10.0.0.0/8, nor a name"
            ) from error
    return value


def check_certificate_name(value: str) -> str:
    """A DNS name, or a common name, as it stands in a certificate; empty for none."""
    value = value.strip()
    if len(value) > 255 or not value.isprintable():
        raise ValueError(f"{value[:64]!r} is no name of a certificate: at most 255 printable characters")
    return value


class NewPeer(BaseModel):
    """A peer as people set it up: its AE title, where it must come from, and what it may do."""

    model_config = ConfigDict(frozen=True)

    ae_title: AETitle
    host: Annotated[str, AfterValidator(check_host_binding)] = ""
    may_store: bool = True
    may_echo: bool = True
    enabled: bool = True
    certificate_name: Annotated[str, AfterValidator(check_certificate_name)] = ""
    tls_only: bool = False
    commitment_port: int = Field(0, ge=0, le=65535)


@dataclass(frozen=True)
class ReportAddress:
    """Where a peer takes results of storage commitment. `certificate_name` is empty where it is that of the host."""

    host: str
    port: int
    tls: bool = False
    certificate_name: str = ""


class UnknownPeer(LookupError):
    """There is no peer of this AE title."""


def put_peer(session: Session, new: NewPeer, *, actor: str) -> None:
    """Adds a peer or changes it, in the caller's transaction; its next association is judged by it."""
    row = session.get(Peer, new.ae_title)
    before = _audited(row) if row else None
    if row is None:
        row = Peer(ae_title=new.ae_title)
        session.add(row)
    for name in _SET_UP:
        setattr(row, name, getattr(new, name))
    _audit(session, actor, "peer.changed", new.ae_title, before, _audited(row))


def remove_peer(session: Session, ae_title: str, *, actor: str) -> None:
    """Removes a peer: its next association is rejected. Raises UnknownPeer."""
    row = session.get(Peer, ae_title)
    if row is None:
        raise UnknownPeer(f"there is no peer {ae_title}")
    before = _audited(row)
    session.delete(row)
    _audit(session, actor, "peer.removed", ae_title, before, None)


def recent_refusals(session: Session, ae_title: str, limit: int = 20) -> list[AuditEvent]:
    """Audit lines of what was refused to a peer, the newest first, among the newest of all peers."""
    found = [line for action in REFUSALS for line in _recent(session, action, ae_title, limit)]
    return sorted(found, key=lambda line: line.at, reverse=True)[:limit]


def _recent(session: Session, action: str, ae_title: str, limit: int) -> Sequence[AuditEvent]:
    """Lines of one action: no index begins with the actor, so only the newest are looked through."""
    newest = select(AuditEvent.id).where(AuditEvent.action == action).order_by(AuditEvent.at.desc())
    query = select(AuditEvent).where(AuditEvent.id.in_(select(newest.limit(LOOKED_THROUGH).subquery().c.id)))
    query = query.where(AuditEvent.actor.startswith(f"{ae_title}@", autoescape=True))
    return session.scalars(query.order_by(AuditEvent.at.desc()).limit(limit)).all()


def note_seen(session: Session, source: str, at: datetime | None = None) -> None:
    """Notes that an association of a peer, "AE@address", ended now."""
    _note(session, source, last_seen_at=at or utc_now())


def note_refused(session: Session, source: str, reason: str) -> None:
    """Notes why something was refused to a peer, "AE@address"; nothing for who is no peer."""
    _note(session, source, last_refused_at=utc_now(), last_refusal=reason[:500])


def _note(session: Session, source: str, **values: Any) -> None:
    ae_title = source.rpartition("@")[0]
    session.execute(update(Peer).where(Peer.ae_title == ae_title).values(**values))


def report_address(session: Session, ae_title: str, source: str) -> ReportAddress | None:
    """Where results of storage commitment are sent to a peer that asked as `source`, "AE@address"; None if unknown.

    Its own port is at its host, or where it asked from when no single host is registered; without a port it is the
    DICOM destination of the same AE title.
    """
    peer = session.get(Peer, ae_title)
    if peer is not None and peer.commitment_port:
        host = _single_host(peer.host) or source.rpartition("@")[2]
        over_tls = peer.tls_only or bool(peer.certificate_name)
        return ReportAddress(host, peer.commitment_port, over_tls, peer.certificate_name)
    for row in session.scalars(select(Destination).where(Destination.kind == "dimse", Destination.enabled)):
        given = row.settings
        if given.get("called_ae") == ae_title:
            tls, name = bool(given.get("tls")), str(given.get("certificate_name", ""))
            return ReportAddress(str(given["host"]), int(given["port"]), tls, name)
    return None


def _single_host(host: str) -> str:
    """An address or a name; empty for a network."""
    try:
        network = ipaddress.ip_network(host, strict=False)
    except ValueError:
        return host
    return str(network.network_address) if network.num_addresses == 1 else ""


_SET_UP = tuple(name for name in NewPeer.model_fields if name != "ae_title")


def _audited(row: Peer) -> dict[str, Any]:
    return {name: getattr(row, name) for name in _SET_UP}


def _audit(
    session: Session,
    actor: str,
    action: str,
    ae_title: str,
    before: dict[str, Any] | None,
    after: dict[str, Any] | None,
) -> None:
    audit(session, actor=actor, action=action, outcome=Outcome.SUCCESS, subject=ae_title, before=before, after=after)
