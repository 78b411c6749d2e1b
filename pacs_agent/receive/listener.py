"""The DICOM listener of one process: it accepts connections, and serves each in a thread of its own."""

import ipaddress
import os
import selectors
import socket
import ssl
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from pynetdicom import _config
from sqlalchemy.exc import SQLAlchemyError

from pacs_agent.archive import Archive
from pacs_agent.config import DimseSettings, Settings
from pacs_agent.db import Database
from pacs_agent.ops import get_log
from pacs_agent.ops.dicom_tls import RenewedContext
from pacs_agent.receive.audit_book import REJECTED, AuditBook
from pacs_agent.receive.commitment import commitment_services
from pacs_agent.receive.doorway import Doorway, Visitor, registered_networks
from pacs_agent.receive.evenness import GIVES_WAY_S, Counts, Evenness
from pacs_agent.receive.hesitation import Hesitation
from pacs_agent.receive.intake import Intake
from pacs_agent.receive.places import PlaceLimits, Places
from pacs_agent.receive.policy import AssociationPolicy
from pacs_agent.receive.reception import Caller, House, Reception
from pacs_agent.receive.services import ECHO

_config.LOG_HANDLER_LEVEL = "none"  # pynetdicom's own lines hold whole data sets

BACKLOG = 512
HOUSEKEEPING_S = 5.0
NO_ROOM_PAUSE_S = 0.1
"""Pause when the process can have no more files or threads."""
STOP_WITHIN_S = 10.0
PUSHING = "more connections at a time than an address may have, from one that called in vain again and again"

log = get_log("receive")


@dataclass(frozen=True)
class Door:
    """A bound port."""

    socket: socket.socket
    encrypted: bool

    @property
    def port(self) -> int:
        """The TCP port in use."""
        return int(self.socket.getsockname()[1])


def open_doors(settings: DimseSettings) -> list[Door]:
    """Binds the ports of the settings: plain, with TLS, or both. Raises OSError."""
    doors = [] if settings.tls is not None and settings.tls.only else [_door(settings.host, settings.port)]
    if settings.tls is not None:
        doors.append(_door(settings.host, settings.tls.port, encrypted=True))
    return doors


def _door(host: str, port: int, *, encrypted: bool = False) -> Door:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    both = host == "::" and socket.has_dualstack_ipv6()  # all addresses of the machine, those of IPv4 too
    bound = socket.create_server((host, port), family=family, backlog=BACKLOG, dualstack_ipv6=both)
    bound.setblocking(False)  # several processes may wait at it: one of them gets each connection
    return Door(bound, encrypted)


def _shown(address: str) -> str:
    """The address of a peer; one that comes by IPv4 to a door of IPv6 has its IPv4 address."""
    ip = ipaddress.ip_address(address)
    return str(getattr(ip, "ipv4_mapped", None) or ip)


class Listener:
    """The SCP of one process. It binds the ports of the settings, unless it is given doors that are open."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        archive: Archive,
        doors: Iterable[Door] = (),
        evenness: Evenness | None = None,
    ) -> None:
        """With `evenness` it leaves new connections to other processes at the same doors that have fewer."""
        self._settings = settings
        self._database = database
        self._book = AuditBook(database, settings.dimse.ae_title)
        self._intake = Intake(database, archive, self._book)
        self._doors = list(doors)
        self._evenness = evenness or Evenness(Counts(1), 0)
        self._tls = RenewedContext(settings.dimse.tls) if settings.dimse.tls is not None else None
        self._stopping = threading.Event()
        self._callers: dict[Caller, threading.Thread] = {}
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        self._wake_reader, self._wake_writer = -1, -1
        self._house: House | None = None

    @property
    def port(self) -> int:
        """The TCP port in use; settings may say 0 for any free one. Raises RuntimeError before `start`."""
        if not self._doors:
            raise RuntimeError("the listener has no port before it is started")
        return self._doors[0].port

    @property
    def tls_port(self) -> int:
        """The TCP port in use with TLS. Raises RuntimeError before `start`, or when there is none."""
        for door in self._doors:
            if door.encrypted:
                return door.port
        raise RuntimeError("the listener has no port for TLS")

    def start(self) -> None:
        """Binds the ports and serves in threads. Raises OSError when an address cannot be bound."""
        dimse = self._settings.dimse
        self._doors = self._doors or open_doors(dimse)
        self._house = self._furnished()
        self._wake_reader, self._wake_writer = os.pipe()
        self._threads = [
            threading.Thread(target=target, args=(self._house,), name=name, daemon=True)
            for name, target in (("accept", self._accept_all), ("housekeeping", self._keep_house))
        ]
        for thread in self._threads:
            thread.start()
        log.info("listening", ae_title=dimse.ae_title, host=dimse.host, ports=[door.port for door in self._doors])

    def stop(self) -> None:
        """Takes no more associations, aborts those open, and gives the ports back."""
        if self._house is None:
            return
        self._stopping.set()
        os.write(self._wake_writer, b"\0")
        for thread in self._threads:
            thread.join(STOP_WITHIN_S)
        with self._lock:
            open_now = dict(self._callers)
        for caller in open_now:
            caller.interrupt()
        for thread in open_now.values():
            thread.join(STOP_WITHIN_S)
        for door in self._doors:
            door.socket.close()
        self._house.book.sum_up(all_minutes=True)
        self._house.places.close()
        os.close(self._wake_reader)
        os.close(self._wake_writer)
        self._doors, self._house = [], None

    def _furnished(self) -> House:
        dimse, hesitation = self._settings.dimse, Hesitation()
        return House(
            settings=dimse,
            database=self._database,
            intake=self._intake,
            services={**ECHO, **commitment_services(self._database)},
            policy=AssociationPolicy(dimse.ae_title),
            places=Places(
                self._settings.data_dir, PlaceLimits(dimse.max_associations, dimse.max_associations_per_peer)
            ),
            doorway=Doorway(dimse.max_waiting, dimse.max_waiting_per_address, owes=hesitation.makes_wait),
            hesitation=hesitation,
            book=self._book,
            stopping=self._stopping.is_set,
        )

    def _accept_all(self, house: House) -> None:
        with selectors.DefaultSelector() as ready:
            ready.register(self._wake_reader, selectors.EVENT_READ)
            for door in self._doors:
                ready.register(door.socket, selectors.EVENT_READ, door)
            while not self._stopping.is_set():
                for key, _ in ready.select():
                    if isinstance(key.data, Door):
                        self._accept(key.data, house)

    def _accept(self, door: Door, house: House) -> None:
        if self._evenness.another_has_fewer():
            self._stopping.wait(GIVES_WAY_S)
        try:
            connection, address = door.socket.accept()
        except (BlockingIOError, ConnectionError):
            return  # another process was faster, or the peer is gone
        except OSError as error:
            log.error("a connection cannot be accepted", error=error.strerror)
            self._stopping.wait(NO_ROOM_PAUSE_S)
            return
        caller = Caller(connection, _shown(address[0]))
        visitor = Visitor(caller.address, caller.hang_up)
        if not house.doorway.enter(visitor):
            house.book.count(caller.address, REJECTED, PUSHING)
            connection.close()
            return
        tls = self._tls.current() if self._tls is not None and door.encrypted else None
        thread = threading.Thread(
            target=self._serve, args=(house, caller, visitor, tls), name="association", daemon=True
        )
        with self._lock:
            self._callers[caller] = thread
            self._evenness.tell(len(self._callers))
        try:
            thread.start()
        except RuntimeError as error:
            log.error("a connection cannot be served", error=str(error))
            self._over(house, caller, visitor)
            self._stopping.wait(NO_ROOM_PAUSE_S)

    def _serve(self, house: House, caller: Caller, visitor: Visitor, tls: ssl.SSLContext | None) -> None:
        try:
            Reception(house, caller, visitor).serve(tls)
        except Exception:
            log.exception("a connection ended by an error of ours", address=caller.address)
        finally:
            self._over(house, caller, visitor)

    def _over(self, house: House, caller: Caller, visitor: Visitor) -> None:
        house.doorway.leave(visitor)
        caller.socket.close()
        with self._lock:
            self._callers.pop(caller, None)
            self._evenness.tell(len(self._callers))

    def _keep_house(self, house: House) -> None:
        """What need not be done for each connection: places, where peers call from, and the sums of audit lines."""
        while True:
            for task in (house.places.keep, partial(_know_peers, house), house.book.sum_up):
                _tried(task)
            if self._stopping.wait(HOUSEKEEPING_S):
                return


def _know_peers(house: House) -> None:
    house.doorway.know(registered_networks(house.database))


def _tried(task: Callable[[], None]) -> None:
    try:
        with suppress(SQLAlchemyError):  # whoever needs the database next says that it is gone
            task()
    except OSError as error:  # of the file of places, on a full disk: the next time there may be room
        log.error("the house is not kept", error=error.strerror or type(error).__name__)
