"""A running receiver under attack: does it serve others meanwhile, does it tell who attacked, and is nothing left?"""

import itertools
import ssl
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psutil
from pynetdicom import AE
from pynetdicom.sop_class import CTImageStorage, Verification
from sqlalchemy import func, select

from pacs_agent.db import AuditEvent, Database, Instance, Peer, upgrade
from pacs_agent.ops.open_count import ASSOCIATIONS, told_count
from tests.peers import Agent
from tests.peers.attacker import Attacker
from tests.unit.archive.made_instances import ct_slice

ATTACKERS = "127.66.0.0/16"
"""Network of the loopback interface that registered attackers call from; each attack has an address of its own."""
WELL_BEHAVED, HOSTILE, ROAMING = "SENDER", "HOSTILE", "ROAMER"
"""Registered peers: the last one without a host of its own."""
SHORT: dict[str, Any] = {"network_timeout_s": 2}
"""Settings of the listener that make it lose patience within a test."""
SETTLED_WITHIN_S = 20.0
LATE_THREADS = 2
"""A process begins some of its own only with the first image that comes to it; leaks would soon be more."""


class Siege:
    """A receiver, its database, and a well-behaved peer that goes on sending whatever happens."""

    def __init__(self, folder: Path, **dimse: Any) -> None:
        self.agent = Agent(folder, subcommand="receive", dimse=SHORT | dimse)
        self.data_dir = folder / "data"
        self.doors: list[tuple[int, ssl.SSLContext | None]] = [(self.agent.port, None)]
        """Ports by which the well-behaved peer comes in each time, with its TLS context where there is one."""
        self._addresses = itertools.count(1)
        self._numbers = itertools.count(1)
        self._threads = 0

    @contextmanager
    def running(self) -> Iterator["Siege"]:
        """The receiver started, with both peers registered."""
        self.data_dir.mkdir()
        self.database = Database(f"sqlite:///{self.data_dir / 'pacs-agent.sqlite'}")
        upgrade(self.database)
        with self.database.writing() as session:
            hosts = {WELL_BEHAVED: "127.0.0.1", HOSTILE: ATTACKERS, ROAMING: ""}
            session.add_all([Peer(ae_title=title, host=host) for title, host in hosts.items()])
        with closing(self.database), self.agent:
            for _ in range(3):
                self.serves()
            self._eventually(self._nothing_open, "the first associations to end")
            self._threads = self.threads() + LATE_THREADS * len(self._processes())
            yield self

    @contextmanager
    def attack(self, *, told: bool = True, port: int | None = None) -> Iterator[Attacker]:
        """An attack on a port (that without TLS) from an address of its own.

        After it the well-behaved peer is served, nothing is left of the attack, and the audit trail names its address
        (not asked where `told` is False: what is no offence).
        """
        number = next(self._addresses)
        with Attacker(f"127.66.{number // 250}.{number % 250 + 1}", port or self.agent.port) as attacker:
            yield attacker
        assert self.agent.process.alive, self.agent.process.log_text[-2000:]
        self.serves()
        self._eventually(self._nothing_open, "all associations to end")
        self._eventually(self._no_more_threads, "all threads to end")
        assert list((self.data_dir / "archive" / "incoming").glob("*.part")) == []
        if told:
            self._eventually(lambda: self.told_of(attacker), f"an audit line that names {attacker.address}")

    def serves(self) -> None:
        """Proves that a well-behaved peer's C-ECHO and C-STORE work now, by every door."""
        for port, context in self.doors:
            ae = AE(WELL_BEHAVED)
            ae.add_requested_context(Verification)
            ae.add_requested_context(CTImageStorage)
            tls = None if context is None else (context, "127.0.0.1")
            association = ae.associate("127.0.0.1", port, ae_title=self.agent.ae_title, tls_args=tls)
            assert association.is_established, f"a good peer was not let in: {self.agent.process.log_text[-2000:]}"
            assert association.send_c_echo().Status == 0
            data_set = ct_slice(next(self._numbers), study="1.2.9", series="1.2.9.1")
            assert association.send_c_store(data_set).Status == 0
            association.release()

    def told_of(self, attacker: Attacker) -> Sequence[AuditEvent]:
        """Audit lines that name an attacker's address and tell of no success, oldest first."""
        with self.database.reading() as session:
            lines = select(AuditEvent).where(AuditEvent.actor.endswith(attacker.address)).order_by(AuditEvent.id)
            return [line for line in session.scalars(lines) if line.outcome != "success"]

    def audited(self, attacker: Attacker, action: str) -> AuditEvent:
        """The newest audit line of an action by an attacker; waits for it."""

        def newest() -> AuditEvent | None:
            with self.database.reading() as session:
                by = select(AuditEvent).where(AuditEvent.actor.endswith(attacker.address), AuditEvent.action == action)
                return session.scalars(by.order_by(AuditEvent.id.desc())).first()

        line = self._eventually(newest, f"an audit line {action} that names {attacker.address}")
        assert isinstance(line, AuditEvent)
        return line

    def stored(self, sop_instance_uid: str) -> Instance | None:
        """The index row of an instance."""
        with self.database.reading() as session:
            return session.scalars(select(Instance).where(Instance.sop_instance_uid == sop_instance_uid)).first()

    def instances(self) -> int:
        """How many instances are indexed."""
        with self.database.reading() as session:
            return session.scalar(select(func.count()).select_from(Instance)) or 0

    def rss_bytes(self) -> int:
        """Resident memory of all processes of the receiver."""
        return sum(process.memory_info().rss for process in self._processes())

    @property
    def receivers(self) -> int:
        """How many processes receive."""
        return max(1, len(self._processes()) - 1)

    def threads(self) -> int:
        """Threads of all processes of the receiver."""
        return sum(process.num_threads() for process in self._processes())

    def _processes(self) -> list[psutil.Process]:
        top = psutil.Process(self.agent.process.pid)
        return [top, *top.children(recursive=True)]

    def _no_more_threads(self) -> bool:
        return self.threads() <= self._threads

    def _nothing_open(self) -> bool:
        """No association is counted, and no connection is held by the receiver."""
        held = [one for process in self._processes() for one in process.net_connections("tcp") if one.raddr]
        return told_count(self.data_dir / ASSOCIATIONS) == 0 and not held

    def _eventually(self, look: Callable[[], object], what: str) -> object:
        deadline = time.monotonic() + SETTLED_WITHIN_S
        while not (found := look()):
            assert time.monotonic() < deadline, f"waited {SETTLED_WITHIN_S:g} s for {what}"
            time.sleep(0.05)
        return found
