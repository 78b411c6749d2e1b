"""Floating point operations of a graph: those of its convolutions and matrix products, counted from its shapes.

Shapes are taken from a run, as those of some values depend on the data. A multiplication and an addition are two.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray

PRODUCTS = ("Conv", "ConvTranspose", "MatMul", "Gemm")


@dataclass(frozen=True)
class Operations:
    """Of one run: those in floating point, and those between values of eight bits (QDQ)."""

    fp: int
    int8: int

    @property
    def all(self) -> int:
        """Both."""
        return self.fp + self.int8


def operations(model: onnx.ModelProto, inputs: Mapping[str, NDArray[Any]]) -> Operations:
    """Operations of one run of a graph on these inputs."""
    products = [node for node in model.graph.node if node.op_type in PRODUCTS]
    shapes = _shapes(model, products, inputs)
    makers = {name: node.op_type for node in model.graph.node for name in node.output}
    counts = {"fp": 0, "int8": 0}
    for node in products:
        quantised = all(makers.get(name) == "DequantizeLinear" for name in node.input[:2])
        counts["int8" if quantised else "fp"] += of_node(
            node, [shapes[name] for name in (*node.input[:2], *node.output)]
        )
    return Operations(**counts)


def of_node(node: onnx.NodeProto, shapes: list[tuple[int, ...]]) -> int:
    """Operations of a product: two for each output value and each value summed up for it.

    `shapes` are those of its first two inputs and of its output.
    """
    left, right, out = shapes
    if node.op_type == "Conv":
        return 2 * prod(out) * prod(right[1:])  # weights: [channels out, channels in / groups, rows, columns]
    if node.op_type == "ConvTranspose":
        return 2 * prod(left) * prod(right[1:])  # each input value goes into so many; [channels in, channels out, …]
    turned = any(attribute.name == "transB" and attribute.i for attribute in node.attribute)
    return 2 * prod(out) * right[-1 if turned else -2 if len(right) > 1 else 0]


def _shapes(
    model: onnx.ModelProto, products: list[onnx.NodeProto], inputs: Mapping[str, NDArray[Any]]
) -> dict[str, tuple[int, ...]]:
    """Shapes of what goes into these nodes and comes out of them, in a run without optimisation."""
    watched = onnx.ModelProto()
    watched.CopyFrom(model)
    fixed = {tensor.name: tuple(tensor.dims) for tensor in model.graph.initializer}
    names = {name for node in products for name in (*node.input[:2], *node.output)} - fixed.keys()
    del watched.graph.output[:]
    watched.graph.output.extend(onnx.helper.make_empty_tensor_value_info(name) for name in sorted(names))
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(watched.SerializeToString(), options, providers=["CPUExecutionProvider"])
    values = session.run(sorted(names), dict(inputs))
    return fixed | {name: np.shape(value) for name, value in zip(sorted(names), values, strict=True)}
