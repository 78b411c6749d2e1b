"""Connections that have not asked for an association yet: few of them, and the oldest gives way to a new one."""

import ipaddress
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from sqlalchemy import select

from pacs_agent.db import Database, Peer

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(eq=False)
class Visitor:
    """A connection whose association request has not come."""

    address: str
    hang_up: Callable[[], None] = field(repr=False)
    sent_away: bool = False
    """Whether it had to give way."""


class Doorway:
    """The visitors of one process. Safe for any number of threads."""

    def __init__(self, most: int, most_of_one_address: int) -> None:
        self._most = most
        self._most_of_one_address = most_of_one_address
        self._visitors: list[Visitor] = []
        self._known: Sequence[Network] = ()
        self._lock = threading.Lock()

    def know(self, networks: Sequence[Network]) -> None:
        """Where registered peers call from: others give way before them."""
        self._known = networks

    def enter(self, visitor: Visitor) -> None:
        """Lets a connection in; hangs up on the one that gives way for it."""
        with self._lock:
            leaving = self._gives_way(visitor.address)
            if leaving:
                leaving.sent_away = True
                self._visitors.remove(leaving)
            self._visitors.append(visitor)
        if leaving:
            leaving.hang_up()

    def leave(self, visitor: Visitor) -> None:
        """The request came, or the connection is over; does no harm when it was sent away."""
        with self._lock:
            if visitor in self._visitors:
                self._visitors.remove(visitor)

    def all(self) -> list[Visitor]:
        """Those that wait now."""
        with self._lock:
            return list(self._visitors)

    def _gives_way(self, address: str) -> Visitor | None:
        """The oldest of the same address, then the oldest stranger, then the oldest."""
        same = [visitor for visitor in self._visitors if visitor.address == address]
        if len(same) >= self._most_of_one_address:
            return same[0]
        if len(self._visitors) < self._most:
            return None
        return next((one for one in self._visitors if not self._is_known(one.address)), self._visitors[0])

    def _is_known(self, address: str) -> bool:
        ip = ipaddress.ip_address(address)
        return any(ip in network for network in self._known)


def registered_networks(database: Database) -> list[Network]:
    """The addresses and networks of enabled peers; names are left out, as asking for them takes time."""
    with database.reading() as session:
        hosts = session.scalars(select(Peer.host).where(Peer.enabled, Peer.host != "")).all()
    return [network for host in hosts if (network := _network(host))]


def _network(host: str) -> Network | None:
    try:
        return ipaddress.ip_network(host, strict=False)
    except ValueError:
        return None
