"""The facts of an ordered series that every later room uses. Geometry is in mm in the patient coordinate system."""

from enum import StrEnum
from pathlib import Path

from pydantic import BaseModel, ConfigDict


class Plane(StrEnum):
    """Plane of acquisition, by geometry alone."""

    AXIAL = "axial"
    SAGITTAL = "sagittal"
    CORONAL = "coronal"
    OBLIQUE = "oblique"


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True)


class Slice(_Frozen):
    """One slice: a single-frame instance or one frame of an enhanced one (`frame_number` from 1, PS3.3 10.3).

    Geometry and rescale belong to the array that `read_slices` gives: laid out for reading (the patient's left to the
    right of the image, head or front up) and in int16. A file that is stored otherwise has other values in its header.
    """

    path: Path
    sop_instance_uid: str
    sop_class_uid: str
    frame_number: int | None
    z_mm: float
    """Position along the slice normal; grows towards the head (axial), left (sagittal), posterior (coronal)."""
    position_mm: tuple[float, float, float]
    """Centre of the first pixel. PS3.3 C.7.6.2.1.1."""
    orientation: tuple[float, float, float, float, float, float]
    rows: int
    columns: int
    spacing_mm: tuple[float, float]
    """Between rows, between columns. PS3.3 10.7.1.3."""
    slope: float
    intercept: float
    """HU or intensity = slope × value + intercept; includes the shift of unsigned 16-bit values into int16."""


class OrderedSeries(_Frozen):
    """Slices of one series in ascending z. Index i of every per-slice array in the agent is slice i of this list."""

    study_instance_uid: str
    series_instance_uid: str
    frame_of_reference_uid: str
    """Empty when the images name none, or each its own."""
    modality: str
    plane: Plane
    description: str
    body_part: str
    slices: tuple[Slice, ...]

    @property
    def thickness_mm(self) -> float:
        """Median distance of neighbouring slices in mm; 0 for a single slice."""
        gaps = sorted(b.z_mm - a.z_mm for a, b in zip(self.slices, self.slices[1:], strict=False))
        return gaps[len(gaps) // 2] if gaps else 0.0
