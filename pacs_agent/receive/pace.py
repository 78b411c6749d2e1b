"""What a data set takes beyond the usual is done one at a time, and slowly: the images of others come first.

Walking two million items or inflating 256 MiB takes seconds of a processor, and meanwhile every other thread of the
process would wait for the interpreter, several times for each image. So such work is cut into pieces, between which it
rests for much longer than it works. Images do not come that far.
"""

import threading
import time
from typing import Self

SHARE = 0.1
"""Of the time, how much such work takes of one processor in a process."""

_ONE_AT_A_TIME = threading.Lock()


class Pace:
    """The pace of one data set; nothing happens to one that never rests. One thread."""

    def __init__(self) -> None:
        self._since_s: float | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._since_s is not None:
            self._since_s = None
            _ONE_AT_A_TIME.release()

    def rest(self) -> None:
        """After each piece of what is beyond the usual. The first time it waits until no other data set is at it."""
        if self._since_s is None:
            _ONE_AT_A_TIME.acquire()
        else:
            time.sleep((time.thread_time() - self._since_s) * (1 / SHARE - 1))
        self._since_s = time.thread_time()
