"""Pelvic MR phantoms for the comparison: the axial T2 series of each, on an even grid, with larger structures."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.gtgm.evaluate.code import PELVIS, digest_of
from models.gtgm.finetune.examples import Example
from models.gtgm.volume import LabelledVolume, Modality
from models.phantoms.pelvis import Tissue, generate_pelvis
from pacs_agent.imaging.regrid import even_lattice, grid_over, onto_grid

STRUCTURES: dict[str, tuple[Tissue, ...]] = {
    "bladder": (Tissue.URINE, Tissue.BLADDER_WALL),
    "bone": (Tissue.MARROW, Tissue.CORTICAL_BONE),
    "mesorectal fat": (Tissue.MESORECTAL_FAT, Tissue.MESORECTAL_FASCIA, Tissue.PERITONEUM),
    "rectum": (
        *(Tissue.RECTAL_GAS, Tissue.RECTAL_CONTENT, Tissue.SUBMUCOSA, Tissue.MUSCULARIS),
        *(Tissue.INTERNAL_SPHINCTER, Tissue.INTERSPHINCTERIC_FAT, Tissue.EXTERNAL_SPHINCTER),
    ),
    "tumour": (Tissue.TUMOUR, Tissue.EMVI),
}
NAMES = ("background", *STRUCTURES)
GRID_MM = (3.0, 3.0, 3.0)
FINENESS, VOXEL_MM = 0.4, 2.0
"""Finer images would be made coarser again by the grid."""


def pelvis_volume(seed: int) -> LabelledVolume:
    """The axial T2 series of the phantom of a seed, with NAMES as its structures; every phantom is a patient.

    The slices lean back with the rectum: axes run to head, back and left, turned by at most 22 degrees.
    """
    series = generate_pelvis(seed, fineness=FINENESS, voxel_mm=VOXEL_MM).one("t2_axial")
    geometry = series.geometry
    spacing = geometry.distance_mm, geometry.pixel_mm, geometry.pixel_mm
    start = even_lattice(series.pixels.shape, spacing)
    end = grid_over(start, GRID_MM)
    shares = [onto_grid(mask, start, end) for mask in _masks(series.labels)]
    return LabelledVolume(
        values=onto_grid(series.pixels.astype(np.float32), start, end),
        spacing_mm=GRID_MM,
        modality=Modality.MR,
        sequence="T2",
        patient=f"pelvis-{seed}",
        study=f"pelvis-{seed}",
        source="pelvis phantoms",
        labels=np.stack(shares).argmax(0).astype(np.uint8),
        names=NAMES,
    )


def _masks(tissues: NDArray[np.uint8]) -> list[NDArray[np.bool_]]:
    """Of the background and of every structure."""
    found = [np.isin(tissues, [int(tissue) for tissue in of]) for of in STRUCTURES.values()]
    return [~np.any(found, axis=0), *found]


@dataclass(frozen=True)
class PelvisPhantoms:
    """Pelvic MR phantoms of consecutive seeds as volumes without labels."""

    count: int
    first_seed: int
    name: str = "pelvis phantoms"

    def __len__(self) -> int:
        return self.count

    def volume(self, index: int) -> LabelledVolume:
        """The phantom of a seed."""
        return pelvis_volume(self.first_seed + index)


def kept_pelvis(seed: int, cache: Path, make: Callable[[int], LabelledVolume] = pelvis_volume) -> Example:
    """The phantom as an example, from the cache where it is there."""
    path = cache / f"pelvis-{digest_of(PELVIS)}" / f"{seed}.npz"
    if not path.is_file():
        made = Example.of(make(seed))
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_suffix(".part.npz")
        np.savez(draft, values=made.values.astype(np.float16), labels=made.labels)
        draft.replace(path)
    with np.load(path) as arrays:
        return Example(arrays["values"].astype(np.float32), arrays["labels"], Modality.MR)
