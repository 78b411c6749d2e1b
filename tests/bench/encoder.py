"""Slices per second of the shipped slice encoder, beside what the machine's matrix products allow for its operations.

The ideal time of a slice is its operations in fp32 by the peak of fp32, and those in eight bits by the peak of eight
bits; see flops.py and gemm.py. What is missing to it is accounted for by onnxruntime's own profile.
"""

import json
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pydicom
from numpy.typing import NDArray

from pacs_agent.config import InferenceSettings
from pacs_agent.inference.bundle import Bundle, load_bundle
from pacs_agent.inference.manifest import Precision
from pacs_agent.inference.running import LANE_SLICES, cores
from pacs_agent.inference.sessions import SLOWER_THAN_PLAIN, Graph, open_sessions, precision_for
from tests import shipped
from tests.bench.flops import Operations, operations
from tests.bench.gemm import peak_gflops
from tests.bench.report import Report, Row

GOAL = 0.5
"""Share of what the peak allows."""
SLICES = 32
PROFILED = 12
"""Runs of which the fastest of each node counts."""
ALONE = "sum of each node's fastest time on one core, which other work hardly disturbs; "
SHOWN = 8
PRECISIONS: tuple[Precision, ...] = ("fp32", "int8")

Inputs = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class _Encoder:
    precision: Precision
    graph: Graph
    model: bytes


def run(report: Report, files: Sequence[Path], rounds: int, folder: Path, say: Callable[[str], None]) -> None:
    """Measures each precision that the bundle has, on the CPU, and adds rows and profiles."""
    settings = InferenceSettings(provider="cpu")
    bundle = _bundle(settings)
    encoders = [_opened(bundle, precision) for precision in PRECISIONS if _has(bundle, precision)]
    slices = inputs(files, SLICES)
    speeds: dict[str, list[float]] = defaultdict(list)
    peaks: dict[int, dict[str, list[float]]] = {1: defaultdict(list), cores(): defaultdict(list)}
    for number in range(rounds):
        for threads, precision in product(peaks, ("fp32", "int8")):
            peaks[threads][precision].append(peak_gflops(precision, threads))
        for encoder in encoders:
            speeds[encoder.precision].append(slices_per_s(encoder.graph, slices))
            say(f"round {number + 1}, encoder {encoder.precision}: {speeds[encoder.precision][-1]:.0f} slices/s")
    peak = {threads: {name: max(many) for name, many in by.items()} for threads, by in peaks.items()}
    for encoder in encoders:
        counted = operations(onnx.load_from_string(encoder.model), _part(slices, 0, 1))
        many = speeds[encoder.precision]
        report.rows.append(_row(encoder, f"{cores()} cores", _what(encoder, counted), many, peak[cores()], counted))
        profile = profiled(encoder.model, slices, folder)
        alone = [1000 / profile.slice_ms]
        report.rows.append(_row(encoder, "one core", f"{ALONE}{_what(encoder, counted)}", alone, peak[1], counted))
        report.notes.append(f"encoder {encoder.precision} on one core, ms a slice: {profile.shown}")
    chosen = precision_for(bundle.manifest, "cpu")
    about = f"auto takes {chosen}, {SLICES} slices of {_shape(slices)}"
    report.data["encoder"] = f"{bundle.manifest.name} {bundle.manifest.version}, {about}"


def inputs(files: Sequence[Path], count: int) -> Inputs:
    """The first slices of a series as the encoder's inputs."""
    datasets = [pydicom.dcmread(files[number % len(files)]) for number in range(count)]
    return {
        "stored": np.stack([one.pixel_array.astype(np.int16) for one in datasets]),
        "slope": np.array([float(one.RescaleSlope) for one in datasets], np.float32),
        "intercept": np.array([float(one.RescaleIntercept) for one in datasets], np.float32),
        "spacing_mm": np.array([[float(value) for value in one.PixelSpacing] for one in datasets], np.float32),
    }


def slices_per_s(graph: Graph, slices: Inputs) -> float:
    """Speed of the graph over all slices, in the batches that suit it."""
    parts = [_part(slices, at, graph.best_batch) for at in range(0, SLICES, graph.best_batch)]
    graph.run(parts[0])
    start = time.perf_counter()
    for part in parts:
        graph.run(part)
    return SLICES / (time.perf_counter() - start)


@dataclass(frozen=True)
class Profile:
    """Time of a slice on one core, and by which operators it is spent."""

    slice_ms: float
    shown: str


def profiled(model: bytes, slices: Inputs, folder: Path) -> Profile:
    """Onnxruntime's profile of a few slices on one thread; of each node the fastest of some runs."""
    folder.mkdir(parents=True, exist_ok=True)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 3
    options.enable_profiling, options.profile_file_prefix = True, str(folder / "encoder")
    session = onnxruntime.InferenceSession(
        model, options, providers=["CPUExecutionProvider"], disabled_optimizers=list(SLOWER_THAN_PLAIN)
    )
    part = _part(slices, 0, LANE_SLICES)
    for _ in range(PROFILED):
        session.run(None, part)
    fastest: dict[tuple[str, str], float] = {}
    for event in json.loads(Path(session.end_profiling()).read_text()):
        if event.get("cat") == "Node" and event["name"].endswith("_kernel_time"):
            key = event["name"], event["args"]["op_name"]
            fastest[key] = min(fastest.get(key, float("inf")), event["dur"] / 1000 / LANE_SLICES)
    by_operator: dict[str, float] = defaultdict(float)
    for (_, operator), milliseconds in fastest.items():
        by_operator[operator] += milliseconds
    most = sorted(by_operator.items(), key=lambda item: -item[1])[:SHOWN]
    total = sum(by_operator.values())
    return Profile(total, f"{total:.2f} in all; " + ", ".join(f"{name} {spent:.2f}" for name, spent in most))


def _bundle(settings: InferenceSettings) -> Bundle:
    return load_bundle(shipped.reader(), settings.trusted_keys)


def _has(bundle: Bundle, precision: Precision) -> bool:
    return precision == "fp32" or precision in bundle.manifest.variants


def _opened(bundle: Bundle, precision: Precision) -> _Encoder:
    sessions = open_sessions(bundle, InferenceSettings(provider="cpu", precision=precision))
    return _Encoder(precision, sessions.slice_encoder, bundle.read(bundle.slice_encoder(precision)))


def _part(slices: Inputs, at: int, count: int) -> Inputs:
    return {name: values[at : at + count] for name, values in slices.items()}


def _what(encoder: _Encoder, counted: Operations) -> str:
    what = f"slices per second of the slice encoder in {encoder.precision}, pre-processing included: "
    what += f"{counted.fp / 1e6:.0f} M operations in fp32 and {counted.int8 / 1e6:.0f} M in eight bits a slice; beside "
    return f"{what}what the fastest matrix products of both kinds allow on as many cores; goal {GOAL:g} of that"


def _row(
    encoder: _Encoder, where: str, what: str, speeds: list[float], peak: dict[str, float], counted: Operations
) -> Row:
    ideal_s = counted.fp / peak["fp32"] / 1e9 + counted.int8 / peak["int8"] / 1e9
    what += f" ({peak['fp32']:.0f} and {peak['int8']:.0f} G operations/s)"
    return Row(
        f"encoder.{encoder.precision}.{where.replace(' ', '_')}",
        f"slice encoder, {encoder.precision}, {where}",
        what,
        "slices/s",
        "higher",
        median(speeds),
        "matrix products alone",
        1 / ideal_s,
        1 / ideal_s,
        {"ours": speeds},
        GOAL,
    )


def _shape(slices: Inputs) -> str:
    return " × ".join(str(side) for side in slices["stored"].shape[1:])
