"""Writes the bundle of a network that reads several series: three graphs, each checked against it, words, manifest."""

from dataclasses import dataclass
from pathlib import Path

import torch

from models.msvlm.export import MANUFACTURER, device_uid, digest_of, named
from models.msvlm.graphs import GraphExport, report_decoder_export, write_graph
from models.msvlm.rectal.described import facts
from models.msvlm.rectal.encoder import SeriesEncoderGraph
from models.msvlm.rectal.network import SeriesNetwork
from models.msvlm.rectal.runtime import SeriesRuntime
from models.msvlm.rectal.selftest import FILE, write_self_test
from models.msvlm.rectal.structures import NAMES
from pacs_agent.inference.signature import SIGNATURE
from pacs_agent.inference.staging.acquired import PHASES, PLANES, ContrastId, SequenceId
from pacs_agent.inference.staging.manifest import DocumentFile, GraphFile, StagingManifest

INTENDED_USE = "Demonstration and software tests only. Learned from computer-made phantoms. Not for clinical use."
TRAINING_DATA = (
    "Procedurally generated pelvic MR phantoms (models/phantoms/pelvis) with generated masks, labels and reports. "
    "No image of a patient and no human-written report was used."
)


@dataclass(frozen=True)
class Learned:
    """What a bundle says of what it has learned from."""

    intended_use: str = INTENDED_USE
    training_data: str = TRAINING_DATA


def write_series_bundle(network: SeriesNetwork, name: str, bundles: Path, learned: Learned) -> Path:
    """Writes `<name>-<version>/` under `bundles` and gives its path. Raises GraphDiffers, ExportFailed."""
    preset, shape = network.eval().preset, network.preset.network
    folder = bundles / f"{name}-{preset.version}"
    folder.mkdir(parents=True, exist_ok=True)
    graphs = {path.stem: named(path) for path in (write_graph(one, folder) for one in series_graphs(network))}
    words = folder / "tokenizer.json"
    words.write_text(network.vocabulary.to_json() + "\n", encoding="utf-8")
    manifest = StagingManifest(
        name=name,
        version=preset.version,
        manufacturer=MANUFACTURER,
        device_uid=device_uid([graph.sha256 for graph in graphs.values()]),
        intended_use=learned.intended_use,
        training_data=learned.training_data,
        demo=True,
        pixel_mm=shape.pixel_mm,
        field_px=shape.field_px,
        token_width=shape.token_width,
        patch_grid=shape.patch_grid,
        structures=NAMES,
        **facts(network),
        planes=tuple(plane.value for plane in PLANES),
        sequences=tuple(one.name for one in SequenceId),
        contrasts=tuple(one.name for one in ContrastId),
        phases=PHASES,
        max_words=shape.max_words,
        tokenizer=named(words),
        self_test=GraphFile(file=FILE, sha256="0" * 64),  # what it says depends on all of the above
        **graphs,
    )
    self_test = named(write_self_test(folder, SeriesRuntime(folder, manifest, threads=1)))
    _write_manifest(folder, manifest.model_copy(update={"self_test": self_test}))
    return folder


def _write_manifest(folder: Path, manifest: StagingManifest) -> None:
    """Whatever signature was beside it does not fit any more, and goes."""
    (folder / SIGNATURE).unlink(missing_ok=True)
    (folder / "manifest.json").write_text(manifest.model_dump_json(indent=1) + "\n", encoding="utf-8")


def seal_series_bundle(folder: Path) -> StagingManifest:
    """Puts every file that is neither graph nor words nor self-test into the manifest as a document; gives it."""
    manifest = StagingManifest.model_validate_json((folder / "manifest.json").read_bytes())
    graphs = (manifest.slice_encoder, manifest.study_reader, manifest.report_decoder, manifest.tokenizer)
    inside = {"manifest.json", SIGNATURE, *(one.file for one in graphs)}
    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    documents = tuple(
        DocumentFile(file=name, sha256=digest_of(folder / name))
        for name in names
        if name not in inside and not name.startswith("self_test/")
    )
    sealed = manifest.model_copy(update={"documents": documents})
    _write_manifest(folder, sealed)
    return sealed


def series_graphs(network: SeriesNetwork) -> tuple[GraphExport, ...]:
    """The three graphs of a bundle; see `pacs_agent/inference/staging/manifest.py`."""
    return series_encoder_export(network), series_reader_export(network), report_decoder_export(network)


def series_encoder_export(network: SeriesNetwork) -> GraphExport:
    """The slice encoder on stored values of any size."""
    n = {0: "n"}
    example = {
        "stored": torch.randint(0, 2000, (3, 96, 112), dtype=torch.int16),
        "low": torch.full((3,), 20.0),
        "high": torch.full((3,), 1800.0),
        "spacing_mm": torch.full((3, 2), 1.7),
    }
    dimensions = {"stored": {0: "n", 1: "rows", 2: "columns"}, "low": n, "high": n, "spacing_mm": n}
    module = SeriesEncoderGraph(network.encoder, network.preset.network)
    return GraphExport("slice_encoder.onnx", module, example, ("token", "patch_grid"), dimensions)


def series_reader_export(network: SeriesNetwork) -> GraphExport:
    """The study reader on any number of slices of any series."""
    b, length = 2, 7
    axes = torch.tensor([[1.0, 0, 0, 0, 1, 0], [0, 1, 0, 0, 0, -1], [1, 0, 0, 0, 0, -1]])
    ids = {name: torch.zeros(b, length, dtype=torch.int64) for name in ("plane", "sequence", "contrast", "phase")}
    example = {
        "tokens": torch.randn(b, length, network.preset.network.token_width),
        "centre_mm": torch.randn(b, length, 3) * 40.0,
        "orientation": axes[torch.arange(length) % 3].repeat(b, 1, 1),
        **ids,
        "b_value": torch.zeros(b, length),
        "mask": torch.arange(length)[None] < torch.tensor([[length], [length - 2]]),
    }
    dimensions = {name: {0: "b", 1: "L"} for name in example}
    outputs = ("step_logits", "slice_attention", "visual_tokens")
    return GraphExport("study_reader.onnx", network.reader, example, outputs, dimensions)
