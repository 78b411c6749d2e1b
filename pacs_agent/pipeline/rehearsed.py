"""What steps gave, by what they were given: a step that was rehearsed while its study arrived is not done again.

Only for steps whose outcome follows from what they are given. Nothing is lost with it: what is not here is done.
"""

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

KEPT = 8
"""Outcomes of each step; of a study of 600 slices they take a megabyte."""

Outcome = TypeVar("Outcome")


class Rehearsed:
    """The outcomes of a worker's last studies. Safe to use from several threads."""

    def __init__(self, kept: int = KEPT) -> None:
        self._kept = kept
        self._outcomes: dict[str, OrderedDict[bytes, object]] = {}
        self._doing: dict[tuple[str, bytes], threading.Lock] = {}
        self._lock = threading.Lock()

    def outcome(self, step: str, given: tuple[str, ...], do: Callable[[], Outcome]) -> Outcome:
        """What the step gives; done only where it was not done lately with the same. Errors are not kept.

        Whoever asks for what is just being done waits for it: on a busy machine a job may catch up with its rehearsal.
        """
        with self._alone(step, key := _key(given)) as known:
            if (outcome := known.get(key)) is None:
                self._keep(known, key, outcome := do())
            return outcome  # type: ignore[return-value]  # of this step and key, so of its type

    def known(self, step: str, given: tuple[str, ...]) -> Any | None:
        """What the step gave when it was done with the same, or gives in a moment; None where nobody does it."""
        with self._alone(step, key := _key(given)) as known:
            return known.get(key)

    @contextmanager
    def _alone(self, step: str, key: bytes) -> Iterator[OrderedDict[bytes, object]]:
        """The outcomes of a step, while nobody else does it with the same."""
        with self._lock:
            known = self._outcomes.setdefault(step, OrderedDict())
            doing = self._doing.setdefault((step, key), threading.Lock())
        with doing:
            try:
                yield known
            finally:
                with self._lock:
                    self._doing.pop((step, key), None)

    def _keep(self, known: OrderedDict[bytes, object], key: bytes, outcome: object) -> None:
        with self._lock:
            known[key] = outcome
            while len(known) > self._kept:
                known.popitem(last=False)


def _key(given: tuple[str, ...]) -> bytes:
    digest = hashlib.sha256()
    for text in given:
        encoded = text.encode()
        digest.update(len(encoded).to_bytes(8, "little") + encoded)
    return digest.digest()
