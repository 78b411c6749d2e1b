"""Writes the bundle: three ONNX graphs, tokenizer, self-test and manifest.

    python -m models.msvlm.export --checkpoint .cache/msvlm/cpu-demo/model.pt --out models/bundles

Inputs and outputs of the graphs are those of `pacs_agent/inference/manifest.py`.
"""

import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from models.msvlm.decoder import DecoderGraph
from models.msvlm.encoder import SliceEncoderGraph
from models.msvlm.labels import LABELS
from models.msvlm.network import Network, OperatingPoint, load_network
from models.msvlm.preset import Preset
from models.msvlm.runtime import session
from models.msvlm.selftest import write_self_test
from pacs_agent.imaging.series import Plane
from pacs_agent.inference.manifest import AcceptedInput, FindingEntry, GraphFile, Graphs, Manifest

OPSET = 18
MANUFACTURER = "PACS Agent project"
INTENDED_USE = "Demonstration and software tests only. Learned from computer-made phantoms. Not for clinical use."
TRAINING_DATA = (
    "Procedurally generated thorax CT phantoms (models/phantoms) with generated masks, labels and reports. "
    "No patient image and no human-written report was used."
)


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


@dataclass(frozen=True)
class GraphExport:
    """A module with example inputs and the names of its dynamic dimensions."""

    file: str
    module: nn.Module
    example: dict[str, Tensor]
    outputs: tuple[str, ...]
    dimensions: dict[str, dict[int, str]]


def slice_encoder_export(network: Network) -> GraphExport:
    """The slice encoder on stored values of any size."""
    example = {
        "stored": torch.randint(-1000, 1000, (3, 96, 112), dtype=torch.int16),
        "slope": torch.ones(3),
        "intercept": torch.full((3,), -24.0),
        "spacing_mm": torch.full((3, 2), 3.0),
    }
    n = {0: "n"}
    dimensions = {"stored": {0: "n", 1: "rows", 2: "columns"}, "slope": n, "intercept": n, "spacing_mm": n}
    module = SliceEncoderGraph(network.encoder, network.preset.network)
    return GraphExport("slice_encoder.onnx", module, example, ("token", "patch_grid"), dimensions)


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
    outputs = ("finding_logits", "slice_weights", "visual_tokens")
    dimensions = {name: {0: "b", 1: "L"} for name in example}
    return GraphExport("study_reader.onnx", network.reader, example, outputs, dimensions)


def report_decoder_export(network: Network) -> GraphExport:
    """One step of the decoder from a cache of any length, none included."""
    shape = network.preset.network
    heads, b, t = shape.decoder_heads, 2, 3
    past = torch.randn(shape.decoder_blocks, b, heads, t, shape.visual_width // heads)
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


def write_graph(export: GraphExport, folder: Path) -> GraphFile:
    """Exports one graph with its weights inside the file and gives its name and digest."""
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
    path = folder / export.file
    onnx.save(_named(_without_traces(program.model_proto), export.dimensions), path)
    check_parity(export, path)
    return graph_file(path)


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


def graph_file(path: Path) -> GraphFile:
    """Name and SHA-256 of a file of the bundle."""
    return GraphFile(file=path.name, sha256=hashlib.sha256(path.read_bytes()).hexdigest())


def device_uid(digests: list[str]) -> str:
    """A UID for this trained version, PS3.5 B.2 form: a new one whenever a graph changes."""
    number = int(hashlib.sha256("".join(digests).encode()).hexdigest()[:32], 16)
    return f"2.25.{number}"


def accepted_input() -> AcceptedInput:
    """Axial chest CT."""
    return AcceptedInput(
        modalities=("CT",),
        body_parts=("CHEST", "THORAX", "LUNG"),
        planes=(Plane.AXIAL,),
        min_slices=20,
        max_slices=1000,
        min_thickness_mm=0.4,
        max_thickness_mm=6.0,
        min_coverage_mm=150.0,
    )


def finding_entries(points: tuple[OperatingPoint, ...]) -> tuple[FindingEntry, ...]:
    """The label table with calibration and operating points, in the order of the graphs' finding axis."""
    return tuple(
        FindingEntry(
            key=label.key.value,
            name=label.name,
            code=label.code,
            site=label.site,
            scale=point.scale,
            bias=point.bias,
            operating_point=point.operating_point,
            uncertain_from=point.uncertain_from,
        )
        for label, point in zip(LABELS, points, strict=True)
    )


def _manifest(preset: Preset, findings: tuple[FindingEntry, ...], files: dict[str, GraphFile]) -> Manifest:
    network = preset.network
    return Manifest(
        schema_version=1,
        task="report",
        name=preset.name,
        version=preset.version,
        manufacturer=MANUFACTURER,
        device_uid=device_uid([file.sha256 for file in files.values()]),
        intended_use=INTENDED_USE,
        training_data=TRAINING_DATA,
        demo=True,
        accepts=accepted_input(),
        windows_hu=network.windows_hu,
        pixel_mm=network.pixel_mm,
        field_px=network.field_px,
        token_width=network.token_width,
        patch_grid=network.patch_grid,
        findings=findings,
        graphs=Graphs(**{name: files[name] for name in ("slice_encoder", "study_reader", "report_decoder")}),
        tokenizer=files["tokenizer"],
        self_test=files["self_test"],
        max_words=network.max_words,
    )


def write_bundle(network: Network, bundles: Path) -> Path:
    """Writes `<name>-<version>/` under `bundles` and gives its path. The same network gives the same bytes."""
    folder = bundles / f"{network.preset.name}-{network.preset.version}"
    folder.mkdir(parents=True, exist_ok=True)
    exports = (slice_encoder_export(network), study_reader_export(network), report_decoder_export(network))
    files = {export.file.removesuffix(".onnx"): write_graph(export, folder) for export in exports}
    (folder / "tokenizer.json").write_text(network.tokenizer.to_json())
    findings = finding_entries(network.points)
    files["tokenizer"] = graph_file(folder / "tokenizer.json")
    files["self_test"] = graph_file(write_self_test(folder, findings))
    manifest = _manifest(network.preset, findings, files)
    (folder / "manifest.json").write_text(json.dumps(manifest.model_dump(mode="json"), indent=1) + "\n")
    return folder


def as_numpy(example: dict[str, Tensor]) -> dict[str, NDArray[np.generic]]:
    """Inputs for onnxruntime."""
    return {name: value.numpy() for name, value in example.items()}


@click.command()
@click.option("--checkpoint", type=click.Path(path_type=Path, exists=True), required=True, help="model.pt of a run.")
@click.option("--out", type=click.Path(path_type=Path), default=Path("models/bundles"), show_default=True)
def main(checkpoint: Path, out: Path) -> None:
    """Exports a trained network as a bundle."""
    click.echo(write_bundle(load_network(checkpoint), out))


if __name__ == "__main__":
    main()
