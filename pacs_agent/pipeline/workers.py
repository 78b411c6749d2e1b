"""Which workers live: the heartbeat of this one, and finding the dead without trusting any clock."""

import os
import socket
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from pacs_agent.db import Database, Worker, utc_now


def host_identity() -> str:
    """The name of this host, as far as process ids mean the same in it: host name and process id namespace."""
    try:
        namespace = Path("/proc/self/ns/pid").stat().st_ino
    except OSError:
        namespace = 0
    return f"{socket.gethostname()}/{namespace}"[:255]


class Heartbeat:
    """The life of this worker process, told in table `workers` under an id that no other start ever has."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.executor_id = uuid.uuid4().hex

    def register(self) -> None:
        """Enters this worker; to be called before it takes any work."""
        with self.database.writing() as session:
            session.add(Worker(executor_id=self.executor_id, host=host_identity(), pid=os.getpid()))

    def beat(self) -> bool:
        """Says that this worker lives. False when others have taken it for dead: it must stop at once."""
        return self._update(seen_at=utc_now())

    def sign_off(self) -> None:
        """Says that this worker is gone, so that others take its jobs without waiting."""
        self._update(buried_at=utc_now())

    def _update(self, **values: datetime) -> bool:
        own = update(Worker).where(Worker.executor_id == self.executor_id, Worker.buried_at.is_(None))
        with self.database.writing() as session:
            return bool(session.execute(own.values(**values)).rowcount)  # type: ignore[attr-defined]


@dataclass(frozen=True)
class _Sight:
    seen_at: datetime
    since_s: float


@dataclass(frozen=True)
class Sighting:
    """Executor ids of the living, and the rows of the dead."""

    living: frozenset[str]
    dead: tuple[Worker, ...]


class DeathWatch:
    """Tells dead workers from living ones.

    A worker of this host is dead when its process is gone. Any other is dead when its heartbeat has not moved for
    `takeover_s` of our own monotonic clock: clocks of two hosts are never compared.
    """

    def __init__(self, executor_id: str, takeover_s: float, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.executor_id = executor_id
        self.takeover_s = takeover_s
        self._monotonic = monotonic
        self._host = host_identity()
        self._sights: dict[str, _Sight] = {}

    def look(self, session: Session, *, lock: bool = False) -> Sighting:
        """Who lives, ourselves among them, and who is dead but not buried. `lock`: nobody else looks meanwhile."""
        unburied = select(Worker).where(Worker.buried_at.is_(None)).order_by(Worker.executor_id)
        workers = session.scalars(unburied.with_for_update() if lock else unburied).all()
        self._sights = {worker.executor_id: self._sight(worker) for worker in workers}
        dead = tuple(worker for worker in workers if self._is_dead(worker))
        return Sighting(frozenset(worker.executor_id for worker in workers if worker not in dead), dead)

    def _sight(self, worker: Worker) -> _Sight:
        known = self._sights.get(worker.executor_id)
        return known if known and known.seen_at == worker.seen_at else _Sight(worker.seen_at, self._monotonic())

    def _is_dead(self, worker: Worker) -> bool:
        if worker.executor_id == self.executor_id:
            return False
        if worker.host == self._host and not _is_alive(worker.pid):
            return True
        return self._monotonic() - self._sights[worker.executor_id].since_s > self.takeover_s


def _is_alive(pid: int) -> bool:
    """Whether another process has this id; our own id belonged to somebody else before us."""
    if pid == os.getpid():
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
