"""Case studies: what a segmenter's bundle outlines in the open real chest CTs, beside what readers outlined.

    python -m models.gtgm.evaluate.realcases --bundle models/bundles/gtgm-thorax-demo-0.1.0 --out build/gtgm

Three patients, so no figure can come of it. One of them lent training its background, without the lesion that is looked
at here. Scans are taken at the voxels of the collection and compared on the bundle's grid.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from models.datasets.nifti_pairs import read_nifti_array
from models.datasets.real_ct import SHARED_DATA, Volume, read_dicom_archive, read_nifti
from models.gtgm.finetune.metrics import dice, hd95_mm
from models.msvlm.runtime import session
from pacs_agent.imaging.regrid import Lattice, even_lattice, grid_over, onto_grid
from pacs_agent.inference.segment import Network, Windows, body_of, probabilities_of
from pacs_agent.inference.segmented_regions import Midline, regions_of
from pacs_agent.inference.segmenter_manifest import SegmenterManifest

READERS = 2
"""Readers, of four, who must have outlined a voxel."""
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Case:
    """A patient: where the scan and the outline lie, and which structure is looked at."""

    scan: str
    known: str
    structure: str
    outline: str = ""
    in_training: bool = False


CASES = (
    Case(
        "ct_dicom/LIDC-IDRI-0001_CT.tar.xz",
        "spiculated mass in the left lower lobe",
        "nodule_or_mass",
        "lidc/LIDC-IDRI-0001_nodule_readercount_native.nii.gz",
        in_training=True,
    ),
    Case(
        "ct_nifti/LIDC-IDRI-0314_CT_chest_1.25x1.25x1.5.nii.gz",
        "nodule in the right upper lobe",
        "nodule_or_mass",
        "lidc/LIDC-IDRI-0314_nodule_readercount_1.25x1.25x1.5.nii.gz",
    ),
    Case(
        "ct_nifti/RIDER-Pilot-0109_CT_chest_contrast_1.25x1.25x5.nii.gz",
        "large right effusion and opacities; no outline",
        "pleural_effusion",
    ),
)


def studied(case: Case, bundle: Path, folder: Path = SHARED_DATA) -> dict[str, Any]:
    """What the bundle outlines in a case: regions as the agent shows them, and the agreement with readers' outlines.

    A structure that the bundle does not outline is compared with nothing.
    """
    manifest = SegmenterManifest.model_validate_json((bundle / "manifest.json").read_bytes())
    path = folder / case.scan
    volume = read_dicom_archive(path) if path.name.endswith(".tar.xz") else read_nifti(path)
    source = _lattice(volume)
    grid = grid_over(source, manifest.grid.spacing_mm)
    values = onto_grid(volume.hu, source, grid)
    windows = Windows(manifest.grid.patch, manifest.grid.overlap)
    body = body_of(values)
    found = probabilities_of(values, _network(bundle), 1 + len(manifest.structures), windows, body)
    keys = [one.key for one in manifest.structures]
    facts: dict[str, Any] = {
        "scan": case.scan,
        "known": case.known,
        "background_in_training": case.in_training,
        "regions": [
            {"structure": one.structure.key, "side": one.side, "ml": round(float(one.crop.sum() * source.voxel_ml), 1)}
            for one in regions_of(found, source, grid, manifest.structures, _midline(body))
        ],
    }
    if case.structure not in keys:
        return facts | {"not_outlined": case.structure}
    if case.outline:
        outline = _outline(folder / case.outline, grid, volume)
        of_case = found.argmax(0) == 1 + keys.index(case.structure)
        facts |= beside(of_case, outline, manifest.grid.spacing_mm, grid.voxel_ml)
    return facts


def _midline(body: Mask) -> Midline:
    """Columns run to the patient's left; the middle is that of the body."""
    along = body.sum(axis=(0, 1), dtype=np.float64)
    return Midline(axis=2, to_left=True, index=float(along @ np.arange(len(along)) / along.sum()))


def beside(found: Mask, outline: Mask, spacing_mm: tuple[float, float, float], voxel_ml: float) -> dict[str, Any]:
    """The found piece that overlaps the outline most, beside it; pieces elsewhere are counted."""
    pieces, count = ndimage.label(found, np.ones((3, 3, 3)))
    within = np.bincount(pieces[outline], minlength=count + 1)[1:]
    piece = pieces == 1 + int(within.argmax()) if within.any() else np.zeros_like(found)
    return {
        "outlined_ml": round(float(outline.sum() * voxel_ml), 2),
        "found_ml": round(float(piece.sum() * voxel_ml), 2),
        "dice": round(dice(piece, outline), 3),
        "hd95_mm": round(hd95_mm(piece, outline, spacing_mm), 1) if piece.any() else None,
        "pieces_elsewhere": count - int(piece.any()),
    }


def _outline(path: Path, grid: Lattice, volume: Volume) -> Mask:
    """Where enough readers agree, on the grid; the outline has the scan's own voxels."""
    readers = read_nifti_array(path).voxels
    if readers.shape != volume.hu.shape:
        raise ValueError(f"{path} has the shape {readers.shape}, its scan {volume.hu.shape}")
    mask: Mask = onto_grid(readers >= READERS, _lattice(volume), grid) > 0.5
    return mask


def _lattice(volume: Volume) -> Lattice:
    rows, columns = even_lattice(volume.hu.shape, (1.0, *volume.spacing_mm)).axes[1:]
    z_mm = volume.z_mm.astype(np.float64)
    return Lattice(z_mm - z_mm[0], rows, columns)


def _network(bundle: Path) -> Network:
    graph = session(bundle / "segmenter.onnx")

    def run(patches: NDArray[np.float32]) -> NDArray[np.float32]:
        (probabilities,) = graph.run(None, {"patch": patches})
        return np.asarray(probabilities)

    return run


@click.command()
@click.option("--bundle", type=click.Path(path_type=Path, exists=True, file_okay=False), required=True)
@click.option("--out", type=click.Path(path_type=Path), default=Path("build/gtgm"), show_default=True)
def main(bundle: Path, out: Path) -> None:
    """Segments the real scans that are there and writes real_cases.json."""
    cases = [studied(case, bundle) for case in CASES if (SHARED_DATA / case.scan).is_file()]
    out.mkdir(parents=True, exist_ok=True)
    (out / "real_cases.json").write_text(json.dumps(cases, indent=1) + "\n", encoding="utf-8")
    click.echo(json.dumps(cases, indent=1))


if __name__ == "__main__":
    main()
