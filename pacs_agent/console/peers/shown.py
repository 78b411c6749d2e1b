"""Peers and destinations as the pages show them."""

from collections.abc import Iterable

from sqlalchemy import select
from sqlalchemy.orm import Session

from pacs_agent import deliver, receive
from pacs_agent.config import Settings
from pacs_agent.console.peers.models import (
    CommitmentLine,
    DestinationRow,
    Node,
    OurNode,
    PeersPage,
    RefusedLine,
    SecretState,
    Sender,
    Trouble,
)
from pacs_agent.db import AuditEvent, CommitmentOwed, Delivery, DeliveryState, Peer, ResultObject

MOST_TROUBLES = 20
MOST_COMMITMENTS = 10
_TROUBLED = (DeliveryState.RETRYING, DeliveryState.REFUSED, DeliveryState.UNREACHABLE)
_PLAIN_DICOM = "not encrypted"


def all_nodes(session: Session, settings: Settings) -> PeersPage:
    """Senders by AE title, each with the destinations of the same title, then the other destinations."""
    destinations = [destination_row(one) for one in deliver.destinations_shown(session)]
    nodes = []
    for peer in session.scalars(select(Peer).order_by(Peer.ae_title)):
        same = [one for one in destinations if one.settings.get("called_ae") == peer.ae_title]
        nodes.append(Node(title=peer.ae_title, sender=sender_of(peer), destinations=same))
    shown = {one.name for node in nodes for one in node.destinations}
    nodes += _alone(one for one in destinations if one.name not in shown)
    return PeersPage(ours=our_node(settings), nodes=nodes)


def our_node(settings: Settings) -> OurNode:
    """What is to be entered at the other side."""
    dimse, tls = settings.dimse, settings.dimse.tls
    if tls is None:
        words = "not set up; docs/operations.md says how"
        return OurNode(ae_title=dimse.ae_title, host=dimse.host, port=dimse.port, tls_port=None, encryption=words)
    shown = "who connects shows a certificate" if tls.require_client_certificate else "no certificate is asked for"
    return OurNode(
        ae_title=dimse.ae_title,
        host=dimse.host,
        port=None if tls.only else dimse.port,
        tls_port=tls.port,
        encryption=f"port {tls.port}, TLS 1.2 or 1.3; {shown}",
    )


def sender_of(peer: Peer) -> Sender:
    """A peer as it is shown."""
    return Sender(
        ae_title=peer.ae_title,
        host=peer.host,
        may_store=peer.may_store,
        may_echo=peer.may_echo,
        enabled=peer.enabled,
        certificate_name=peer.certificate_name,
        tls_only=peer.tls_only,
        commitment_port=peer.commitment_port,
        last_seen_at=peer.last_seen_at,
        last_refused_at=peer.last_refused_at,
        last_refusal=peer.last_refusal,
    )


def destination_row(one: deliver.DestinationShown) -> DestinationRow:
    """A destination as it is shown."""
    return DestinationRow(
        name=one.name,
        kind=one.kind,
        address=_address(one),
        settings=dict(one.settings),
        secrets=[SecretState(name=each.name, is_set=each.is_set, variable=each.variable) for each in one.secrets],
        enabled=one.enabled,
        encryption=_encryption(one),
        last_stored_at=one.last_stored_at,
        last_error_at=one.last_error_at,
        last_error=one.last_error,
        rules=list(one.rules),
    )


def refusals_of(session: Session, ae_title: str) -> list[RefusedLine]:
    """What was refused to a sender, the newest first."""
    return [_refused(line) for line in receive.recent_refusals(session, ae_title)]


def commitments_of(session: Session, ae_title: str) -> list[CommitmentLine]:
    """What a sender asked us to vouch for, the newest first."""
    query = select(CommitmentOwed).where(CommitmentOwed.ae_title == ae_title)
    rows = session.scalars(query.order_by(CommitmentOwed.asked_at.desc()).limit(MOST_COMMITMENTS))
    return [
        CommitmentLine(
            asked_at=row.asked_at,
            transaction_uid=row.transaction_uid,
            instances=len(row.instances),
            committed=row.committed,
            state=row.state,
            attempts=row.attempts,
            answer=row.answer,
        )
        for row in rows
    ]


def troubles_of(session: Session, name: str) -> list[Trouble]:
    """What a destination did not take, the newest first."""
    query = select(Delivery, ResultObject).join(Delivery.result_object)
    query = query.where(Delivery.destination == name, Delivery.state.in_(_TROUBLED))
    rows = session.execute(query.order_by(Delivery.changed_at.desc()).limit(MOST_TROUBLES))
    return [
        Trouble(
            at=delivery.changed_at,
            state=delivery.state,
            sop_instance_uid=result.sop_instance_uid,
            job_id=result.job_id,
            attempts=delivery.attempts,
            answer=delivery.answer,
        )
        for delivery, result in rows
    ]


def _alone(destinations: Iterable[DestinationRow]) -> list[Node]:
    return [Node(title=one.name, sender=None, destinations=[one]) for one in destinations]


def _address(one: deliver.DestinationShown) -> str:
    given = one.settings
    if one.kind == "dimse":
        return f"{given.get('called_ae', '')} at {given.get('host', '')}:{given.get('port', '')}"
    return str(given.get("url", ""))


def _encryption(one: deliver.DestinationShown) -> str:
    if one.kind == "dimse" and one.settings.get("tls"):
        name = one.settings.get("certificate_name") or one.settings.get("host")
        return f"TLS, certificate of {name} checked against dimse.tls.ca_file, ours shown"
    if one.kind == "dimse":
        return _PLAIN_DICOM
    if not str(one.settings.get("url", "")).startswith("https:"):
        return "not encrypted: http; use https where the service offers it"
    ca_file = one.settings.get("ca_file")
    return f"TLS, certificate checked against {ca_file or 'the authorities of this machine'}"


def _refused(line: AuditEvent) -> RefusedLine:
    detail = line.detail
    reason = str(detail.get("text") or detail.get("reason") or "")
    return RefusedLine(at=line.at, action=line.action, subject=line.subject, reason=reason, source=line.actor)
