"""Window variants of a bundle's slice encoder, and what is kept of a study without a report.

A token is made after the windows, so other windows cannot be had from it: the slices are encoded once more by the same
graph with the edges of its windows moved, each by up to WINDOW_JITTER of the window's width. The moves are drawn once
per variant, for every study the same, so a variant is like another hospital's display preset; a view takes all its
slices from one variant. This costs one pass of the slice encoder per variant, before training, none in it.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper
from torch import Tensor

Edges = NDArray[np.float32]
WINDOW_JITTER = 0.08
VARIANTS = 2
"""The encoder's own windows, and one other set."""
LOW = "encoder.windows.low"
"""Name of the windows' lower edges in the graph of a slice encoder."""


@dataclass(frozen=True)
class WindowsMissing(Exception):
    """The graph does not subtract and divide as `models.msvlm.preprocess.Windows` does."""

    graph: str

    def __str__(self) -> str:
        return f"{self.graph} has no windows to move: give the fp32 slice encoder of a bundle of models.msvlm"


@dataclass(frozen=True)
class UnreportedStudy:
    """Tokens [L, d] of the same slices under each window variant, their z [L], and texts as sentences."""

    variants: tuple[Tensor, ...]
    z_mm: Tensor
    writings: tuple[tuple[str, ...], ...]


def windows_of(graph: onnx.GraphProto) -> tuple[Edges, Edges]:
    """Lower edges and widths in HU of a graph's windows, [1, windows, 1, 1] each. Raises WindowsMissing."""
    low, width = _edges(graph)
    return numpy_helper.to_array(low), numpy_helper.to_array(width)


def write_moved(graph: Path, path: Path, seed: int) -> Path:
    """Writes the graph of a slice encoder with other edges of its windows; weights are the same."""
    model = onnx.load(graph)
    low, width = _edges(model.graph)
    edge, span = windows_of(model.graph)
    rng = np.random.default_rng(seed)
    lower, upper = (WINDOW_JITTER * span * rng.uniform(-1.0, 1.0, span.shape) for _ in range(2))
    for stored, values in ((low, edge + lower), (width, span + upper - lower)):
        stored.CopyFrom(numpy_helper.from_array(values.astype(np.float32), stored.name))
    draft = path.with_suffix(".part")
    onnx.save(model, draft)
    return draft.replace(path)


def _edges(graph: onnx.GraphProto) -> tuple[onnx.TensorProto, onnx.TensorProto]:
    constants = {one.name: one for one in graph.initializer}
    shifted = [node.output[0] for node in graph.node if node.op_type == "Sub" and LOW in node.input]
    widths = [node.input[1] for node in graph.node if node.op_type == "Div" and node.input[0] in shifted]
    if LOW not in constants or len(widths) != 1 or widths[0] not in constants:
        raise WindowsMissing(graph.name)
    return constants[LOW], constants[widths[0]]
