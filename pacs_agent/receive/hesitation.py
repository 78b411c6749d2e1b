"""Addresses whose connections bring nothing wait before they are heard: loops of them must not cost images their time.

A connection brings something when an instance was taken over it, or when its association was released in good order.
"""

import threading
import time
from collections.abc import Callable

BURST = 30
"""Connections in quick succession that may bring nothing before the next one waits."""
PER_SECOND = 10.0
"""So many more are forgiven each second."""
LONGEST_S = 3.0
MOST_ADDRESSES = 1000
"""Addresses that are told apart; further ones wait for each other."""
_OTHERS = "others"


class Hesitation:
    """How long each address waits. Safe for any number of threads."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._forgiven_at_s: dict[str, float] = {}
        """When all that an address did in vain is forgiven."""
        self._lock = threading.Lock()

    def wait_s(self, address: str) -> float:
        """Seconds that a new connection of an address waits."""
        with self._lock:
            debt_s = self._forgiven_at_s.get(self._key(address), 0.0) - self._monotonic()
        return min(max(0.0, debt_s - BURST / PER_SECOND), LONGEST_S)

    def note_vain(self, address: str) -> None:
        """Notes that a connection of an address brought nothing."""
        now_s = self._monotonic()
        with self._lock:
            if len(self._forgiven_at_s) >= MOST_ADDRESSES:
                self._forgiven_at_s = {key: at_s for key, at_s in self._forgiven_at_s.items() if at_s > now_s}
            key = self._key(address)
            self._forgiven_at_s[key] = max(self._forgiven_at_s.get(key, 0.0), now_s) + 1 / PER_SECOND

    def _key(self, address: str) -> str:
        known = address in self._forgiven_at_s or len(self._forgiven_at_s) < MOST_ADDRESSES
        return address if known else _OTHERS
