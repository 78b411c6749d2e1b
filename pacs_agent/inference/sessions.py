"""The graphs of a bundle in onnxruntime, on the GPU where there is one, and said so."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnxruntime.capi import onnxruntime_pybind11_state as runtime_state

from pacs_agent.config import InferenceSettings
from pacs_agent.inference.binding import Bound, can_be_bound
from pacs_agent.inference.bundle import AnyBundle, Bundle, SegmenterBundle, StagingBundle
from pacs_agent.inference.manifest import GraphFile, Manifest, Precision, ReducedPrecision
from pacs_agent.inference.pinned import page_locked
from pacs_agent.inference.refusal import BundleRefused, ModelFailed, ProviderUnavailable
from pacs_agent.inference.running import Lanes, Runner, Whole, cores

Provider = Literal["cuda", "cpu"]
T = TypeVar("T")

_NAMES: dict[Provider, str] = {"cuda": "CUDAExecutionProvider", "cpu": "CPUExecutionProvider"}
_OPTIONS: dict[Provider, dict[str, str]] = {"cuda": {"use_tf32": "0"}, "cpu": {}}
"""TF32 rounds products to ten bits, which breaks the parity of CPU and GPU that the self-test demands."""
TENSORRT = "TensorrtExecutionProvider"
GPU_SLICES = 16
"""Slices of a run on a GPU where the settings say nothing. A guess: not measured."""
SLOWER_THAN_PLAIN = ("SkipLayerNormFusion",)
"""onnxruntime 1.31 computes a residual with its norm in one scalar loop, ten times slower than one after the other."""
MAX_MACRO_LOSS, MAX_WORST_LOSS = 0.005, 0.01
"""AUROC that a lower precision may cost, over all findings and for the worst of them, to be taken by itself."""

_QUIET = 3
_ERRORS = tuple(
    getattr(runtime_state, name)
    for name in (
        "EPFail",
        "Fail",
        "InvalidArgument",
        "InvalidGraph",
        "InvalidProtobuf",
        "NotImplemented",
        "RuntimeException",
    )
    if hasattr(runtime_state, name)
)
"""onnxruntime's exceptions have no base of their own."""

_INPUTS = {
    "slice_encoder": ("stored", "slope", "intercept", "spacing_mm"),
    "study_reader": ("tokens", "z_mm", "plane", "sequence", "phase", "mask"),
    "report_decoder": ("word", "visual_tokens", "past_keys", "past_values"),
    "segmenter": ("patch",),
    "staging_encoder": ("stored", "low", "high", "spacing_mm"),
    "staging_reader": (
        *("tokens", "centre_mm", "orientation", "plane", "sequence", "contrast", "phase", "b_value", "mask"),
    ),
}
_OUTPUTS = {
    "slice_encoder": ("token", "patch_grid", "field_centre_px"),
    "study_reader": ("finding_logits", "slice_weights", "slice_attention", "attribute_logits", "visual_tokens"),
    "report_decoder": ("logits", "keys", "values"),
    "segmenter": ("probabilities",),
    "staging_encoder": ("token", "patch_grid"),
    "staging_reader": ("step_logits", "slice_attention", "visual_tokens"),
}


class Graph:
    """One graph, ready to run. Safe to use from several threads."""

    def __init__(self, name: str, session: onnxruntime.InferenceSession, runner: Runner | None = None) -> None:
        self.name = name
        self._session = session
        self._runner = runner or Whole(session)

    @property
    def best_batch(self) -> int:
        """Entries of a batch with which it is fastest where it runs."""
        return self._runner.best_batch

    @property
    def provider(self) -> str:
        """The execution provider in use, by onnxruntime's name."""
        return str(self._session.get_providers()[0])

    def run(self, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[np.float32]]:
        """Outputs by name. Raises ModelFailed when the graph stops or an output is not finite."""
        try:
            values = self._runner.run(_OUTPUTS[self.name], inputs)
        except (*_ERRORS, ValueError) as error:
            raise ModelFailed(self.name, str(error)) from error
        outputs = dict(zip(_OUTPUTS[self.name], values, strict=True))
        for output, value in outputs.items():
            if not np.isfinite(value).all():
                raise ModelFailed(self.name, f"output {output} holds values that are not finite")
        return outputs

    def input_shape(self, name: str) -> list[int | str | None]:
        """The declared shape of an input; names and None stand for dynamic dimensions."""
        return next(list(entry.shape) for entry in self._session.get_inputs() if entry.name == name)


@dataclass(frozen=True)
class Sessions:
    """The three graphs of a bundle. `fallback` says why the GPU is not used although it was looked for."""

    slice_encoder: Graph
    study_reader: Graph
    report_decoder: Graph
    provider: Provider
    fallback: str
    precision: Precision
    """Of the slice encoder."""
    encoder_digest: str
    """SHA-256 of the slice encoder that runs: tokens of one are not those of another."""


@dataclass(frozen=True)
class OpenSegmenter:
    """The graph of a segmenter. `fallback` says why the GPU is not used although it was looked for."""

    graph: Graph
    provider: Provider
    fallback: str


@dataclass(frozen=True)
class OpenStaging:
    """The three graphs of a bundle that reads several series, in fp32; `fallback` as of a segmenter."""

    slice_encoder: Graph
    study_reader: Graph
    report_decoder: Graph
    provider: Provider
    fallback: str


def open_sessions(bundle: Bundle, settings: InferenceSettings) -> Sessions:
    """The graphs of a bundle that reads, on the provider that the settings ask for.

    `auto` takes CUDA where it works and otherwise the CPU, saying why in `fallback`; so does the precision, see
    `precision_for`.
    Raises ProviderUnavailable when `cuda` is demanded and cannot be had, BundleRefused when a graph does not load.
    """
    return _on_provider(settings, partial(_open_cuda, bundle, settings), partial(_open, bundle, settings, "cpu"))


def open_segmenter(bundle: SegmenterBundle, settings: InferenceSettings) -> OpenSegmenter:
    """The graph of a bundle that segments, on the provider that the settings ask for, in fp32.

    Raises as `open_sessions` does, and BundleRefused when the graph is not for the patch of its manifest.
    """

    def opened(provider: Provider, fallback: str) -> OpenSegmenter:
        graph = _graph(bundle, "segmenter", bundle.manifest.graphs.segmenter, settings, provider)
        _check_patch(bundle, graph)
        return OpenSegmenter(graph, provider, fallback)

    def on_cuda() -> OpenSegmenter:
        _ensure_cuda()
        found = opened("cuda", "")
        _refuse_cpu([found.graph])
        return found

    return _on_provider(settings, on_cuda, partial(opened, "cpu"))


def open_staging(bundle: StagingBundle, settings: InferenceSettings) -> OpenStaging:
    """The graphs of a bundle that reads several series, on the provider that the settings ask for, in fp32.

    Raises as `open_sessions` does.
    """
    manifest = bundle.manifest

    def opened(provider: Provider, fallback: str) -> OpenStaging:
        if provider == "cpu":
            session = _session(bundle, "staging_encoder", manifest.slice_encoder, 1, [(_NAMES["cpu"], {})])
            encoder = Graph("staging_encoder", session, Lanes(session, settings.threads or cores()))
        else:
            encoder = _graph(bundle, "staging_encoder", manifest.slice_encoder, settings, provider)
        reader = _graph(bundle, "staging_reader", manifest.study_reader, settings, provider)
        decoder = _graph(bundle, "report_decoder", manifest.report_decoder, settings, provider)
        return OpenStaging(encoder, reader, decoder, provider, fallback)

    def on_cuda() -> OpenStaging:
        _ensure_cuda()
        found = opened("cuda", "")
        _refuse_cpu((found.slice_encoder, found.study_reader, found.report_decoder))
        return found

    return _on_provider(settings, on_cuda, partial(opened, "cpu"))


def _on_provider(settings: InferenceSettings, on_cuda: Callable[[], T], on_cpu: Callable[[str], T]) -> T:
    """What one of two gives, by the settings; the CPU is told why it stands in for the GPU."""
    if settings.provider == "cpu":
        return on_cpu("")
    try:
        return on_cuda()
    except ProviderUnavailable as missing:
        if settings.provider == "auto":
            return on_cpu(str(missing))
        remedy = "install the extra `gpu` and the NVIDIA driver, or set inference.provider to auto or cpu"
        raise ProviderUnavailable(f"inference.provider is cuda, but {missing}; {remedy}") from missing


def precision_for(manifest: Manifest, provider: Provider, wanted: Precision | Literal["auto"] = "auto") -> Precision:
    """The precision in which the slice encoder runs.

    `auto` is fp16 on CUDA and int8 on the CPU where the bundle has them and they cost no more than MAX_MACRO_LOSS and
    MAX_WORST_LOSS; int8 must have been measured, fp16 is refused only by a measurement. Otherwise fp32.
    """
    if wanted != "auto":
        return wanted
    lower: ReducedPrecision = "fp16" if provider == "cuda" else "int8"
    variant = manifest.variants.get(lower)
    if variant is None:
        return "fp32"
    if variant.macro_auroc_loss is None or variant.worst_auroc_loss is None:
        return "fp16" if lower == "fp16" else "fp32"
    cheap = variant.macro_auroc_loss <= MAX_MACRO_LOSS and variant.worst_auroc_loss <= MAX_WORST_LOSS
    return lower if cheap else "fp32"


def cuda_in_onnxruntime() -> bool:
    """Whether this onnxruntime was built with CUDA; a driver may be missing all the same."""
    return _NAMES["cuda"] in onnxruntime.get_available_providers()


def _open_cuda(bundle: Bundle, settings: InferenceSettings) -> Sessions:
    """The graphs on the GPU. Raises ProviderUnavailable, also where onnxruntime fell back without an error."""
    _ensure_cuda()
    sessions = _open(bundle, settings, "cuda", "")
    _refuse_cpu((sessions.slice_encoder, sessions.study_reader, sessions.report_decoder))
    return sessions


def _ensure_cuda() -> None:
    """Raises ProviderUnavailable where this onnxruntime has no CUDA."""
    if not cuda_in_onnxruntime():
        raise ProviderUnavailable(f"this onnxruntime ({onnxruntime.__version__}) has no {_NAMES['cuda']}")
    if hasattr(onnxruntime, "preload_dlls"):
        onnxruntime.preload_dlls()  # finds the CUDA libraries that come as Python wheels


def _refuse_cpu(graphs: Iterable[Graph]) -> None:
    if on_cpu := [graph.name for graph in graphs if graph.provider == _NAMES["cpu"]]:
        raise ProviderUnavailable(f"CUDA could not be started for {', '.join(on_cpu)} (driver or libraries missing)")


def _check_patch(bundle: SegmenterBundle, graph: Graph) -> None:
    wanted, found = bundle.manifest.grid.patch, tuple(graph.input_shape("patch")[1:])
    if found != (1, *wanted):
        fault = f"takes patches of {found}, its manifest says {(1, *wanted)}"
        raise BundleRefused(bundle.manifest.graphs.segmenter.file, fault, "export the model again")


def _open(bundle: Bundle, settings: InferenceSettings, provider: Provider, fallback: str) -> Sessions:
    graphs = bundle.manifest.graphs
    precision = precision_for(bundle.manifest, provider, settings.precision)
    file = bundle.slice_encoder(precision)
    if provider == "cpu":
        encoder = _encoder_on_cpu(bundle, file, settings.threads or cores())
    else:
        encoder, missing = _encoder_on_gpu(bundle, file, settings)
        fallback = fallback or missing
    return Sessions(
        encoder,
        _graph(bundle, "study_reader", graphs.study_reader, settings, provider),
        _graph(bundle, "report_decoder", graphs.report_decoder, settings, provider),
        provider,
        fallback,
        precision,
        file.sha256,
    )


def _graph(bundle: AnyBundle, name: str, file: GraphFile, settings: InferenceSettings, provider: Provider) -> Graph:
    providers = [(_NAMES[one], _OPTIONS[one]) for one in dict.fromkeys((provider, "cpu"))]
    return Graph(name, _session(bundle, name, file, settings.threads or cores(), providers))


def _encoder_on_cpu(bundle: Bundle, file: GraphFile, lanes: int) -> Graph:
    session = _session(bundle, "slice_encoder", file, 1, [(_NAMES["cpu"], {})], without=SLOWER_THAN_PLAIN)
    return Graph("slice_encoder", session, Lanes(session, lanes))


def _encoder_on_gpu(bundle: Bundle, file: GraphFile, settings: InferenceSettings) -> tuple[Graph, str]:
    """The encoder by TensorRT where a folder for its engines is set, else by CUDA; and why it is not TensorRT.

    CUDA records fp16 only, whose shapes depend on the batch alone.
    """
    missing = ""
    if settings.tensorrt_dir is not None:
        session = _by_tensorrt(bundle, file, settings, settings.tensorrt_dir)
        if session is not None and session.get_providers()[0] == TENSORRT:
            return _bound(session, settings, recorded=False), ""
        missing = "TensorRT could not be started (libraries missing, or the graph is not for it): CUDA runs the encoder"
    if file is not bundle.manifest.graphs.slice_encoder:
        with suppress(ProviderUnavailable):  # a step on the CPU cannot be recorded; whether CUDA works shows below
            return _bound(
                _by_cuda(bundle, file, settings, {"enable_cuda_graph": "1"}), settings, recorded=True
            ), missing
    return _bound(_by_cuda(bundle, file, settings, {}), settings, recorded=False), missing


def _by_tensorrt(
    bundle: Bundle, file: GraphFile, settings: InferenceSettings, folder: Path
) -> onnxruntime.InferenceSession | None:
    if TENSORRT not in onnxruntime.get_available_providers():
        return None
    options = {"trt_engine_cache_enable": "1", "trt_engine_cache_path": str(folder), "trt_timing_cache_enable": "1"}
    folder.mkdir(parents=True, exist_ok=True)
    rest = [(_NAMES[one], _OPTIONS[one]) for one in ("cuda", "cpu")]
    try:
        return _session(bundle, "slice_encoder", file, settings.threads, [(TENSORRT, options), *rest])
    except ProviderUnavailable:
        return None


def _by_cuda(
    bundle: Bundle, file: GraphFile, settings: InferenceSettings, further: dict[str, str]
) -> onnxruntime.InferenceSession:
    providers = [(_NAMES["cuda"], _OPTIONS["cuda"] | further), (_NAMES["cpu"], _OPTIONS["cpu"])]
    return _session(bundle, "slice_encoder", file, settings.threads, providers)


def _bound(session: onnxruntime.InferenceSession, settings: InferenceSettings, *, recorded: bool) -> Graph:
    on_gpu = session.get_providers()[0] != _NAMES["cpu"] and can_be_bound(session)
    if not on_gpu:
        return Graph("slice_encoder", session)
    batch = settings.batch_slices or GPU_SLICES
    return Graph("slice_encoder", session, Bound(session, "cuda", batch, recorded=recorded, allocate=page_locked()))


def _session(
    bundle: AnyBundle,
    name: str,
    file: GraphFile,
    threads: int,
    providers: list[tuple[str, dict[str, str]]],
    without: Sequence[str] = (),
) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = _QUIET
    # Threads that wait by spinning take the processor from reception.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    further = {"disabled_optimizers": list(without)} if without else {}
    try:
        session = onnxruntime.InferenceSession(bundle.read(file), options, providers=providers, **further)
    except (*_ERRORS, ValueError) as error:
        if providers[0][0] != _NAMES["cpu"]:  # whether the graph or the GPU is at fault shows when the CPU loads it
            raise ProviderUnavailable(f"CUDA could not load {file.file}: {error}") from error
        raise BundleRefused(file.file, f"does not load: {error}", "export the model again") from error
    _check_names(name, file, session)
    return session


def _check_names(name: str, file: GraphFile, session: onnxruntime.InferenceSession) -> None:
    """Refuses a graph whose inputs and outputs are not those that manifest.py fixes."""
    for kind, wanted, found in (
        ("inputs", _INPUTS[name], session.get_inputs()),
        ("outputs", _OUTPUTS[name], session.get_outputs()),
    ):
        names = {entry.name for entry in found}
        if names != set(wanted):
            fault = f"has {kind} {sorted(names)}; {sorted(wanted)} are needed"
            raise BundleRefused(file.file, fault, "export the model for this version of the agent")
