"""What searches found, in memory for a while: a page can be opened again, and no address has a patient's name in it."""

import secrets
import threading
import time
from collections import OrderedDict

from pacs_agent.console.bring_in.models import Found

KEPT_S = 900.0
MOST_KEPT = 100


class Searches:
    """Results of searches by a random id, each for the person who searched. Safe for any number of threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._found: OrderedDict[str, tuple[float, str, Found]] = OrderedDict()

    def keep(self, found: Found, login: str) -> str:
        """Keeps a result; gives its id."""
        key = secrets.token_urlsafe(16)
        with self._lock:
            self._found[key] = (time.monotonic(), login, found)
            while len(self._found) > MOST_KEPT:
                self._found.popitem(last=False)
        return key

    def get(self, key: str, login: str) -> Found | None:
        """The result; None when it is too old, or another person's."""
        with self._lock:
            kept_at, owner, found = self._found.get(key, (0.0, "", None))
        if found is None or owner != login or time.monotonic() - kept_at > KEPT_S:
            return None
        return found
