"""Waiting for the signal that ends a process."""

import signal
import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class StopSignal:
    """SIGTERM or SIGINT, as bytes that arrive at a socket."""

    def __init__(self, arrivals: socket.socket) -> None:
        self._arrivals = arrivals

    def wait(self) -> None:
        """Returns when a stop signal came, even if it came before."""
        while self._arrivals.recv(1)[0] not in STOP_SIGNALS:
            pass


@contextmanager
def stop_signal() -> Iterator[StopSignal]:
    """Takes over SIGTERM and SIGINT, so that `wait` sees each of them. Call from the main thread.

    A handler that sets an event is not enough: the kernel may give the signal to another thread (numpy starts some),
    and a main thread that waits for an event without a time-out is then never woken to run the handler. The byte of
    `signal.set_wakeup_fd` is written by whichever thread the signal hits.
    """
    arrivals, wakeup = socket.socketpair()
    wakeup.setblocking(False)
    with closing(arrivals), closing(wakeup):
        before_fd = signal.set_wakeup_fd(wakeup.fileno())
        before = {number: signal.signal(number, lambda _number, _frame: None) for number in STOP_SIGNALS}
        try:
            yield StopSignal(arrivals)
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
            signal.set_wakeup_fd(before_fd)
