"""Addresses whose connections bring nothing wait before they are heard: loops of them must not cost images their time.

A connection brings something when an instance was taken over it. One that was released in good order without an
instance, as a C-ECHO is, costs an address little; one that ended in any other way was in vain and costs it more.
"""

import threading
import time
from collections.abc import Callable

FREE_S = 10.0
"""What an address may owe before its next connection waits: 30 connections in vain, or 100 without an instance."""
IN_VAIN_S = 1 / 3
"""Owed for a connection in vain. Debts are paid by the clock: three such connections are forgiven each second."""
EMPTY_S = 0.1
"""Owed for an association that was released in good order and brought no instance."""
LONGEST_S = 3.0
MOST_ADDRESSES = 1000
"""Addresses that are told apart; further ones wait for each other."""
_OTHERS = "others"


class Hesitation:
    """How long each address waits. Safe for any number of threads."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._paid_at_s: dict[str, float] = {}
        """When an address owes nothing any more."""
        self._lock = threading.Lock()

    def wait_s(self, address: str) -> float:
        """Seconds that a new connection of an address waits."""
        with self._lock:
            owed_s = self._paid_at_s.get(self._key(address), 0.0) - self._monotonic()
        return min(max(0.0, owed_s - FREE_S), LONGEST_S)

    def makes_wait(self, address: str) -> bool:
        """Whether a new connection of an address waits."""
        return self.wait_s(address) > 0

    def note(self, address: str, cost_s: float) -> None:
        """Notes what a connection of an address costs it: IN_VAIN_S or EMPTY_S."""
        now_s = self._monotonic()
        with self._lock:
            if len(self._paid_at_s) >= MOST_ADDRESSES:
                self._paid_at_s = {key: at_s for key, at_s in self._paid_at_s.items() if at_s > now_s}
            key = self._key(address)
            self._paid_at_s[key] = max(self._paid_at_s.get(key, 0.0), now_s) + cost_s

    def _key(self, address: str) -> str:
        known = address in self._paid_at_s or len(self._paid_at_s) < MOST_ADDRESSES
        return address if known else _OTHERS
