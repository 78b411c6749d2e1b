"""Waiting for the signal that ends a process."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager

STOP_SIGNALS = frozenset((signal.SIGTERM, signal.SIGINT))


class StopSignal:
    """SIGTERM or SIGINT, while they are held back."""

    def wait(self) -> None:
        """Returns when a stop signal came, even if it came before."""
        signal.sigwait(STOP_SIGNALS)


@contextmanager
def stop_signal() -> Iterator[StopSignal]:
    """Holds back SIGTERM and SIGINT in this thread, and in those it starts, so that `wait` can take them.

    Enter before threads are started. A handler that sets an event is not enough: it may run just before the main thread
    begins to wait for ever.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
    try:
        yield StopSignal()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
