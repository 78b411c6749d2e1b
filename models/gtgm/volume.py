"""One 3D image as GTGM sees it, and one with the structure of every voxel."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from pacs_agent.imaging.measure import voxel_ml


class UnusableVolume(ValueError):
    """An array that cannot be taken as a volume; says which of its properties is wrong."""


class Modality(StrEnum):
    """How a volume was taken; the values are DICOM's (PS3.3 C.7.3.1.1.1) and EM for electron microscopy."""

    CT = "CT"
    MR = "MR"
    EM = "EM"


@dataclass(frozen=True, eq=False)
class Volume:
    """A volume `values` float32 [z, y, x]: HU for CT, intensities otherwise.

    Axes of CT and MR run as in LPS: z towards the head, y to the back, x to the patient's left. An MR volume that was
    taken in another plane has been turned, not resampled, so its coarsest spacing tells the plane. EM has its axes as
    stored. Raises UnusableVolume when the array is not three-dimensional or a spacing is not positive.
    """

    values: NDArray[np.float32]
    spacing_mm: tuple[float, float, float]
    """Between voxel centres along z, y, x; 1e-5 for 10 nm."""
    modality: Modality
    sequence: str = ""
    """Of MR: "T2", "DWI b800", "ADC", "T1 contrast"; may be stated in a text."""
    patient: str = ""
    """Splits never part the volumes of a patient. Never stated in a text, nor are `study` and `source`."""
    study: str = ""
    source: str = ""

    def __post_init__(self) -> None:
        if self.values.ndim != 3 or self.values.size == 0:
            raise UnusableVolume(f"values of shape {self.values.shape}: a volume is [z, y, x] with at least one voxel")
        if len(self.spacing_mm) != 3 or not all(np.isfinite(mm) and mm > 0.0 for mm in self.spacing_mm):
            raise UnusableVolume(f"spacing {self.spacing_mm} mm: give three positive numbers, along z, y and x")

    @property
    def voxel_ml(self) -> float:
        """What one voxel holds, mL."""
        return voxel_ml(self.spacing_mm)

    @property
    def extent_mm(self) -> tuple[float, float, float]:
        """Covered along z, y, x: number of voxels times spacing."""
        z, y, x = (count * mm for count, mm in zip(self.values.shape, self.spacing_mm, strict=True))
        return z, y, x


@dataclass(frozen=True, eq=False, kw_only=True)
class LabelledVolume(Volume):
    """A volume with the structure of every voxel: `labels` uint8 [z, y, x] are indices into `names`."""

    labels: NDArray[np.uint8]
    names: tuple[str, ...]
    """`names[0]` is "background"."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.labels.shape != self.values.shape:
            raise UnusableVolume(f"labels of shape {self.labels.shape} for values of shape {self.values.shape}")
        if not self.names or self.names[0] != "background":
            raise UnusableVolume(f"names {self.names}: the first one is the background's")
