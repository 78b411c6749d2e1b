"""A real pelvic MR study as stacks of images with their geometry: what implants are rendered into."""

import io
import tarfile
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from pathlib import Path

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from models.datasets.pelvic_cases import CASES, PelvicCase
from models.datasets.real_ct import SHARED_DATA, RealDataMissing

Points = NDArray[np.float64]


class Kind(StrEnum):
    """What a stack shows."""

    T2 = "T2"
    PROTON_DENSITY = "PD"
    DIFFUSION = "DWI"
    ADC = "ADC"
    CALCULATED = "calculated b"


@dataclass(frozen=True, eq=False)
class RealStack:
    """Images of one series, and of one b value: stored values uint16 [slices, rows, columns] and where they lie."""

    name: str
    kind: Kind
    b_value: float
    """s/mm²; 0 where diffusion plays no part."""
    headers: tuple[Dataset, ...]
    pixels: NDArray[np.uint16]
    first_mm: Points
    """Centre of the first pixel of each slice [slices, 3]."""
    along_rows: Points
    along_columns: Points
    pixel_mm: float
    thickness_mm: float

    @property
    def normal(self) -> Points:
        """Of the slices."""
        return np.cross(self.along_rows, self.along_columns)

    def places(self, points_mm: Points, slice_index: int) -> tuple[Points, Points, Points]:
        """Distance in mm from a slice, row and column of points [n, 3]."""
        away = points_mm - self.first_mm[slice_index]
        rows, columns = away @ self.along_columns / self.pixel_mm, away @ self.along_rows / self.pixel_mm
        return away @ self.normal, rows, columns

    def values_at(self, points_mm: Points) -> NDArray[np.float64]:
        """Stored values at those points that lie within a slice."""
        found = [np.zeros(0)]
        for index, image in enumerate(self.pixels):
            away, rows, columns = (np.rint(v) if k else v for k, v in enumerate(self.places(points_mm, index)))
            inside = (np.abs(away) <= 0.5 * self.thickness_mm) & (rows >= 0) & (columns >= 0)
            inside &= (rows < image.shape[0]) & (columns < image.shape[1])
            found.append(image[rows[inside].astype(int), columns[inside].astype(int)].astype(float))
        return np.concatenate(found)


@dataclass(frozen=True)
class RealPelvis:
    """All stacks of a patient's study."""

    case: PelvicCase
    stacks: tuple[RealStack, ...]


def pelves_there(folder: Path = SHARED_DATA) -> tuple[PelvicCase, ...]:
    """The cases whose files a data folder holds; none where it is absent."""
    return tuple(case for case in CASES if (folder / case.file).is_file())


@lru_cache(maxsize=2)
def load_pelvis(case: PelvicCase, folder: Path = SHARED_DATA) -> RealPelvis:
    """The study of a case. Raises RealDataMissing."""
    path = folder / case.file
    if not path.is_file():
        raise RealDataMissing(f"{path} is not there")
    with tarfile.open(path, "r:xz") as archive:
        files = (archive.extractfile(member) for member in archive if member.name.endswith(".dcm"))
        images = [pydicom.dcmread(io.BytesIO(file.read())) for file in files if file]
    groups: dict[tuple[int, float], list[Dataset]] = {}
    for image in images:
        groups.setdefault((int(image.SeriesNumber), _b_value(image)), []).append(image)
    return RealPelvis(case, tuple(_stack(groups[key], key[1]) for key in sorted(groups)))


def _stack(images: list[Dataset], b_value: float) -> RealStack:
    orientation = np.array(images[0].ImageOrientationPatient, float)
    normal = np.cross(orientation[:3], orientation[3:])
    images = sorted(images, key=lambda image: float(normal @ np.array(image.ImagePositionPatient, float)))
    return RealStack(
        name=str(images[0].SeriesDescription),
        kind=_kind(images[0]),
        b_value=b_value,
        headers=tuple(images),
        pixels=np.stack([image.pixel_array for image in images]),
        first_mm=np.array([image.ImagePositionPatient for image in images], float),
        along_rows=orientation[:3],
        along_columns=orientation[3:],
        pixel_mm=float(images[0].PixelSpacing[0]),
        thickness_mm=float(images[0].SliceThickness),
    )


def _kind(image: Dataset) -> Kind:
    if "ADC" in image.ImageType:
        return Kind.ADC
    if "DIFFUSION" in image.ImageType:
        return Kind.CALCULATED if "CALC_BVAL" in image.SeriesDescription else Kind.DIFFUSION
    return Kind.T2 if "_tse_" in image.SeriesDescription else Kind.PROTON_DENSITY


def _b_value(image: Dataset) -> float:
    """Of diffusion images, from the vendor's element for it; 0 of all others."""
    value = image.get((0x0019, 0x100C))
    if value is None or "ADC" in image.ImageType:
        return 0.0
    return float(value.value.decode() if isinstance(value.value, bytes) else value.value)
