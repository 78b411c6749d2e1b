"""Runs with inputs and outputs bound to memory of the device, which is kept from run to run.

The batch is filled up to a power of two, so that a few shapes recur. For each there is one set of buffers; on a GPU the
kernels of a run are recorded once as a CUDA graph and replayed, which needs just that: equal shapes at equal addresses.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Any, Literal

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnxruntime import IOBinding, OrtValue

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
    inputs: dict[str, OrtValue]
    outputs: dict[str, OrtValue]
    recording: str


class Bound:
    """Runs a graph whose outputs have the batch as their only free dimension, the first."""

    def __init__(
        self, session: onnxruntime.InferenceSession, device: Device, batch: int, *, recorded: bool = False
    ) -> None:
        """`recorded`: the session was made with `enable_cuda_graph`."""
        self.best_batch = batch
        self._session, self._device, self._recorded = session, device, recorded
        self._kept: dict[Shapes, _Buffers] = {}
        self._lock = Lock()

    def run(self, outputs: Sequence[str], inputs: Inputs) -> list[NDArray[Any]]:
        """The outputs of these names. One run at a time: the buffers are shared."""
        count = len(next(iter(inputs.values())))
        filled = {name: _filled(values) for name, values in inputs.items()}
        with self._lock:
            buffers = self._buffers(filled)
            if buffers is None:
                return list(self._session.run(list(outputs), dict(inputs), self._options(NO_RECORDING)))
            for name, values in filled.items():
                buffers.inputs[name].update_inplace(values)
            self._session.run_with_iobinding(buffers.binding, self._options(buffers.recording))
            # A copy: the next run overwrites what, on the CPU, these are views of.
            return [np.array(buffers.outputs[name].numpy()[:count]) for name in outputs]

    def _buffers(self, inputs: Inputs) -> _Buffers | None:
        """Those for these shapes; None when there are too many shapes."""
        shapes = tuple((name, values.shape, values.dtype.str) for name, values in inputs.items())
        if shapes not in self._kept:
            if len(self._kept) >= MOST_SHAPES:
                return None
            self._kept[shapes] = self._made(inputs)
        return self._kept[shapes]

    def _made(self, inputs: Inputs) -> _Buffers:
        binding = self._session.io_binding()
        count = len(next(iter(inputs.values())))
        # Memory of its own: `ortvalue_from_numpy` would share the caller's on the CPU, and be overwritten later.
        given = {
            name: OrtValue.ortvalue_from_shape_and_type(values.shape, values.dtype.type, self._device, 0)
            for name, values in inputs.items()
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
        return _Buffers(binding, given, wanted, str(len(self._kept) + 1))

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


def _filled(values: NDArray[Any]) -> NDArray[Any]:
    """The batch filled up to the next power of two by repeating its last entry."""
    count = len(values)
    missing = (1 << max(count - 1, 0).bit_length()) - count
    return (
        np.concatenate([values, np.repeat(values[-1:], missing, axis=0)]) if missing else np.ascontiguousarray(values)
    )
