"""An attacker: a host of the loopback network with its own address, that speaks to a DICOM port by raw sockets."""

import fcntl
import resource
import socket
import ssl
import struct
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any, Self

from tests.peers import pdus
from tests.peers.pdus import Answer, Proposed

PATIENCE_S = 30.0
"""How long an answer is waited for, before the receiver counts as stalled."""
SELECTABLE = 1024
"""Descriptors that select(2) can wait for. Well-behaved peers of this process need them: pynetdicom takes an
association for aborted whose socket has a higher one."""
MOST_OPEN = 16384


class Stalled(AssertionError):
    """The receiver neither answered nor hung up."""


class Rejected(AssertionError):
    """The receiver did not accept the association that an attack begins with."""


class Connection:
    """A TCP connection that sends what it is told and reads PDUs."""

    def __init__(self, connected: socket.socket) -> None:
        self.socket = connected
        self.socket.settimeout(PATIENCE_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send(self, *pieces: bytes) -> bool:
        """Sends; False when the receiver has hung up before it took all."""
        try:
            for piece in pieces:
                self.socket.sendall(piece)
        except (ConnectionError, ssl.SSLError):
            return False
        return True

    def flood(self, pieces: Iterable[bytes]) -> int:
        """Sends pieces until the receiver hangs up; gives the bytes that were sent."""
        sent = 0
        for piece in pieces:
            if not self.send(piece):
                break
            sent += len(piece)
        return sent

    def drip(self, encoded: bytes, *, every_s: float, for_s: float = PATIENCE_S) -> float:
        """Sends byte by byte until the receiver hangs up or `for_s` is over; gives the seconds that took.

        Raises Stalled when the receiver lets that go on.
        """
        start = time.monotonic()
        for byte in encoded:
            if time.monotonic() - start > for_s:
                raise Stalled(f"bytes were taken one by one for {for_s:g} s")
            if not self.send(bytes([byte])) or self._hung_up():
                return time.monotonic() - start
            time.sleep(every_s)
        raise Stalled(f"all {len(encoded)} bytes were taken one by one")

    def answer(self) -> Answer | None:
        """The next PDU; None when the receiver hung up. Raises Stalled."""
        head = self._exactly(6)
        if len(head) < 6:
            return None
        kind, length = struct.unpack(">BxL", head)
        return Answer(kind, self._exactly(length))

    def ending(self) -> Answer | None:
        """Reads until the receiver hangs up; gives the last PDU before that, None where none came. Raises Stalled."""
        last = None
        while (answer := self.answer()) is not None:
            last = answer
        return last

    def status(self) -> int:
        """The status of the next response."""
        answer = self.answer()
        if answer is None:
            raise Stalled("hung up where a response was due")
        return answer.status

    def store(self, context_id: int, encoded: bytes, sop_instance_uid: str, **others: Any) -> int:
        """The status that a C-STORE is answered with."""
        self.send(pdus.message(context_id, pdus.store_rq(sop_instance_uid, **others), encoded))
        return self.status()

    def release(self) -> None:
        """Releases the association and waits for the answer."""
        self.send(pdus.release_rq())
        with suppress(Stalled):
            self.ending()
        self.close()

    def reset(self) -> None:
        """Ends the connection by RST, as a process that dies with unread bytes does."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def close(self) -> None:
        """Ends the connection."""
        self.socket.close()

    def _exactly(self, count: int) -> bytes:
        received = b""
        with suppress(ConnectionError):
            while len(received) < count:
                piece = self._receive(count - len(received))
                if not piece:
                    break
                received += piece
        return received

    def _receive(self, count: int) -> bytes:
        try:
            return self.socket.recv(count)
        except TimeoutError as error:
            raise Stalled(f"neither answered nor hung up within {PATIENCE_S:g} s") from error

    def _hung_up(self) -> bool:
        """Whether FIN, RST or an A-ABORT has come; what comes is left to be read."""
        try:
            self.socket.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except BlockingIOError:
            return False
        except ConnectionError:
            return True
        return True


class Attacker:
    """Opens connections from its own address, and closes all of them when its attack is over."""

    def __init__(self, address: str, port: int, calling: str = "HOSTILE") -> None:
        self.address = address
        self.port = port
        self.calling = calling
        self._connections: list[Connection] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends all its connections."""
        for connection in self._connections:
            connection.close()

    def connect(self) -> Connection:
        """A connection over which nothing was sent yet."""
        connected = socket.create_connection(("127.0.0.1", self.port), PATIENCE_S, (self.address, 0))
        self._connections.append(Connection(_out_of_the_way(connected)))
        return self._connections[-1]

    def secure(self, context: ssl.SSLContext) -> Connection:
        """A connection by TLS over which nothing was sent yet. Raises what the handshake raises."""
        connection = self.connect()
        secured = context.wrap_socket(connection.socket, server_hostname="127.0.0.1")
        self._connections.append(Connection(secured))
        return self._connections[-1]

    def request(self, contexts: Sequence[Proposed] = pdus.ECHO_AND_CT, **others: Any) -> Answer | None:
        """What an A-ASSOCIATE-RQ is answered with; None when the receiver hung up."""
        connection = self.connect()
        connection.send(pdus.associate_rq(contexts, **({"calling": self.calling} | others)))
        return connection.answer()

    def associate(self, contexts: Sequence[Proposed] = pdus.ECHO_AND_CT, **others: Any) -> Connection:
        """An established association. Raises Rejected."""
        connection = self.connect()
        connection.send(pdus.associate_rq(contexts, **({"calling": self.calling} | others)))
        answer = connection.answer()
        if answer is None or answer.kind != pdus.ASSOCIATE_AC:
            raise Rejected(f"the association of {self.calling} was answered by {answer}")
        return connection


def _out_of_the_way(connected: socket.socket) -> socket.socket:
    """The same connection with a descriptor that select(2) could not wait for, so that a crowd leaves those alone."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < min(MOST_OPEN, hard):
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(MOST_OPEN, hard), hard))
    with connected:
        return socket.socket(fileno=fcntl.fcntl(connected, fcntl.F_DUPFD_CLOEXEC, SELECTABLE))
