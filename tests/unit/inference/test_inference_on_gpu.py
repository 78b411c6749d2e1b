"""The ways onto a GPU: TensorRT, CUDA with a recording, CUDA alone. Sessions of the CPU stand in for those of a GPU.

They say that they run where they were asked to, and keep what they were asked for.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from onnxruntime.capi.onnxruntime_pybind11_state import RuntimeException
from tiny_bundle import add_variant, load

from pacs_agent.config import InferenceSettings
from pacs_agent.inference import Bundle, sessions
from pacs_agent.inference.binding import Bound
from pacs_agent.inference.sessions import TENSORRT, Sessions, open_sessions

CUDA, CPU = "CUDAExecutionProvider", "CPUExecutionProvider"
Asked = list[dict[str, dict[str, str]]]
"""Providers of each session with their options, in the order of the sessions."""

SLICES = {
    "stored": np.arange(12, dtype=np.int16).reshape(3, 2, 2),
    "slope": np.ones(3, np.float32),
    "intercept": np.zeros(3, np.float32),
    "spacing_mm": np.ones((3, 2), np.float32),
}


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Asked]:
    """A machine with a GPU that has these providers; `fails` says which sessions it cannot start."""

    def stand_in(*providers: str, fails: Callable[[dict[str, dict[str, str]]], bool] = lambda _: False) -> Asked:
        asked: Asked = []

        class StandIn(onnxruntime.InferenceSession):  # type: ignore[misc]
            def __init__(self, model: bytes, options: Any, providers: list[Any], **others: Any) -> None:
                asked.append(dict(providers))
                if fails(asked[-1]):
                    raise RuntimeException("the device does not take it")
                super().__init__(model, options, providers=[CPU], **others)
                self.asked = [name for name, _ in providers]

            def get_providers(self) -> list[str]:
                return self.asked

        monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [*providers, CPU])
        monkeypatch.setattr(onnxruntime, "preload_dlls", lambda: None)
        monkeypatch.setattr(onnxruntime, "InferenceSession", StandIn)
        monkeypatch.setattr(
            sessions, "Bound", lambda session, _, batch, **others: Bound(session, "cpu", batch, **others)
        )
        return asked

    return stand_in


def same_as_on_the_cpu(opened: Sessions, bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    found = opened.slice_encoder.run(SLICES)
    monkeypatch.undo()
    expected = open_sessions(bundle, InferenceSettings(provider="cpu")).slice_encoder.run(SLICES)
    for name, values in expected.items():
        np.testing.assert_array_equal(found[name], values)


def test_tensorrt_runs_the_encoder_where_a_folder_for_its_engines_is_set(
    bundle: Bundle, tmp_path: Path, gpu: Callable[..., Asked], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = gpu(TENSORRT, CUDA)
    opened = open_sessions(bundle, InferenceSettings(provider="cuda", tensorrt_dir=tmp_path / "engines"))
    assert (opened.slice_encoder.provider, opened.study_reader.provider, opened.fallback) == (TENSORRT, CUDA, "")
    assert list(asked[0]) == [TENSORRT, CUDA, CPU]
    assert asked[0][TENSORRT]["trt_engine_cache_path"] == str(tmp_path / "engines")
    assert (tmp_path / "engines").is_dir()
    same_as_on_the_cpu(opened, bundle, monkeypatch)


@pytest.mark.parametrize("providers", [(TENSORRT, CUDA), (CUDA,)], ids=["cannot be started", "is not installed"])
def test_where_tensorrt_does_not_run_cuda_does_and_it_is_said(
    bundle: Bundle, tmp_path: Path, gpu: Callable[..., Asked], providers: tuple[str, ...]
) -> None:
    gpu(*providers, fails=lambda asked: TENSORRT in asked)
    opened = open_sessions(bundle, InferenceSettings(provider="cuda", tensorrt_dir=tmp_path / "engines"))
    assert (opened.provider, opened.slice_encoder.provider) == ("cuda", CUDA)
    assert "TensorRT could not be started" in opened.fallback


def test_without_a_folder_tensorrt_is_not_asked(bundle: Bundle, gpu: Callable[..., Asked]) -> None:
    asked = gpu(TENSORRT, CUDA)
    assert open_sessions(bundle, InferenceSettings(provider="cuda")).fallback == ""
    assert not [one for one in asked if TENSORRT in one]


def test_fp16_is_recorded_and_fp32_is_not(
    bundle_folder: Path, gpu: Callable[..., Asked], monkeypatch: pytest.MonkeyPatch
) -> None:
    add_variant(bundle_folder, "fp16", macro_auroc_loss=0.0, worst_auroc_loss=0.0)
    asked = gpu(CUDA)
    bundle = load(bundle_folder)
    half = open_sessions(bundle, InferenceSettings(provider="cuda"))
    assert (half.precision, asked[0][CUDA]["enable_cuda_graph"]) == ("fp16", "1")
    asked.clear()
    assert open_sessions(bundle, InferenceSettings(provider="cuda", precision="fp32")).precision == "fp32"
    assert not [one for one in asked if "enable_cuda_graph" in one[CUDA]]
    same_as_on_the_cpu(half, bundle, monkeypatch)


def test_what_cannot_be_recorded_runs_without(bundle_folder: Path, gpu: Callable[..., Asked]) -> None:
    add_variant(bundle_folder, "fp16", macro_auroc_loss=0.0, worst_auroc_loss=0.0)
    asked = gpu(CUDA, fails=lambda asked: "enable_cuda_graph" in asked[CUDA])
    opened = open_sessions(load(bundle_folder), InferenceSettings(provider="cuda"))
    assert (opened.precision, opened.slice_encoder.provider, opened.fallback) == ("fp16", CUDA, "")
    assert ["enable_cuda_graph" in one[CUDA] for one in asked] == [True, False, False, False]
