"""The time that a peer has. Every wait for it ends at the earliest of its deadlines, however many bytes it drips."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from pacs_agent.receive.wire.breach import TimeSpent

NEVER = float("inf")


@dataclass(frozen=True)
class TimeLimits:
    """Seconds that a peer has for each of these."""

    negotiation_s: float
    """From the connection to its whole association request."""
    silence_s: float
    """Between two bytes, where one is due, and within an idle association; a peer that we owe an answer may wait."""
    pdu_s: float
    """From the first byte of a PDU to its last."""
    message_s: float
    """From the first fragment of a DIMSE message to its last."""

    @property
    def tick_s(self) -> float:
        """How often a wait looks at the clock: overdue by this much is noticed."""
        return min(1.0, max(0.05, min(self.negotiation_s, self.silence_s, self.pdu_s, self.message_s) / 4))


class Budget:
    """The deadlines of one connection, by the monotonic clock. One thread reads; any may answer."""

    def __init__(self, limits: TimeLimits, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.limits = limits
        self.monotonic = monotonic
        self._negotiation_until_s = monotonic() + limits.negotiation_s
        self._pdu_until_s = self._message_until_s = NEVER
        self.until_s = self._negotiation_until_s
        """The earliest deadline, besides that of silence."""
        self._owed = 0
        """Requests that came whole and have no answer."""
        self._answered_s = -NEVER
        self._lock = threading.Lock()

    def end_negotiation(self) -> None:
        """The association request is there."""
        self._negotiation_until_s = NEVER
        self._choose()

    def begin_pdu(self) -> None:
        """The first byte of a PDU is there."""
        self._pdu_until_s = self.monotonic() + self.limits.pdu_s
        self._choose()

    def end_pdu(self) -> None:
        """The last byte of a PDU is there."""
        self._pdu_until_s = NEVER
        self._choose()

    def begin_message(self) -> None:
        """The first fragment of a message is there."""
        self._message_until_s = self.monotonic() + self.limits.message_s
        self._choose()

    def end_message(self) -> None:
        """The last fragment of a message is there."""
        self._message_until_s = NEVER
        self._choose()

    def put_off(self, since_s: float) -> None:
        """What passed since then was not the peer's: the deadlines of PDU and message are as much later."""
        ours_s = self.monotonic() - since_s
        self._pdu_until_s += ours_s
        self._message_until_s += ours_s
        self._choose()

    def owe(self) -> None:
        """A request is there, whole: its peer may wait for the answer in silence."""
        with self._lock:
            self._owed += 1

    def pay(self) -> None:
        """A request is answered: silence counts from now, where no other one waits."""
        with self._lock:
            self._owed -= 1
            self._answered_s = self.monotonic()

    def check(self, waiting_since_s: float, *, heard: bool) -> None:
        """Raises TimeSpent when a deadline is over; that of silence only where nothing was `heard` and none is owed."""
        now_s = self.monotonic()
        if now_s > self.until_s:
            raise TimeSpent(self._overdue(now_s))
        silent_since_s = max(waiting_since_s, self._answered_s)
        if not heard and not self._owed and now_s > silent_since_s + self.limits.silence_s:
            raise TimeSpent(f"nothing came for {self.limits.silence_s:g} s")

    def _choose(self) -> None:
        self.until_s = min(self._negotiation_until_s, self._pdu_until_s, self._message_until_s)

    def _overdue(self, now_s: float) -> str:
        if now_s > self._negotiation_until_s:
            return f"no association request within {self.limits.negotiation_s:g} s"
        if now_s > self._pdu_until_s:
            return f"a PDU took more than {self.limits.pdu_s:g} s"
        return f"a message took more than {self.limits.message_s:g} s"
