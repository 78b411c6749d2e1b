"""Answers that are remembered for some seconds, so that many readers cost as much as one."""

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

Value = TypeVar("Value")


class Remembered(Generic[Value]):
    """The value of a function, asked for anew when it is older than `keep_s`; by one thread at a time."""

    def __init__(
        self, function: Callable[[], Value], keep_s: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._function = function
        self._keep_s = keep_s
        self._clock = clock
        self._lock = threading.Lock()
        self._held: tuple[float, Value] | None = None

    def __call__(self) -> Value:
        """The value, at most `keep_s` old. What the function raises is not remembered."""
        with self._lock:
            if self._held is None or self._clock() - self._held[0] >= self._keep_s:
                self._held = self._clock(), self._function()
            return self._held[1]
