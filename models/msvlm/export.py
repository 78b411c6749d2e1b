"""Writes the bundle: graphs in every precision, tokenizer, self-test, grounding test and manifest.

    python -m models.msvlm.export --checkpoint .cache/msvlm/cpu-demo/model.pt --out models/bundles

The bundle is not signed yet: first the evaluation puts its figures and the card beside the graphs, then
`python -m models.msvlm.sign` seals all of it.
"""

import hashlib
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from models.datasets.real_ct import cases_there
from models.msvlm import grounding_studies, selftest
from models.msvlm.graphs import graph_exports, slice_encoder_export, write_graph
from models.msvlm.labels import CONCERN, LABELS
from models.msvlm.network import Network, OperatingPoint, load_network
from models.msvlm.quantise import Calibration, calibration_slices, write_variants
from models.msvlm.reader import StudyReader
from models.phantoms.findings import ATTRIBUTE_NAMES, DESCRIBABLE, Finding
from models.phantoms.wording import GRADES
from pacs_agent.imaging.series import Plane
from pacs_agent.inference.manifest import AcceptedInput, FindingEntry, GraphFile, Graphs, Grounding, Manifest, Variant

MANUFACTURER = "PACS Agent project"
INTENDED_USE = "Demonstration and software tests only. Learned from computer-made phantoms. Not for clinical use."
TRAINING_DATA = (
    "Procedurally generated thorax CT phantoms (models/phantoms) with generated masks, labels and reports. "
    "No human-written report was used."
)
WITH_REAL_SCANS = " Also generated lesions implanted into open chest CTs of patients, credited in MODEL_CARD.md."


def write_bundle(network: Network, bundles: Path, calibration: Calibration | None = None) -> Path:
    """Writes `<name>-<version>/` under `bundles`, unsigned, and gives its path.

    `calibration` are the slices that fix the ranges of int8; by default of real CTs where they are, else of phantoms.
    The same network and calibration give the same bytes. Raises GraphDiffers.
    """
    folder = bundles / f"{network.preset.name}-{network.preset.version}"
    folder.mkdir(parents=True, exist_ok=True)
    graphs = {path.stem: named(path) for path in (write_graph(one, folder) for one in graph_exports(network))}
    with tempfile.TemporaryDirectory() as scratch:
        for_gpu = write_graph(slice_encoder_export(network, in_blocks=False), Path(scratch))
        made = write_variants(folder / graphs["slice_encoder"].file, for_gpu, calibration or calibration_slices())
    variants = {precision: Variant(**named(path).model_dump(), made=how) for precision, (path, how) in made.items()}
    (folder / "tokenizer.json").write_text(network.tokenizer.to_json(), encoding="utf-8")
    grounding = named(grounding_studies.write_grounding(folder))
    manifest = Manifest(
        **_facts(network),
        device_uid=device_uid([graph.sha256 for graph in (*graphs.values(), *variants.values())]),
        graphs=Graphs(**graphs),
        variants=variants,
        tokenizer=named(folder / "tokenizer.json"),
        self_test=GraphFile(file=selftest.FILE, sha256="0" * 64),  # what it says depends on all of the above
        grounding=Grounding(**grounding.model_dump(), margin=grounding_studies.MARGIN),
    )
    self_test = named(selftest.write_self_test(folder, manifest))
    write_manifest(folder, manifest.model_copy(update={"self_test": self_test}))
    return folder


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Writes `manifest.json`; whatever signature was beside it does not fit any more, and goes."""
    (folder / "manifest.sig").unlink(missing_ok=True)
    (folder / "manifest.json").write_text(
        json.dumps(manifest.model_dump(mode="json"), indent=1) + "\n", encoding="utf-8"
    )


def named(path: Path) -> GraphFile:
    """Name and SHA-256 of a file of the bundle."""
    return GraphFile(file=path.name, sha256=digest_of(path))


def digest_of(path: Path) -> str:
    """SHA-256 of a file's bytes."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def device_uid(digests: Sequence[str]) -> str:
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


def finding_entries(points: Sequence[OperatingPoint]) -> tuple[FindingEntry, ...]:
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
            applies=applicable(label.key),
            grades=GRADES[label.key],
            concern=CONCERN[label.key],
            points={"side": point.side_from, "lobe": point.lobe_from},
        )
        for label, point in zip(LABELS, points, strict=True)
    )


def applicable(finding: Finding) -> frozenset[str]:
    """Which attributes are said of a finding."""
    can = DESCRIBABLE[finding]
    has = {"side": can.sides, "lobe": can.lobes, "grade": can.grade, "count": can.count}
    return frozenset(name for name, applies in has.items() if applies)


def blank_token(reader: StudyReader) -> tuple[float, ...]:
    """The token that stands for a slice of which nothing is known: the learned mask token, in units of tokens [d]."""
    token = reader.token_mean + reader.token_std * reader.mask_token
    return tuple(round(value, 6) for value in token.tolist())


def _facts(network: Network) -> dict[str, Any]:
    """What the manifest says of the model beside its files."""
    preset, shape = network.preset, network.preset.network
    return {
        "schema_version": 2,
        "task": "report",
        "name": preset.name,
        "version": preset.version,
        "manufacturer": MANUFACTURER,
        "intended_use": INTENDED_USE,
        "training_data": TRAINING_DATA + (WITH_REAL_SCANS if preset.data.implanted and cases_there() else ""),
        "demo": True,
        "accepts": accepted_input(),
        "windows_hu": shape.windows_hu,
        "pixel_mm": shape.pixel_mm,
        "field_px": shape.field_px,
        "token_width": shape.token_width,
        "patch_grid": shape.patch_grid,
        "findings": finding_entries(network.points),
        "attributes": ATTRIBUTE_NAMES,
        "blank_token": blank_token(network.reader),
        "max_words": shape.max_words,
    }


@click.command()
@click.option("--checkpoint", type=click.Path(path_type=Path, exists=True), required=True, help="model.pt of a run.")
@click.option("--out", type=click.Path(path_type=Path), default=Path("models/bundles"), show_default=True)
def main(checkpoint: Path, out: Path) -> None:
    """Exports a trained network as a bundle, unsigned."""
    click.echo(write_bundle(load_network(checkpoint), out))


if __name__ == "__main__":
    main()
