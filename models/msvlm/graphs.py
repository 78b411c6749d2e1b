"""The three ONNX graphs of a network, each checked against it.

Inputs and outputs are those of `pacs_agent/inference/manifest.py`. The same network gives the same bytes.
"""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from models.msvlm.decoder import DecoderGraph
from models.msvlm.encoder import SliceEncoderGraph
from models.msvlm.network import Network
from models.msvlm.runtime import session

OPSET = 18
PARITY = 1e-4
"""Largest error of a graph against the network it came from, in fp32."""


@dataclass(frozen=True)
class GraphDiffers(Exception):
    """An exported graph does not compute what the network computes."""

    file: str
    output: str
    error: float

    def __str__(self) -> str:
        return f"{self.file}: output {self.output} differs by {self.error:.2e} (allowed: {PARITY}); do not ship it"


class ExportFailed(Exception):
    """torch gave no graph."""


@dataclass(frozen=True)
class GraphExport:
    """A module with example inputs and the names of its dynamic dimensions."""

    file: str
    module: nn.Module
    example: dict[str, Tensor]
    outputs: tuple[str, ...]
    dimensions: dict[str, dict[int, str]]


def graph_exports(network: Network) -> tuple[GraphExport, ...]:
    """The three graphs of a bundle."""
    return slice_encoder_export(network), study_reader_export(network), report_decoder_export(network)


def slice_encoder_export(network: Network, *, in_blocks: bool = True) -> GraphExport:
    """The slice encoder on stored values of any size; `in_blocks` for the CPU, see `SliceEncoderGraph`."""
    example = {
        "stored": torch.randint(-1000, 1000, (3, 96, 112), dtype=torch.int16),
        "slope": torch.ones(3),
        "intercept": torch.full((3,), -24.0),
        "spacing_mm": torch.full((3, 2), 3.0),
    }
    n = {0: "n"}
    dimensions = {"stored": {0: "n", 1: "rows", 2: "columns"}, "slope": n, "intercept": n, "spacing_mm": n}
    module = SliceEncoderGraph(network.encoder, network.preset.network, in_blocks=in_blocks)
    return GraphExport("slice_encoder.onnx", module, example, ("token", "patch_grid", "field_centre_px"), dimensions)


def study_reader_export(network: Network) -> GraphExport:
    """The study reader on any number of slices."""
    b, length, d = 2, 7, network.preset.network.token_width
    ids = {name: torch.zeros(b, length, dtype=torch.int64) for name in ("plane", "sequence", "phase")}
    example = {
        "tokens": torch.randn(b, length, d),
        "z_mm": torch.arange(length, dtype=torch.float32).repeat(b, 1) * 5.0,
        **ids,
        "mask": torch.ones(b, length, dtype=torch.bool),
    }
    outputs = ("finding_logits", "slice_weights", "slice_attention", "attribute_logits", "visual_tokens")
    dimensions = {name: {0: "b", 1: "L"} for name in example}
    return GraphExport("study_reader.onnx", network.reader, example, outputs, dimensions)


def report_decoder_export(network: Network) -> GraphExport:
    """One step of the decoder from a cache of any length, none included."""
    shape = network.preset.network
    b, t = 2, 3
    layers, _, heads, _, width = network.decoder.empty_cache(b)[0].shape
    past = torch.randn(layers, b, heads, t, width)
    example = {
        "word": torch.zeros(b, 1, dtype=torch.int64),
        "visual_tokens": torch.randn(b, shape.visual_tokens, shape.visual_width),
        "past_keys": past,
        "past_values": past.clone(),
    }
    cache = {1: "b", 3: "t"}
    dimensions = {"word": {0: "b"}, "visual_tokens": {0: "b"}, "past_keys": cache, "past_values": cache}
    module = DecoderGraph(network.decoder)
    return GraphExport("report_decoder.onnx", module, example, ("logits", "keys", "values"), dimensions)


def write_graph(export: GraphExport, folder: Path) -> Path:
    """Exports one graph with its weights inside the file. Raises GraphDiffers, ExportFailed."""
    shapes = {name: dict.fromkeys(export.dimensions.get(name, {}), torch.export.Dim.DYNAMIC) for name in export.example}
    program = torch.onnx.export(
        export.module.eval(),
        tuple(export.example.values()),
        input_names=list(export.example),
        output_names=list(export.outputs),
        dynamic_shapes=tuple(shapes.values()),
        opset_version=OPSET,
        dynamo=True,
        external_data=False,
        verbose=False,
    )
    if program is None:
        raise ExportFailed(export.file)
    path = folder / export.file
    onnx.save(_named(_without_traces(program.model_proto), export.dimensions), path)
    check_parity(export, path)
    return path


def check_parity(export: GraphExport, path: Path) -> None:
    """Runs the written graph on the example. Raises GraphDiffers where it leaves the network by PARITY or more."""
    with torch.no_grad():
        expected = export.module(*export.example.values())
    given = session(path).run(None, as_numpy(export.example))
    for name, ours, theirs in zip(export.outputs, expected, given, strict=True):
        error = float(np.abs(ours.numpy() - theirs).max())
        if not error < PARITY:
            raise GraphDiffers(export.file, name, error)


def _without_traces(model: onnx.ModelProto) -> onnx.ModelProto:
    # Exporter metadata holds source paths of the exporting machine; the graph's bytes must not depend on it.
    for node in model.graph.node:
        del node.metadata_props[:]
        node.doc_string = ""
    for value in (*model.graph.input, *model.graph.output, *model.graph.initializer):
        del value.metadata_props[:]
    del model.graph.metadata_props[:], model.metadata_props[:], model.graph.value_info[:]
    return model


def _named(model: onnx.ModelProto, dimensions: dict[str, dict[int, str]]) -> onnx.ModelProto:
    """The exporter numbers free dimensions; here they get the names of `manifest.py`."""
    names: dict[str, str] = {}
    for value in model.graph.input:
        for axis, name in dimensions.get(value.name, {}).items():
            names[value.type.tensor_type.shape.dim[axis].dim_param] = name
    for value in (*model.graph.input, *model.graph.output):
        for dimension in value.type.tensor_type.shape.dim:
            if dimension.dim_param:
                dimension.dim_param = re.sub(r"s\d+", lambda found: names.get(found[0], found[0]), dimension.dim_param)
    return model


def as_numpy(example: dict[str, Tensor]) -> dict[str, NDArray[np.generic]]:
    """Inputs for onnxruntime."""
    return {name: value.numpy() for name, value in example.items()}
