"""Which tokens the slices of a stack have, remembered, so that nobody decodes a whole stack again to learn that."""

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Sequence

from pacs_agent.inference.slice_keys import slice_name
from pacs_agent.inference.staging.study import ReadStack

RECENT_STACKS = 64
"""Of 40 slices they take a third of a megabyte."""


class StackKeys:
    """Token keys of the last stacks. Nothing is lost with it: what is not here is decoded, which gives the same keys.

    Only for files that are named by the digest of their content. Safe to use from several threads.
    """

    def __init__(self, most: int = RECENT_STACKS) -> None:
        self._most = most
        self._known: OrderedDict[str, tuple[str, ...]] = OrderedDict()
        self._lock = threading.Lock()

    def find(self, stack: ReadStack) -> tuple[str, ...] | None:
        """The keys of a stack's slices in their order, or None when it must be decoded."""
        with self._lock:
            return self._known.get(_name(stack))

    def keep(self, stack: ReadStack, keys: Sequence[str]) -> None:
        """Remembers the keys of a stack's slices."""
        if not (name := _name(stack)):
            return
        with self._lock:
            self._known[name] = tuple(keys)
            while len(self._known) > self._most:
                self._known.popitem(last=False)


def _name(stack: ReadStack) -> str:
    """SHA-256 of a stack and of what fixes the stored values of its slices; empty where its files may change."""
    names = [slice_name(one) for one in stack.series.slices]
    there = [name for name in names if name is not None]
    if len(there) < len(names):
        return ""
    beside = stack.model_dump_json(exclude={"series"})
    return hashlib.sha256("\n".join([beside, *there]).encode()).hexdigest()
