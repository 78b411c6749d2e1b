"""Which provider runs is said; a fall-back that was not allowed is an error."""

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import tiny_bundle
from onnxruntime.capi.onnxruntime_pybind11_state import RuntimeException
from tiny_bundle import write_manifest

from pacs_agent.config import InferenceSettings
from pacs_agent.inference import Bundle, BundleRefused, ModelFailed, ProviderUnavailable, load_bundle
from pacs_agent.inference.sessions import open_sessions

AVAILABLE = onnxruntime.get_available_providers()
no_gpu = pytest.mark.skipif("CUDAExecutionProvider" in AVAILABLE, reason="this onnxruntime has CUDA")


def test_cpu(bundle: Bundle) -> None:
    sessions = open_sessions(bundle, InferenceSettings(provider="cpu"))
    assert (sessions.provider, sessions.fallback) == ("cpu", "")
    assert sessions.study_reader.provider == "CPUExecutionProvider"


@no_gpu
def test_auto_says_why_it_is_on_the_cpu(bundle: Bundle) -> None:
    sessions = open_sessions(bundle, InferenceSettings(provider="auto"))
    assert sessions.provider == "cpu"
    assert "has no CUDAExecutionProvider" in sessions.fallback


@no_gpu
def test_cuda_is_not_replaced(bundle: Bundle) -> None:
    with pytest.raises(ProviderUnavailable, match="install the extra `gpu`"):
        open_sessions(bundle, InferenceSettings(provider="cuda"))


@no_gpu
@pytest.mark.filterwarnings("ignore")
def test_a_silent_fall_back_of_onnxruntime_is_noticed(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    """Onnxruntime with CUDA but without a driver gives a CPU session and no error."""
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CUDAExecutionProvider", *AVAILABLE])
    monkeypatch.setattr(onnxruntime, "preload_dlls", lambda: None)
    with pytest.raises(ProviderUnavailable, match="could not be started for slice_encoder"):
        open_sessions(bundle, InferenceSettings(provider="cuda"))
    sessions = open_sessions(bundle, InferenceSettings(provider="auto"))
    assert sessions.provider == "cpu"
    assert "driver or libraries missing" in sessions.fallback


@no_gpu
def test_a_gpu_that_fails_to_start_is_told_from_a_broken_graph(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    real = onnxruntime.InferenceSession

    def without_device(model: bytes, options: object, providers: list) -> object:
        if providers[0][0] == "CUDAExecutionProvider":
            raise RuntimeException("CUDA failure 100: no CUDA-capable device is detected")
        return real(model, options, providers=providers)

    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CUDAExecutionProvider", *AVAILABLE])
    monkeypatch.setattr(onnxruntime, "preload_dlls", lambda: None)
    monkeypatch.setattr(onnxruntime, "InferenceSession", without_device)
    with pytest.raises(ProviderUnavailable, match="no CUDA-capable device"):
        open_sessions(bundle, InferenceSettings(provider="cuda"))
    assert "no CUDA-capable device" in open_sessions(bundle, InferenceSettings(provider="auto")).fallback


def test_a_graph_with_other_names_is_refused(bundle_folder: Path) -> None:
    model = tiny_bundle.slice_encoder()
    model.graph.output[0].name = "tokens"
    for node in model.graph.node:
        node.output[:] = ["tokens" if name == "token" else name for name in node.output]
    (bundle_folder / "slice_encoder.onnx").write_bytes(model.SerializeToString())
    write_manifest(bundle_folder)
    with pytest.raises(BundleRefused, match=r"outputs \['patch_grid', 'tokens'\]"):
        open_sessions(load_bundle(bundle_folder), InferenceSettings(provider="cpu"))


def test_a_graph_that_does_not_load_is_refused(bundle_folder: Path) -> None:
    (bundle_folder / "slice_encoder.onnx").write_bytes(b"")
    write_manifest(bundle_folder)
    with pytest.raises(BundleRefused, match="does not load"):
        open_sessions(load_bundle(bundle_folder), InferenceSettings(provider="cpu"))


def test_a_file_changed_after_loading_does_not_run(bundle_folder: Path) -> None:
    bundle = load_bundle(bundle_folder)
    (bundle_folder / "slice_encoder.onnx").write_bytes(tiny_bundle.study_reader().SerializeToString())
    with pytest.raises(BundleRefused, match="altered"):
        open_sessions(bundle, InferenceSettings(provider="cpu"))


def encoder_inputs(slope: float) -> dict[str, np.ndarray]:
    return {
        "stored": np.ones((1, 2, 2), np.int16),
        "slope": np.array([slope], np.float32),
        "intercept": np.zeros(1, np.float32),
        "spacing_mm": np.ones((1, 2), np.float32),
    }


@pytest.mark.parametrize("slope", [float("nan"), float("inf")])
def test_values_that_mean_nothing(bundle: Bundle, slope: float) -> None:
    encoder = open_sessions(bundle, InferenceSettings(provider="cpu")).slice_encoder
    with pytest.raises(ModelFailed, match="output token holds values that are not finite"):
        encoder.run(encoder_inputs(slope))


@pytest.mark.filterwarnings("ignore")
def test_inputs_that_do_not_fit(bundle: Bundle) -> None:
    encoder = open_sessions(bundle, InferenceSettings(provider="cpu")).slice_encoder
    with pytest.raises(ModelFailed, match="slice_encoder"):
        encoder.run(encoder_inputs(1.0) | {"stored": np.ones((2, 2), np.int16)})
