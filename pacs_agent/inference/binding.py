"""Runs with inputs and outputs bound to memory of the device, which is kept from run to run.

The batch is filled up to a power of two, so that a few shapes recur. For each there is one set of buffers: in memory of
the host, where the batch is put together, and in that of the device. On a GPU the kernels of a run are recorded once as
a CUDA graph and replayed, which needs just that: equal shapes at equal addresses.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Any, Literal

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnxruntime import IOBinding, OrtValue

from pacs_agent.inference.pinned import Allocate, ordinary
from pacs_agent.inference.running import Inputs

Device = Literal["cuda", "cpu"]
Shapes = tuple[tuple[str, tuple[int, ...], str], ...]

MOST_SHAPES = 8
"""Shapes that get buffers; further ones, in a hospital with very mixed scanners, run without."""
NO_RECORDING = "-1"
_KINDS = {"tensor(float)": np.float32, "tensor(float16)": np.float16}


@dataclass(frozen=True)
class _Buffers:
    """Memory for one shape. `recording` names the CUDA graph that reads and writes it."""

    binding: IOBinding
    staged: dict[str, NDArray[Any]]
    """The inputs in the host's memory."""
    inputs: dict[str, OrtValue]
    outputs: dict[str, OrtValue]
    recording: str


class Bound:
    """Runs a graph whose outputs have the batch as their only free dimension, the first."""

    def __init__(
        self,
        session: onnxruntime.InferenceSession,
        device: Device,
        batch: int,
        *,
        recorded: bool = False,
        allocate: Allocate = ordinary,
    ) -> None:
        """`recorded`: the session was made with `enable_cuda_graph`. `allocate` gives the host's memory."""
        self.best_batch = batch
        self._allocate = allocate
        self._session, self._device, self._recorded = session, device, recorded
        self._kept: dict[Shapes, _Buffers] = {}
        self._lock = Lock()

    def run(self, outputs: Sequence[str], inputs: Inputs) -> list[NDArray[Any]]:
        """The outputs of these names. One run at a time: the buffers are shared."""
        count = len(next(iter(inputs.values())))
        with self._lock:
            buffers = self._buffers(inputs)
            if buffers is None:
                return list(self._session.run(list(outputs), dict(inputs), self._options(NO_RECORDING)))
            for name, values in inputs.items():
                _fill(buffers.staged[name], values)
                buffers.inputs[name].update_inplace(buffers.staged[name])
            self._session.run_with_iobinding(buffers.binding, self._options(buffers.recording))
            # A copy: the next run overwrites what, on the CPU, these are views of.
            return [np.array(buffers.outputs[name].numpy()[:count]) for name in outputs]

    def _buffers(self, inputs: Inputs) -> _Buffers | None:
        """Those for these shapes, the batch filled up; None when there are too many shapes."""
        shapes = tuple((name, _filled_shape(values), values.dtype.str) for name, values in inputs.items())
        if shapes not in self._kept:
            if len(self._kept) >= MOST_SHAPES:
                return None
            self._kept[shapes] = self._made(inputs)
        return self._kept[shapes]

    def _made(self, inputs: Inputs) -> _Buffers:
        binding = self._session.io_binding()
        staged = {name: self._allocate(_filled_shape(values), values.dtype) for name, values in inputs.items()}
        count = len(next(iter(staged.values())))
        # Memory of its own: `ortvalue_from_numpy` would share the caller's on the CPU, and be overwritten later.
        given = {
            name: OrtValue.ortvalue_from_shape_and_type(values.shape, values.dtype.type, self._device, 0)
            for name, values in staged.items()
        }
        wanted = {
            entry.name: OrtValue.ortvalue_from_shape_and_type(
                [count, *entry.shape[1:]], _KINDS[entry.type], self._device, 0
            )
            for entry in self._session.get_outputs()
        }
        for name, value in given.items():
            binding.bind_ortvalue_input(name, value)
        for name, value in wanted.items():
            binding.bind_ortvalue_output(name, value)
        return _Buffers(binding, staged, given, wanted, str(len(self._kept) + 1))

    def _options(self, recording: str) -> onnxruntime.RunOptions | None:
        if not self._recorded:
            return None
        options = onnxruntime.RunOptions()
        options.add_run_config_entry("gpu_graph_id", recording)
        return options


def can_be_bound(session: onnxruntime.InferenceSession) -> bool:
    """Whether the outputs' sizes are known from the batch alone."""
    return all(
        entry.type in _KINDS and all(isinstance(side, int) for side in entry.shape[1:])
        for entry in session.get_outputs()
    )


def _filled_shape(values: NDArray[Any]) -> tuple[int, ...]:
    """The shape of a batch that is filled up to the next power of two."""
    return 1 << max(len(values) - 1, 0).bit_length(), *values.shape[1:]


def _fill(staged: NDArray[Any], values: NDArray[Any]) -> None:
    """Puts a batch there, its last entry repeated to the end."""
    staged[: len(values)] = values
    staged[len(values) :] = values[-1:]
