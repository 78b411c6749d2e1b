"""Who may open an association: the called AE title, the peer's row in table peers, its host and its certificate."""

import ipaddress
import socket
from dataclasses import dataclass

from pacs_agent.db import Database, Peer


@dataclass(frozen=True)
class Request:
    """An association request, as far as it decides about admission."""

    calling_ae_title: str
    called_ae_title: str
    address: str
    """IP address of the peer, by its connection."""
    over_tls: bool = False
    certificate_names: frozenset[str] = frozenset()
    """Names that the peer proved by its certificate, in small letters; none on a plain connection."""


@dataclass(frozen=True)
class Admission:
    """A peer that may come in, and what it may do."""

    may_echo: bool
    may_store: bool
    is_at_its_host: bool = False
    """Whether it called from the host that is registered for it; False where none is."""


@dataclass(frozen=True)
class Rejection:
    """Result, source and reason of an A-ASSOCIATE-RJ (PS3.8 9.3.4), and the reason in words for the audit trail."""

    result: int
    source: int
    diagnostic: int
    text: str


@dataclass(frozen=True)
class AssociationPolicy:
    """What a listener demands of an association."""

    ae_title: str

    def judge(self, request: Request, database: Database) -> Admission | Rejection:
        """Admits or rejects. Unknown and disabled peers, and peers at another host than theirs, may do nothing.

        They all are told that the calling AE title is not recognised: a stranger shall not learn which titles exist.
        """
        if request.called_ae_title != self.ae_title:
            return Rejection(1, 1, 7, f"called AE title is {request.called_ae_title!r}, ours is {self.ae_title!r}")
        with database.reading() as session:
            peer = session.get(Peer, request.calling_ae_title)
        objection = _objection(peer, request)
        if peer is None or objection:
            return Rejection(1, 1, 3, objection)
        return Admission(may_echo=peer.may_echo, may_store=peer.may_store, is_at_its_host=bool(peer.host))


def _objection(peer: Peer | None, request: Request) -> str:
    if peer is None:
        return f"AE title {request.calling_ae_title!r} is no registered peer"
    if not peer.enabled:
        return f"peer {peer.ae_title!r} is disabled"
    if peer.host and not _is_at(peer.host, request.address):
        return f"peer {peer.ae_title!r} called from {request.address}, registered is {peer.host}"
    if not request.over_tls and (peer.tls_only or peer.certificate_name):
        return f"peer {peer.ae_title!r} called without TLS, but is registered for TLS only"
    if peer.certificate_name and peer.certificate_name.lower() not in request.certificate_names:
        shown = ", ".join(sorted(request.certificate_names)) or "nothing"
        return f"peer {peer.ae_title!r} must show a certificate of {peer.certificate_name}, and showed one of {shown}"
    return ""


def _is_at(host: str, address: str) -> bool:
    """Whether an address belongs to a registered host: an address, a network (10.0.0.0/8) or a name."""
    try:
        return ipaddress.ip_address(address) in ipaddress.ip_network(host, strict=False)
    except ValueError:
        return address in _addresses(host)


def _addresses(name: str) -> set[str]:
    try:
        return {str(entry[4][0]) for entry in socket.getaddrinfo(name, None)}
    except (OSError, UnicodeError):
        return set()
