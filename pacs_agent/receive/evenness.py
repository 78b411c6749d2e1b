"""How many connections each process of a listener has, so that new ones go to the process that has the fewest."""

import mmap

_COUNT_BYTES = 4
GIVES_WAY_S = 0.002
"""How long a process that has more than another leaves a new connection to that one."""


class Counts:
    """One count for each process, in memory that they share; made before they are forked."""

    def __init__(self, processes: int) -> None:
        self.each = memoryview(mmap.mmap(-1, _COUNT_BYTES * processes)).cast("i")


class Evenness:
    """The view of one process. Its count is a hint: one that died keeps its own until it is replaced."""

    def __init__(self, counts: Counts, place: int) -> None:
        self._each = counts.each
        self._place = place
        self.tell(0)

    def tell(self, count: int) -> None:
        """Says how many connections this process has."""
        self._each[self._place] = count

    def another_has_fewer(self) -> bool:
        """Whether a new connection had better go to another process."""
        return min(self._each) < self._each[self._place]
