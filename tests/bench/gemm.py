"""The ceiling of computation: the fastest product of two matrices that this machine reaches, by onnxruntime.

In fp32 as MatMul, and in eight bits as MatMulInteger with the weights fixed beforehand, as the encoder's are.
"""

import time
from collections.abc import Callable

import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

SHAPES = ((1024, 1024, 1024), (2048, 768, 192), (4480, 864, 96))
"""Rows, inner and columns: a cube, and what the encoder's products look like for eight slices."""
SECONDS = 0.3
"""How long each shape is repeated."""


def peak_gflops(precision: str, threads: int) -> float:
    """Thousand million operations per second of the best shape, "fp32" or "int8"."""
    return max(_gflops(shape, precision, threads) for shape in SHAPES)


def _gflops(shape: tuple[int, int, int], precision: str, threads: int) -> float:
    return 2 * shape[0] * shape[1] * shape[2] / _fastest_s(_product(shape, precision, threads)) / 1e9


def _fastest_s(run: Callable[[], object]) -> float:
    run()
    fastest, end = float("inf"), time.perf_counter() + SECONDS
    while time.perf_counter() < end:
        start = time.perf_counter()
        run()
        fastest = min(fastest, time.perf_counter() - start)
    return fastest


def _product(shape: tuple[int, int, int], precision: str, threads: int) -> Callable[[], object]:
    rows, inner, columns = shape
    generator = np.random.default_rng(0)
    if precision == "fp32":
        left = generator.normal(size=(rows, inner)).astype(np.float32)
        right = generator.normal(size=(inner, columns)).astype(np.float32)
        kinds, operator = (TensorProto.FLOAT, TensorProto.FLOAT), "MatMul"
    else:
        left = generator.integers(0, 255, (rows, inner)).astype(np.uint8)
        right = generator.integers(-64, 63, (inner, columns)).astype(np.int8)
        kinds, operator = (TensorProto.UINT8, TensorProto.INT32), "MatMulInteger"
    graph = helper.make_graph(
        [helper.make_node(operator, ["left", "right"], ["out"])],
        operator,
        [helper.make_tensor_value_info("left", kinds[0], [rows, inner])],
        [helper.make_tensor_value_info("out", kinds[1], [rows, columns])],
        [numpy_helper.from_array(right, "right")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return lambda: session.run(None, {"left": left})
