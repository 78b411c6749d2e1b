"""Layouts of data sets that came before: the images of a series mostly have the same heads at the same places.

Where the walk goes depends on heads alone (tag, VR, length): equal heads at equal places in as many bytes are the same
walk. So it is done once for a layout, and later data sets only have their heads compared, all by one call.
"""

import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from struct import Struct
from typing import Generic, NamedTuple, TypeVar

MOST_HEADS = 400
MOST_LAYOUTS = 32

Found = TypeVar("Found")
Key = tuple[str, int]
"""Transfer syntax UID and number of bytes."""


class _Layout(NamedTuple, Generic[Found]):
    at_heads: Struct
    heads: tuple[bytes, ...]
    found: Mapping[int, Found]


class Layouts(Generic[Found]):
    """The newest layouts. A layout is kept when data sets of its size came twice. Safe for any number of threads."""

    def __init__(self) -> None:
        self._layouts: dict[Key, _Layout[Found] | None] = {}
        self._lock = threading.Lock()

    def found(self, key: Key, encoded: bytes | memoryview) -> Mapping[int, Found] | None:
        """What the walk found in a data set of this layout; None when it has to be walked."""
        layout = self._layouts.get(key)
        if layout is None or layout.at_heads.unpack_from(encoded) != layout.heads:
            return None
        return layout.found

    def came_before(self, key: Key) -> bool:
        """Whether one of this size came before; notes that one has."""
        with self._lock:
            if key in self._layouts:
                return True
            self._make_room()
            self._layouts[key] = None
            return False

    def keep(
        self, key: Key, encoded: bytes | memoryview, heads: Sequence[tuple[int, int]], found: Mapping[int, Found]
    ) -> None:
        """Keeps the layout of a data set that was walked to its end. `heads` are first and last byte + 1, in order."""
        if len(heads) > MOST_HEADS:
            return
        at_heads = Struct("<" + "".join(_gaps_and_heads(heads)))
        with self._lock:
            self._layouts.pop(key, None)
            self._make_room()
            self._layouts[key] = _Layout(at_heads, at_heads.unpack_from(encoded), found)

    def _make_room(self) -> None:
        while len(self._layouts) >= MOST_LAYOUTS:
            del self._layouts[next(iter(self._layouts))]


def _gaps_and_heads(heads: Iterable[tuple[int, int]]) -> Iterator[str]:
    behind = 0
    for start, end in heads:
        yield f"{start - behind}x{end - start}s"
        behind = end
