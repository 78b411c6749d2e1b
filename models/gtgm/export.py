"""Writes the bundle of a fine-tuned thorax segmenter: graph, self-test, figures, card, manifest.

    python -m models.gtgm.export --segmenter .cache/gtgm/finetuned/gtgm-thorax-demo/segmenter.pt --out models/bundles
    python -m models.msvlm.sign --bundle models/bundles/gtgm-thorax-demo-0.1.0 --single-use

The graph is that of `pacs_agent/inference/segmenter_manifest.py`: windows and scaling are inside, values are HU on the
grid. What it outlines is in `models.gtgm.structures`; `--without nodule_or_mass` leaves out what it does not do well.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import torch
from torch import Tensor, nn

from models.gtgm.card import write_card
from models.gtgm.finetune.heads import Segmenter, load_segmenter
from models.gtgm.finetune.preset import SegmenterPreset
from models.gtgm.finetune.thorax import PATCH_IN_USE
from models.gtgm.judged import InUse, judged
from models.gtgm.selftest import FILE as SELF_TEST_FILE
from models.gtgm.selftest import write_self_test
from models.gtgm.steady_norm import steady
from models.gtgm.structures import STRUCTURES, Outline, UnknownStructure, background_of, structures_without
from models.msvlm.export import MANUFACTURER, accepted_input, device_uid, digest_of, named
from models.msvlm.graphs import GraphExport, write_graph
from pacs_agent.inference.manifest import DocumentFile, GraphFile
from pacs_agent.inference.segmenter_manifest import (
    SegmenterGraphs,
    SegmenterGrid,
    SegmenterManifest,
)

GRAPH = "segmenter.onnx"
INTENDED_USE = "Demonstration and software tests only. Learned from computer-made lesions. Not for clinical use."


class SegmenterGraph(nn.Module):
    """`patch` f32 [n, 1, d, h, w] → `probabilities` f32 [n, 1 + C, d, h, w] of the structures, background first."""

    def __init__(self, network: Segmenter, structures: Sequence[Outline]) -> None:
        super().__init__()
        self.network = steady(network)
        self.classes = (background_of(structures), *(one.classes for one in structures))

    def forward(self, patch: Tensor) -> tuple[Tensor]:
        """A structure's share is the sum of those of its classes."""
        shares = self.network.probabilities(patch)
        return (torch.cat([shares[:, list(of)].sum(1, keepdim=True) for of in self.classes], dim=1),)


def segmenter_export(
    network: Segmenter, patch: tuple[int, int, int], structures: Sequence[Outline] = STRUCTURES
) -> GraphExport:
    """The graph of a network for patches of one size; only their number is free."""
    example = {"patch": torch.empty(2, 1, *patch).uniform_(-1000.0, 600.0)}
    graph = SegmenterGraph(network, structures)
    return GraphExport(GRAPH, graph, example, ("probabilities",), {"patch": {0: "n"}})


def write_bundle(
    path: Path,
    bundles: Path,
    tests: int,
    cache: Path,
    patch: tuple[int, int, int] = PATCH_IN_USE,
    without: Sequence[str] = (),
) -> Path:
    """Writes `<name>-<version>/` of a kept segmenter under `bundles`, unsigned, and gives its path.

    `tests` phantoms that it has not seen judge it, and also what is left out: `without`, keys of structures. The same
    segmenter gives the same bytes. Raises GraphDiffers, UnknownStructure.
    """
    structures = structures_without(without)
    network, trained = load_segmenter(path)
    preset = SegmenterPreset.model_validate(trained["preset"])
    folder = bundles / f"{preset.name}-{preset.version}"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "manifest.sig").unlink(missing_ok=True)
    torch.manual_seed(0)
    graph = named(write_graph(segmenter_export(network, patch, structures), folder))
    write_self_test(folder, structures, preset, patch, cache)
    figures = judged(network, preset, trained, tests, cache, InUse(patch, structures))
    (folder / "evaluation.json").write_text(json.dumps(figures, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    write_card(folder, preset, figures)
    write_manifest(folder, manifest_of(folder, preset, figures, graph, InUse(patch, structures)))
    return folder


def manifest_of(
    folder: Path, preset: SegmenterPreset, figures: dict[str, Any], graph: GraphFile, use: InUse
) -> SegmenterManifest:
    """The manifest of what lies in a folder; its documents are named when it is sealed."""
    return SegmenterManifest(
        schema_version=1,
        task="segment",
        name=preset.name,
        version=preset.version,
        manufacturer=MANUFACTURER,
        device_uid=device_uid([graph.sha256]),
        intended_use=INTENDED_USE,
        training_data=figures["learned_from"],
        demo=True,
        accepts=accepted_input(),
        grid=SegmenterGrid(spacing_mm=preset.spacing_mm, patch=use.patch, overlap=preset.overlap),
        structures=tuple(one.entry for one in use.structures),
        graphs=SegmenterGraphs(segmenter=graph),
        self_test=GraphFile(file=SELF_TEST_FILE, sha256=digest_of(folder / "self_test" / SELF_TEST_FILE)),
    )


def write_manifest(folder: Path, manifest: SegmenterManifest) -> None:
    """Writes `manifest.json`; whatever signature was beside it does not fit any more, and goes."""
    (folder / "manifest.sig").unlink(missing_ok=True)
    (folder / "manifest.json").write_text(
        json.dumps(manifest.model_dump(mode="json"), indent=1) + "\n", encoding="utf-8"
    )


def seal_segmenter(folder: Path) -> SegmenterManifest:
    """Puts every file that is neither graph nor self-test into the manifest as a document; gives it."""
    manifest = SegmenterManifest.model_validate_json((folder / "manifest.json").read_bytes())
    inside = {manifest.graphs.segmenter.file, "manifest.json", "manifest.sig"}
    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    documents = tuple(
        DocumentFile(file=name, sha256=digest_of(folder / name))
        for name in names
        if name not in inside and not name.startswith("self_test/")
    )
    sealed = manifest.model_copy(update={"documents": documents})
    write_manifest(folder, sealed)
    return sealed


@click.command()
@click.option("--segmenter", type=click.Path(path_type=Path, exists=True), required=True, help="segmenter.pt of a run.")
@click.option("--out", type=click.Path(path_type=Path), default=Path("models/bundles"), show_default=True)
@click.option("--tests", type=int, default=16, show_default=True, help="Phantoms that judge it.")
@click.option("--cache", type=click.Path(path_type=Path), default=Path(".cache/gtgm/labelled"), show_default=True)
@click.option(
    "--without",
    multiple=True,
    type=click.Choice([one.entry.key for one in STRUCTURES]),
    help="A structure that it does not do well enough; may be given more than once.",
)
def main(segmenter: Path, out: Path, tests: int, cache: Path, without: tuple[str, ...]) -> None:
    """Exports a fine-tuned segmenter as a bundle, unsigned."""
    try:
        click.echo(write_bundle(segmenter, out, tests, cache, without=without))
    except UnknownStructure as error:
        raise click.UsageError(str(error)) from error


if __name__ == "__main__":
    main()
