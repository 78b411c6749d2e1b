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
    _told: threading.Event = field(default_factory=threading.Event, repr=False)

    @property
    def sent_away(self) -> bool:
        """Whether it had to give way."""
        return self._told.is_set()

    def send_away(self) -> None:
        """It has to give way."""
        self._told.set()
        self.hang_up()

    def wait(self, seconds: float) -> None:
        """Waits, at most until it has to give way: nobody keeps a thread by waiting."""
        if seconds:
            self._told.wait(seconds)


class Doorway:
    """The visitors of one process. Safe for any number of threads."""

    def __init__(self, most: int, most_of_one_address: int, owes: Callable[[str], bool] = lambda _: False) -> None:
        """`owes` tells whether an address has called in vain so often that its connections wait."""
        self._owes = owes
        self._most = most
        self._most_of_one_address = most_of_one_address
        self._visitors: list[Visitor] = []
        self._known: Sequence[Network] = ()
        self._lock = threading.Lock()

    def know(self, networks: Sequence[Network]) -> None:
        """Where registered peers call from: others give way before them."""
        self._known = networks

    def enter(self, visitor: Visitor) -> bool:
        """Lets a connection in, and hangs up on the one that gives way for it; False when it is not let in.

        That is when its address has as many as it may and owes: each of a crowd that pushes on would cost a thread.
        """
        with self._lock:
            leaving = self._gives_way(visitor)
            if leaving is visitor:
                return False
            if leaving:
                self._visitors.remove(leaving)
            self._visitors.append(visitor)
        if leaving:
            leaving.send_away()
        return True

    def leave(self, visitor: Visitor) -> None:
        """The request came, or the connection is over; does no harm when it was sent away."""
        with self._lock:
            if visitor in self._visitors:
                self._visitors.remove(visitor)

    def all(self) -> list[Visitor]:
        """Those that wait now."""
        with self._lock:
            return list(self._visitors)

    def _gives_way(self, new: Visitor) -> Visitor | None:
        """The oldest of the same address, or the new one where it owes; then the oldest stranger, then the oldest."""
        same = [visitor for visitor in self._visitors if visitor.address == new.address]
        if len(same) >= self._most_of_one_address:
            return new if self._owes(new.address) else same[0]
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
