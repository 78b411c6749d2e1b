"""However a batch is run, in parts by several cores or bound to kept memory, the outputs are those of one run."""

import ctypes
import gc
from collections.abc import Mapping
from typing import Any

import numpy as np
import onnxruntime
import pytest
import tiny_bundle
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper

from pacs_agent.inference.binding import MOST_SHAPES, Bound, can_be_bound
from pacs_agent.inference.pinned import PageLocked, ordinary, page_locked
from pacs_agent.inference.running import Lanes, Whole

OUTPUTS = ("token", "patch_grid", "field_centre_px")


def session() -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(
        tiny_bundle.slice_encoder().SerializeToString(), options, providers=["CPUExecutionProvider"]
    )


SESSION = session()


def inputs(count: int, seed: int = 0, rows: int = 6) -> dict[str, np.ndarray]:
    generator = np.random.default_rng(seed)
    return {
        "stored": generator.integers(-1000, 1000, (count, rows, 5)).astype(np.int16),
        "slope": np.ones(count, np.float32),
        "intercept": np.zeros(count, np.float32),
        "spacing_mm": np.ones((count, 2), np.float32),
    }


def assert_same(ours: list[np.ndarray], given_inputs: Mapping[str, np.ndarray]) -> None:
    for one, other in zip(ours, Whole(SESSION).run(OUTPUTS, given_inputs), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


@given(st.integers(1, 23), st.integers(1, 5))
def test_a_batch_in_parts_is_the_batch(count: int, lanes: int) -> None:
    assert_same(Lanes(SESSION, lanes).run(OUTPUTS, inputs(count)), inputs(count))


def test_more_cores_take_larger_batches() -> None:
    assert [Lanes(SESSION, lanes).best_batch for lanes in (1, 2, 16)] == [4, 8, 64]


def test_inputs_of_different_lengths_are_onnxruntimes_to_refuse() -> None:
    with pytest.raises(Exception, match=r"(?i)dimension|shape|broadcast|rank"):
        Lanes(SESSION, 2).run(OUTPUTS, inputs(3) | {"stored": np.zeros((2, 6), np.int16)})


def test_bound_runs_give_the_same_and_do_not_write_over_each_other() -> None:
    bound = Bound(SESSION, "cpu", 8)
    batches = [inputs(count, seed) for seed, count in enumerate((3, 4, 1, 3, 8, 7))]
    outputs = [bound.run(OUTPUTS, batch) for batch in batches]
    for ours, batch in zip(outputs, batches, strict=True):
        assert_same(ours, batch)


class Runtime:
    """A stand-in for the CUDA runtime: it gives memory of the C library, as much as it has."""

    def __init__(self, has_bytes: int) -> None:
        self.has_bytes, self.kept = has_bytes, dict[int, Any]()

    def cudaHostAlloc(self, address: Any, size: ctypes.c_size_t, flags: ctypes.c_uint) -> int:  # noqa: N802
        assert flags.value == 0
        if size.value > self.has_bytes:
            return 2  # cudaErrorMemoryAllocation
        memory = ctypes.create_string_buffer(size.value)
        address._obj.value = ctypes.addressof(memory)
        self.kept[ctypes.addressof(memory)] = memory
        return 0

    def cudaFreeHost(self, address: ctypes.c_void_p) -> int:  # noqa: N802
        assert address.value is not None
        del self.kept[address.value]
        return 0


@pytest.mark.parametrize("has_bytes", [1 << 20, 100, 0])
def test_runs_from_page_locked_memory_are_the_same_and_it_is_given_back(has_bytes: int) -> None:
    runtime = Runtime(has_bytes)
    bound = Bound(SESSION, "cpu", 8, allocate=PageLocked(runtime))
    for count in (3, 4, 1):
        assert_same(bound.run(OUTPUTS, inputs(count, count)), inputs(count, count))
    assert bool(runtime.kept) == bool(has_bytes), "kept from run to run, or ordinary memory where there is none"
    del bound
    gc.collect()
    assert not runtime.kept


def test_without_cuda_memory_is_ordinary() -> None:
    assert page_locked() is ordinary
    nothing = PageLocked(Runtime(1))((0, 5), np.dtype(np.int16))
    assert nothing.shape == (0, 5)


def test_batches_are_filled_up_so_that_few_shapes_recur() -> None:
    bound = Bound(SESSION, "cpu", 8)
    for count in (5, 6, 7, 8):
        bound.run(OUTPUTS, inputs(count))
    assert len(bound._kept) == 1


def test_more_shapes_than_buffers_run_all_the_same() -> None:
    bound = Bound(SESSION, "cpu", 8)
    for rows in range(2, MOST_SHAPES + 5):
        assert_same(bound.run(OUTPUTS, inputs(2, rows=rows)), inputs(2, rows=rows))
    assert len(bound._kept) == MOST_SHAPES


def test_recordings_are_named_and_none_is_made_without_buffers() -> None:
    bound = Bound(SESSION, "cpu", 8, recorded=True)
    names = [bound._buffers(inputs(2, rows=rows)) for rows in range(2, MOST_SHAPES + 3)]
    assert [one.recording for one in names if one] == [str(number + 1) for number in range(MOST_SHAPES)]
    assert names[-1] is None
    assert_same(bound.run(OUTPUTS, inputs(4)), inputs(4))


def test_outputs_of_unknown_size_cannot_be_bound() -> None:
    assert can_be_bound(SESSION)
    graph = helper.make_graph(
        [helper.make_node("NonZero", ["x"], ["y"])],
        "unknown",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n"])],
        [helper.make_tensor_value_info("y", TensorProto.INT64, [1, "found"])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    unknown = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    assert not can_be_bound(unknown)
