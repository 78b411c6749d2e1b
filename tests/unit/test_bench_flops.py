"""Operations are counted from shapes; one convolution and one product by hand."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from tests.bench.flops import Operations, operations


def _model(node: onnx.NodeProto, weights: np.ndarray, shape: list[int | str]) -> onnx.ModelProto:
    graph = helper.make_graph(
        [node],
        "one",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_empty_tensor_value_info("y")],
        [numpy_helper.from_array(weights, "w")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


def test_a_convolution_by_hand() -> None:
    """3 × 3 over 4 channels at stride 2: 8 × 5 × 6 outputs, each a sum of 36 products."""
    node = helper.make_node("Conv", ["x", "w"], ["y"], strides=[2, 2], pads=[1, 1, 1, 1])
    model = _model(node, np.zeros((8, 4, 3, 3), np.float32), ["n", 4, 10, 12])
    counted = operations(model, {"x": np.zeros((2, 4, 10, 12), np.float32)})
    assert counted == Operations(fp=2 * 2 * 8 * 5 * 6 * 36, int8=0)


def test_a_transposed_convolution_by_hand() -> None:
    """2 × 2 at stride 2: each of 4 × 5 × 6 values goes into 4 places of 8 channels."""
    node = helper.make_node("ConvTranspose", ["x", "w"], ["y"], strides=[2, 2])
    model = _model(node, np.zeros((4, 8, 2, 2), np.float32), ["n", 4, 5, 6])
    assert operations(model, {"x": np.zeros((1, 4, 5, 6), np.float32)}).all == 2 * 4 * 5 * 6 * 8 * 4


def test_a_matrix_product_by_hand() -> None:
    model = _model(helper.make_node("MatMul", ["x", "w"], ["y"]), np.zeros((7, 3), np.float32), ["n", 5, 7])
    assert operations(model, {"x": np.zeros((4, 5, 7), np.float32)}).all == 2 * 4 * 5 * 3 * 7


def test_a_gemm_with_turned_weights() -> None:
    model = _model(helper.make_node("Gemm", ["x", "w"], ["y"], transB=1), np.zeros((3, 7), np.float32), ["n", 7])
    assert operations(model, {"x": np.zeros((4, 7), np.float32)}).all == 2 * 4 * 3 * 7
