"""An answer that comes while pynetdicom's own thread is about to pause is still ours."""

import queue
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from pynetdicom import AE, evt
from pynetdicom.association import Association
from pynetdicom.presentation import build_context
from pynetdicom.sop_class import Verification

from pacs_agent.deliver.dimse import DimseDestination, ScuAddress
from pacs_agent.deliver.means import Means


class Late(threading.Event):
    """Lets through at once whom it lets through, who then takes his time: as a thread that loses the processor does."""

    def wait(self, timeout: float | None = None) -> bool:
        passed = super().wait(timeout)
        time.sleep(0.1)
        return passed


class Later(queue.Queue[Any]):
    """Whoever waits for what comes is even later."""

    def get(self, block: bool = True, timeout: float | None = None) -> Any:
        if block:
            time.sleep(0.3)
        return super().get(block, timeout)


@pytest.fixture
def echo_scp() -> Iterator[int]:
    entity = AE("THERE")
    entity.add_supported_context(Verification)
    server = entity.start_server(("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_ECHO, lambda _: 0x0000)])
    yield server.server_address[1]
    server.shutdown()


def test_an_answer_is_not_taken_by_the_thread_that_serves_requests(
    echo_scp: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = Association.__init__

    def with_late_pause(association: Association, *arguments: Any, **named: Any) -> None:
        made(association, *arguments, **named)
        if association.mode == "requestor":
            association.dimse.msg_queue = Later()
            association._reactor_checkpoint = Late()
            association._reactor_checkpoint.set()

    monkeypatch.setattr(Association, "__init__", with_late_pause)
    there = ScuAddress(host="127.0.0.1", port=echo_scp, called_ae="THERE")
    with DimseDestination(there, Means(timeout_s=2.0)).association([build_context(Verification)]) as association:
        for _ in range(3):
            time.sleep(0.05)  # until the association's own thread goes round
            assert association.send_c_echo().get("Status") == 0x0000
