"""References out of an ONNX file are found wherever a tensor can be."""

import numpy as np
import pytest
import tiny_bundle
from hypothesis import given
from hypothesis import strategies as st
from tiny_bundle import helper, numpy_helper, onnx

from pacs_agent.inference.external_data import MalformedGraph, has_external_data

FLOAT = onnx.TensorProto.FLOAT


def external() -> "onnx.TensorProto":
    tensor = onnx.TensorProto(name="w", data_type=FLOAT, dims=[2], data_location=onnx.TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value="../../../etc/hostname")
    return tensor


def inside() -> "onnx.TensorProto":
    return numpy_helper.from_array(np.ones(2, np.float32), "w")


def constant(tensor: object) -> "onnx.NodeProto":
    return helper.make_node("Constant", [], ["w"], value=tensor)


def graph(nodes=(), constants=(), sparse=()) -> "onnx.GraphProto":
    output = helper.make_tensor_value_info("w", FLOAT, [2])
    return helper.make_graph(list(nodes), "g", [], [output], list(constants), sparse_initializer=list(sparse))


def in_initializer(tensor: object) -> "onnx.ModelProto":
    return helper.make_model(graph(constants=[tensor]))


def in_attribute(tensor: object) -> "onnx.ModelProto":
    return helper.make_model(graph([constant(tensor)]))


def in_branch(tensor: object) -> "onnx.ModelProto":
    branch = graph([constant(tensor)])
    return helper.make_model(graph([helper.make_node("If", ["c"], ["w"], then_branch=branch, else_branch=branch)]))


def in_function(tensor: object) -> "onnx.ModelProto":
    opset = helper.make_opsetid("", 18)
    function = helper.make_function("local", "F", [], ["w"], [constant(tensor)], [opset])
    return helper.make_model(graph([helper.make_node("F", [], ["w"], domain="local")]), functions=[function])


def in_sparse(tensor: object) -> "onnx.ModelProto":
    indices = numpy_helper.from_array(np.array([0, 1], np.int64), "i")
    return helper.make_model(graph(sparse=[onnx.SparseTensorProto(values=tensor, indices=indices, dims=[2])]))


@pytest.mark.parametrize("place", [in_initializer, in_attribute, in_branch, in_function, in_sparse])
def test_found_wherever_a_tensor_can_be(place) -> None:
    assert has_external_data(place(external()).SerializeToString())
    assert not has_external_data(place(inside()).SerializeToString())


def test_the_tiny_graphs_keep_all_inside() -> None:
    for model in (tiny_bundle.slice_encoder(), tiny_bundle.study_reader()):
        assert not has_external_data(model.SerializeToString())


@given(st.binary(max_size=200))
def test_any_bytes_are_judged(content: bytes) -> None:
    try:
        assert has_external_data(content) in (True, False)
    except MalformedGraph as error:
        assert str(error)


def test_endless_nesting_is_malformed() -> None:
    deep = graph([constant(inside())])
    for _ in range(20):
        deep = graph([helper.make_node("If", ["c"], ["w"], then_branch=deep)])
    with pytest.raises(MalformedGraph, match="nest"):
        has_external_data(helper.make_model(deep).SerializeToString())
