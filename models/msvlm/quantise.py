"""The slice encoder in lower precision: int8 for the CPU, fp16 for the GPU, and what each costs.

int8 is static (QDQ, per channel): ranges of activations come from slices of phantoms with every finding and of real CTs
where they are present. Convolutions and products with weights are quantised; the pre-processing, whose values are HU
and positions, attention and the layers that give logits stay in fp32. So does the pre-processing in fp16.
"""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_static,
)
from onnxruntime.transformers.float16 import convert_float_to_float16

from models.datasets.real_ct import cases_there, load_scan
from models.msvlm.runtime import StoredSeries
from models.phantoms import FINDINGS, generate
from pacs_agent.inference.manifest import ReducedPrecision

CALIBRATION_SLICES = 12
"""Slices of each calibration study."""
PHANTOMS, FIRST_SEED = 6, 9_900_000
"""Phantoms for calibration, of no split; each shows three findings, all of them together every one."""
QUANTISED = ["Conv", "MatMul", "Gemm"]
_BATCH = 2


@dataclass(frozen=True)
class Calibration:
    """Slices that fix the ranges of int8, and where they come from, for people."""

    series: tuple[StoredSeries, ...]
    source: str

    @property
    def made(self) -> str:
        """How int8 was made from them."""
        return f"static, per channel, ranges from {sum(len(one.stored) for one in self.series)} slices of {self.source}"


def calibration_slices() -> Calibration:
    """Slices of phantoms that show every finding, and of the real CTs of `../shared/data` where they are.

    Of the real ones those that are not held out. They alone show too little: what none of them has is cut off at the
    range of its absence, which cost .07 of macro AUROC where this cost nothing.
    """
    phantoms = [
        generate(FIRST_SEED + index, findings=FINDINGS[index::PHANTOMS], kept_slices=CALIBRATION_SLICES).study()
        for index in range(PHANTOMS)
    ]
    volumes = [load_scan(case).volume for case in cases_there() if not case.held_out]
    series = [_spread(one.hu, one.z_mm, one.spacing_mm) for one in (*phantoms, *volumes)]
    return Calibration(tuple(series), f"{len(phantoms)} phantoms and {len(volumes)} real CTs")


def _spread(hu: NDArray[np.int16], z_mm: NDArray[np.float32], spacing_mm: tuple[float, float]) -> StoredSeries:
    kept = np.linspace(0, len(hu) - 1, min(CALIBRATION_SLICES, len(hu))).round().astype(int)
    return StoredSeries(hu[kept], 1.0, 0.0, spacing_mm, z_mm[kept])


def write_variants(encoder: Path, for_gpu: Path, calibration: Calibration) -> dict[ReducedPrecision, tuple[Path, str]]:
    """Writes the slice encoder in int8 and, from its form for the GPU, in fp16 beside it; each with how it was made."""
    int8, fp16 = (encoder.with_name(f"{encoder.stem}.{precision}.onnx") for precision in ("int8", "fp16"))
    write_int8(encoder, int8, calibration.series)
    write_fp16(for_gpu, fp16)
    return {"int8": (int8, calibration.made), "fp16": (fp16, "from the first convolution on; pre-processing in fp32")}


def write_int8(encoder: Path, out: Path, series: Sequence[StoredSeries]) -> None:
    """Static quantisation with ranges from these slices. Weights have seven bits, for processors without VNNI."""
    with tempfile.TemporaryDirectory() as scratch:
        plain = Path(scratch) / encoder.name
        onnx.save(_without_value_info(onnx.load(encoder)), plain)
        quantize_static(
            plain,
            out,
            _Slices(series),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=QUANTISED,
            per_channel=True,
            reduce_range=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=CalibrationMethod.MinMax,
            nodes_to_exclude=_in_fp32(onnx.load(encoder).graph),
        )


def _in_fp32(graph: onnx.GraphProto) -> list[str]:
    """The last layers, which give logits, and products that are no layers: with positions, or of two computed matrices.

    Of the latter are resampling, whose HU would come in steps of 16, and attention.
    """
    rank = {tensor.name: len(tensor.dims) for tensor in graph.initializer}
    before_a_layer: set[str] = set()
    kept = []
    for node in reversed(graph.node):
        product = node.op_type in QUANTISED
        layer = product and rank.get(node.input[1], 0) >= 2
        followed = not before_a_layer.isdisjoint(node.output)
        if product and not (layer and followed):
            kept.append(node.name)
        if layer or followed:
            before_a_layer.update(node.input)
    return kept


class _Slices(CalibrationDataReader):  # type: ignore[misc]
    """Inputs of the slice encoder, a few slices at a time."""

    def __init__(self, series: Sequence[StoredSeries]) -> None:
        parts = [(one, at) for one in series for at in range(0, len(one.stored), _BATCH)]
        self._inputs = (_inputs(one, at) for one, at in parts)

    def get_next(self) -> dict[str, NDArray[np.generic]] | None:
        """The next inputs, None after the last."""
        return next(self._inputs, None)


def _inputs(series: StoredSeries, at: int) -> dict[str, NDArray[np.generic]]:
    stored = series.stored[at : at + _BATCH]
    n = len(stored)
    return {
        "stored": stored,
        "slope": np.full(n, series.slope, np.float32),
        "intercept": np.full(n, series.intercept, np.float32),
        "spacing_mm": np.tile(np.asarray(series.spacing_mm, np.float32), (n, 1)),
    }


def _without_value_info(model: onnx.ModelProto) -> onnx.ModelProto:
    # Shapes noted for one size of slice mislead the quantiser's shape inference on another.
    del model.graph.value_info[:]
    return model


def write_fp16(encoder: Path, out: Path) -> None:
    """Weights and activations in fp16 from the first convolution on; inputs and outputs stay as they are."""
    model = onnx.load(encoder)
    kept = _before_the_network(model.graph)
    half = convert_float_to_float16(_without_value_info(model), keep_io_types=True, node_block_list=sorted(kept))
    _drop_round_trips(half.graph)
    onnx.save(_sorted(_without_value_info(half)), out)


def _before_the_network(graph: onnx.GraphProto) -> set[str]:
    """Names of the nodes on whose outputs the first convolution depends: HU, field, windows."""
    maker = {output: node for node in graph.node for output in node.output}
    first = next(node for node in graph.node if node.op_type == "Conv")
    found: set[str] = set()
    waiting = list(first.input)
    while waiting:
        node = maker.get(waiting.pop())
        if node is not None and node.name not in found:
            found.add(node.name)
            waiting.extend(node.input)
    return found


def _drop_round_trips(graph: onnx.GraphProto) -> None:
    """Takes out casts to fp16 and back, which the converter puts between nodes that both stay in fp32."""
    casts = {node.output[0]: node for node in graph.node if node.op_type == "Cast"}
    wide = {
        output: casts[node.input[0]].input[0]
        for output, node in casts.items()
        if _casts_to(node, onnx.TensorProto.FLOAT)
        and node.input[0] in casts
        and _casts_to(casts[node.input[0]], onnx.TensorProto.FLOAT16)
    }
    given = {value.name for value in graph.output}
    for node in graph.node:
        for place, name in enumerate(node.input):
            node.input[place] = wide.get(name, name)
    for output in wide.keys() & given:  # an output of the graph keeps its name
        casts[output].input[0] = wide[output]
    nodes = [node for node in graph.node if node.output[0] not in wide.keys() - given]
    used = {name for node in nodes for name in node.input} | given
    kept = [node for node in nodes if node.op_type != "Cast" or node.output[0] in used]
    del graph.node[:]
    graph.node.extend(kept)


def _casts_to(node: onnx.NodeProto, kind: int) -> bool:
    return any(attribute.name == "to" and attribute.i == kind for attribute in node.attribute)


def _sorted(model: onnx.ModelProto) -> onnx.ModelProto:
    """Nodes after those that they need, as ONNX demands; the converter puts its casts at the end."""
    nodes, known = list(model.graph.node), {value.name for value in (*model.graph.input, *model.graph.initializer)}
    known.add("")
    done: list[onnx.NodeProto] = []
    while nodes:
        ready = [node for node in nodes if known.issuperset(node.input)]
        known.update(output for node in ready for output in node.output)
        done.extend(ready)
        nodes = [node for node in nodes if not known.issuperset(node.output)]
    del model.graph.node[:]
    model.graph.node.extend(done)
    return model
