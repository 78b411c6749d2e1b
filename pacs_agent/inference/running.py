"""How a session is run: as it is, or with a batch dealt out to the processor's cores."""

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

import numpy as np
import onnxruntime
from numpy.typing import NDArray

Inputs = Mapping[str, NDArray[Any]]
LANE_SLICES = 4
"""Slices of a core's part at most: the steps of the pre-processing, 1 MB a slice, then stay in its cache."""


class Runner(Protocol):
    """Runs a graph."""

    best_batch: int
    """Slices with which it is fastest."""

    def run(self, outputs: Sequence[str], inputs: Inputs) -> list[NDArray[Any]]:
        """The outputs of these names. Raises onnxruntime's errors, and ValueError."""


class Whole:
    """The session as it is."""

    best_batch = 8

    def __init__(self, session: onnxruntime.InferenceSession) -> None:
        self._session = session

    def run(self, outputs: Sequence[str], inputs: Inputs) -> list[NDArray[Any]]:
        """The outputs of these names."""
        return list(self._session.run(list(outputs), dict(inputs)))


class Lanes:
    """A batch in parts, each computed by one core alone.

    Cores that share every operator wait for each other some hundred times a slice, and on a machine with other work
    for the slowest of them; of two cores, half the time was lost. The session must have one thread for itself.
    """

    def __init__(self, session: onnxruntime.InferenceSession, lanes: int) -> None:
        self.best_batch = LANE_SLICES * lanes
        self._whole, self._lanes = Whole(session), lanes
        self._pool = ThreadPoolExecutor(lanes, thread_name_prefix="lane")

    def run(self, outputs: Sequence[str], inputs: Inputs) -> list[NDArray[Any]]:
        """The outputs of these names, in the order of the batch."""
        parts = self._parts(inputs)
        if len(parts) == 1:
            return self._whole.run(outputs, parts[0])
        done = list(self._pool.map(lambda part: self._whole.run(outputs, part), parts))
        return [np.concatenate(values) for values in zip(*done, strict=True)]

    def _parts(self, inputs: Inputs) -> list[Inputs]:
        counts = {len(values) for values in inputs.values()}
        if len(counts) != 1:
            return [inputs]  # which onnxruntime refuses, in its words
        count = counts.pop()
        size = max(1, min(LANE_SLICES, -(-count // self._lanes)))
        starts = range(0, max(count, 1), size)
        return [{name: values[at : at + size] for name, values in inputs.items()} for at in starts]


def cores() -> int:
    """Cores on which this process may run."""
    return len(os.sched_getaffinity(0))
