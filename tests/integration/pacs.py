"""A small PACS for tests of delivery: it counts what it is sent, answers as told, and can be away."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, Self

from pydicom.dataset import Dataset
from pynetdicom import AE, evt
from pynetdicom.sop_class import (
    BasicTextSRStorage,
    Comprehensive3DSRStorage,
    StudyRootQueryRetrieveInformationModelFind,
    Verification,
)

from tests.peers.running import free_port

ALL_CLASSES = (Comprehensive3DSRStorage, BasicTextSRStorage)


class CountingPacs:
    """A C-STORE, C-FIND and C-ECHO SCP on pynetdicom. `received` counts every C-STORE by its SOP Instance UID."""

    ae_title = "COUNTING"

    def __init__(
        self, *, classes: tuple[str, ...] = ALL_CLASSES, port: int | None = None, queries: bool = True
    ) -> None:
        self.port = port or free_port()
        self.classes = (*classes, StudyRootQueryRetrieveInformationModelFind) if queries else classes
        self.received: Counter[str] = Counter()
        self.stored: dict[str, Dataset] = {}
        self.status_of: Callable[[Dataset], int] = lambda _instance: 0x0000
        self.loses = False
        self.aborts_after: int | None = None
        self.associations = 0
        self.offered: list[set[str]] = []
        self._server: Any = None
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def settings(self) -> dict[str, Any]:
        """Settings of a destination of kind dimse that is this PACS."""
        return {"host": "127.0.0.1", "port": self.port, "called_ae": self.ae_title}

    def start(self) -> None:
        """Listens."""
        entity = AE(self.ae_title)
        entity.require_called_aet = True
        for sop_class in (*self.classes, Verification):
            entity.add_supported_context(sop_class)
        self._server = entity.start_server(("127.0.0.1", self.port), block=False, evt_handlers=self._handlers())

    def stop(self) -> None:
        """Goes away; what it stored it keeps."""
        if self._server:
            self._server.shutdown()
            self._server = None

    def _handlers(self) -> list[Any]:
        return [
            (evt.EVT_C_STORE, self._store),
            (evt.EVT_C_FIND, self._find),
            (evt.EVT_REQUESTED, self._requested),
        ]

    def _requested(self, event: Any) -> None:
        with self._lock:
            self.associations += 1
            self.offered.append({context.abstract_syntax for context in event.assoc.requestor.requested_contexts})

    def _store(self, event: Any) -> int:
        instance = event.dataset
        if self.aborts_after is not None and len(self.received) >= self.aborts_after:
            event.assoc.abort()
        status = self.status_of(instance)
        with self._lock:
            self.received[instance.SOPInstanceUID] += 1
            if status == 0 or status & 0xF000 == 0xB000:
                self.stored[instance.SOPInstanceUID] = instance
        return status

    def _find(self, event: Any) -> Iterator[tuple[int, Dataset | None]]:
        uid = event.identifier.SOPInstanceUID
        if uid in self.stored and not self.loses:
            yield 0xFF00, event.identifier
        yield 0x0000, None
