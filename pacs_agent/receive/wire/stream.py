"""The bytes of a connection in order: heads by way of a buffer, bodies straight to where they belong."""

from pacs_agent.receive.wire.transport import Transport

BUFFER_BYTES = 1 << 18
SPILL_BYTES = 1 << 12
"""How much of what follows a body is read along with it: the heads of the next PDU, and a whole command."""
DIRECT_FROM_BYTES = 1 << 15
"""A body of less is read by way of the buffer, many of them in one call."""


class Stream:
    """Reads exactly what is asked for. Each call raises what `Transport.receive` raises."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._buffer = memoryview(bytearray(BUFFER_BYTES))
        self._spill = self._buffer[:SPILL_BYTES]
        self._start = self._end = 0
        self.has_heard = False
        """Whether a byte ever came."""

    def wait(self) -> None:
        """Returns when there is a byte."""
        if self._start == self._end:
            self._fill(1)

    def take(self, count: int) -> bytes:
        """The next bytes; at most BUFFER_BYTES of them."""
        if self._end - self._start < count:
            self._fill(count)
        start = self._start
        self._start = start + count
        return bytes(self._buffer[start : start + count])

    def take_into(self, room: memoryview) -> int:
        """Puts some of the next bytes into `room`, at least one and at most as many as fit; gives their number."""
        if self._start == self._end:
            if len(room) >= DIRECT_FROM_BYTES:
                return self._receive_into(room)
            self._fill(1)
        count = min(len(room), self._end - self._start)
        room[:count] = self._buffer[self._start : self._start + count]
        self._start += count
        return count

    def _receive_into(self, room: memoryview) -> int:
        if not self._transport.scatters:
            return self._transport.receive_due(room)
        count = self._transport.receive((room, self._spill))
        self._start, self._end = 0, max(0, count - len(room))
        return count - self._end

    def _fill(self, count: int) -> None:
        """Makes at least `count` bytes ready."""
        ready = self._end - self._start
        if self._start + count > BUFFER_BYTES or not ready:
            self._buffer[:ready] = bytes(self._buffer[self._start : self._end])
            self._start, self._end = 0, ready
        while self._end - self._start < count:
            self._end += self._transport.receive((self._buffer[self._end :],))
            self.has_heard = True
