"""A stream of server-sent events about one study. HTML Living Standard 9.2."""

import json
import time
from collections.abc import Callable
from typing import Self

from pacs_agent.console.readings.watch import Sight, Watch

KEEP_ALIVE_S = 15.0
"""A proxy ends a connection on which nothing comes for a minute or so."""
PATIENCE_S = 1.0
"""How long a viewer that has gone is not noticed."""
LONGEST_S = 1800.0
"""Then the browser asks again, and its right to ask is checked again."""
RETRY_MS = 5000


class EventStream:
    """The events of one study for one person, as bytes to be sent. Made after `Watch.enter`; `close` leaves."""

    def __init__(
        self,
        watch: Watch,
        study: str,
        login: str,
        *,
        gone: Callable[[], bool] = lambda: False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`gone` says whether the viewer has closed its connection; without it that shows at the next byte sent."""
        self._watch = watch
        self._study = study
        self._login = login
        self._gone = gone
        self._clock = clock
        self._began_s = self._said_s = clock()
        self._known: Sight | None = None
        self._greeted = False
        self._left = False

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> bytes:
        if not self._greeted:
            self._greeted = True
            return f"retry: {RETRY_MS}\n\n".encode()
        while not self._over():
            seen = self._watch.sight(self._study, self._known, PATIENCE_S)
            news, self._known = self._news(seen), seen
            if news or self._clock() - self._said_s >= KEEP_ALIVE_S:
                self._said_s = self._clock()
                return news or b": nothing new\n\n"
        raise StopIteration

    def close(self) -> None:
        """Leaves; called by the server however the stream ends, also when it never began."""
        if not self._left:
            self._left = True
            self._watch.leave(self._study)

    def _over(self) -> bool:
        return self._left or self._watch.closed or self._gone() or self._clock() - self._began_s > LONGEST_S

    def _news(self, seen: Sight | None) -> bytes:
        """What differs from what was said last; the first sight is always told, for the time before the stream."""
        if seen is None:
            return b""
        said: list[bytes] = []
        if self._known is None or seen.version != self._known.version:
            said.append(_event("changed", {"etag": f'"{seen.version}"'}))
        others = seen.others(self._login)
        if others != (self._known.others(self._login) if self._known else ()):
            said.append(_event("reviewers", {"others": list(others)}))
        return b"".join(said)


def _event(name: str, content: dict[str, object]) -> bytes:
    """One event; JSON has no line breaks that could end it."""
    return f"event: {name}\ndata: {json.dumps(content)}\n\n".encode()
