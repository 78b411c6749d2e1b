"""A connection, plain or by TLS, whose waits end at the deadlines of its peer."""

import socket
import ssl
import struct
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress

from pacs_agent.receive.wire.breach import PeerGone, Stopping, TimeSpent
from pacs_agent.receive.wire.budget import Budget

LINGER_S = 1.0
"""How long after our last PDU the peer's bytes are read to nowhere: closing on unread ones would destroy that PDU."""
LINGER_BYTES = 1 << 20
"""At most so many of them: who goes on sending does not read our last PDU, and must not keep us busy."""
_TIMEVAL = struct.Struct("ll")
_SCRATCH_BYTES = 1 << 18


class Transport:
    """One connection. One thread reads; any may send."""

    def __init__(self, connection: socket.socket, budget: Budget, stopping: Callable[[], bool]) -> None:
        self._socket = connection
        self._budget = budget
        self._stopping = stopping
        self._sending = threading.Lock()
        tick_s = budget.limits.tick_s
        self.scatters = not isinstance(connection, ssl.SSLSocket)
        """Whether it fills several buffers in one call, and may read and send at the same time: OpenSSL cannot."""
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if not self.scatters:
            connection.settimeout(tick_s)
            return
        connection.setblocking(True)  # and the kernel keeps the time: one call for each read instead of two
        for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
            connection.setsockopt(socket.SOL_SOCKET, option, _TIMEVAL.pack(int(tick_s), int(tick_s % 1 * 1e6)))

    def receive(self, buffers: Sequence[memoryview]) -> int:
        """Fills the buffers, one after the other, with what is there; gives the number of bytes, at least one.

        Raises PeerGone, TimeSpent, Stopping.
        """
        since_s = self._budget.monotonic()
        while True:
            if self._stopping():
                raise Stopping
            count = self._some(buffers)
            self._budget.check(since_s, heard=count > 0)
            if count:
                return count

    def receive_due(self, room: memoryview) -> int:
        """Fills a buffer with bytes that are due, as many as come without a pause; gives their number, at least one.

        TLS gives a record a call, 16 KiB at most: what a call costs above this one would be paid for each of them.
        Raises as `receive` does.
        """
        count = self.receive((room,))
        monotonic, until_s = self._budget.monotonic, self._budget.until_s
        while count < len(room) and not self._stopping() and monotonic() < until_s:
            try:
                record = self._socket.recv_into(room[count:])
            except (BlockingIOError, TimeoutError, ssl.SSLWantReadError):
                break
            except OSError as error:
                raise PeerGone(_words(error)) from error
            if not record:
                break  # the next call says so again
            count += record
        return count

    def send(self, encoded: bytes) -> None:
        """Sends all of it, not mixed with what other threads send. Raises PeerGone, TimeSpent."""
        rest = memoryview(encoded)
        with self._sending:
            since_s = self._budget.monotonic()
            while rest:
                rest = rest[self._sent(rest) :]
                if rest and self._budget.monotonic() > since_s + self._budget.limits.silence_s:
                    raise TimeSpent("the peer does not take what it is answered")

    def close(self, *, linger: bool) -> None:
        """Ends the connection; with `linger` the peer has a moment to read our last PDU."""
        with suppress(OSError, ValueError):
            if linger:
                socket.socket.shutdown(self._socket, socket.SHUT_WR)
                self._drain()
        self._socket.close()

    def _some(self, buffers: Sequence[memoryview]) -> int:
        """The bytes received; 0 when none came within a tick."""
        try:
            count = self._socket.recvmsg_into(buffers)[0] if self.scatters else self._socket.recv_into(buffers[0])
        except (BlockingIOError, TimeoutError, ssl.SSLWantReadError):
            return 0
        except OSError as error:
            raise PeerGone(_words(error)) from error
        if not count:
            if self._stopping():
                raise Stopping
            raise PeerGone("the peer closed the connection")
        return count

    def _sent(self, rest: memoryview) -> int:
        try:
            return self._socket.send(rest)
        except (BlockingIOError, TimeoutError, ssl.SSLWantWriteError):
            return 0
        except OSError as error:
            raise PeerGone(_words(error)) from error

    def _drain(self) -> None:
        until_s, left_bytes = self._budget.monotonic() + LINGER_S, LINGER_BYTES
        scratch = memoryview(bytearray(_SCRATCH_BYTES))
        base = socket.socket
        while (left_s := until_s - self._budget.monotonic()) > 0 < left_bytes:
            base.settimeout(self._socket, left_s)
            received = base.recv_into(self._socket, scratch)
            if not received:
                return
            left_bytes -= received


def _words(error: OSError) -> str:
    return f"the connection broke ({error.strerror or type(error).__name__})"
