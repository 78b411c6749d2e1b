"""Which provider runs is said; a fall-back that was not allowed is an error."""

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import tiny_bundle
from onnxruntime.capi.onnxruntime_pybind11_state import RuntimeException
from tiny_bundle import add_variant, load, write_manifest

from pacs_agent.config import InferenceSettings
from pacs_agent.inference import Bundle, BundleRefused, ModelFailed, ProviderUnavailable
from pacs_agent.inference.sessions import open_sessions, precision_for

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

    def without_device(model: bytes, options: object, providers: list, **others: object) -> object:
        if providers[0][0] == "CUDAExecutionProvider":
            raise RuntimeException("CUDA failure 100: no CUDA-capable device is detected")
        return real(model, options, providers=providers, **others)

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
    with pytest.raises(BundleRefused, match=r"outputs \['field_centre_px', 'patch_grid', 'tokens'\]"):
        open_sessions(load(bundle_folder), InferenceSettings(provider="cpu"))


def test_a_graph_that_does_not_load_is_refused(bundle_folder: Path) -> None:
    (bundle_folder / "slice_encoder.onnx").write_bytes(b"")
    write_manifest(bundle_folder)
    with pytest.raises(BundleRefused, match="does not load"):
        open_sessions(load(bundle_folder), InferenceSettings(provider="cpu"))


def test_a_file_changed_after_loading_does_not_run(bundle_folder: Path) -> None:
    bundle = load(bundle_folder)
    (bundle_folder / "slice_encoder.onnx").write_bytes(tiny_bundle.study_reader().SerializeToString())
    with pytest.raises(BundleRefused, match="altered"):
        open_sessions(bundle, InferenceSettings(provider="cpu"))


@pytest.mark.parametrize(
    ("provider", "precision", "losses", "chosen"),
    [
        ("cpu", "int8", (0.004, 0.009), "int8"),
        ("cpu", "int8", (-0.001, 0.0), "int8"),
        ("cpu", "int8", (0.006, 0.009), "fp32"),
        ("cpu", "int8", (0.004, 0.011), "fp32"),
        ("cpu", "int8", (None, None), "fp32"),
        ("cpu", "fp16", (0.0, 0.0), "fp32"),
        ("cuda", "fp16", (None, None), "fp16"),
        ("cuda", "fp16", (0.0, 0.02), "fp32"),
        ("cuda", "int8", (0.0, 0.0), "fp32"),
    ],
)
def test_a_lower_precision_is_taken_where_it_was_measured_to_cost_nothing(
    bundle_folder: Path, provider: str, precision: str, losses: tuple, chosen: str
) -> None:
    add_variant(bundle_folder, precision, macro_auroc_loss=losses[0], worst_auroc_loss=losses[1])
    manifest = load(bundle_folder).manifest
    assert precision_for(manifest, provider) == chosen
    assert precision_for(manifest, provider, "fp32") == "fp32"


def test_tokens_of_one_precision_are_not_those_of_another(bundle_folder: Path) -> None:
    add_variant(bundle_folder, "int8", macro_auroc_loss=0.0, worst_auroc_loss=0.0)
    bundle = load(bundle_folder)
    auto = open_sessions(bundle, InferenceSettings(provider="cpu"))
    full = open_sessions(bundle, InferenceSettings(provider="cpu", precision="fp32"))
    assert (auto.precision, full.precision) == ("int8", "fp32")
    assert auto.encoder_digest != full.encoder_digest


def test_a_precision_that_the_bundle_does_not_have(bundle: Bundle) -> None:
    with pytest.raises(BundleRefused, match="no slice encoder in int8"):
        open_sessions(bundle, InferenceSettings(provider="cpu", precision="int8"))


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
