"""A CT in three planes: the axial series of a phantom, and sagittal and coronal slices cut from it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.uid import generate_uid

from tests.e2e.studies import copy_of

EVERY = 8
"""Of the columns and rows of the axial slices, one in so many becomes a slice."""
DIGITS = 5
"""Decimals that a DS of 16 characters has room for. PS3.5 6.2."""
PLANES = {"sagittal": (0, 1, 0, 0, 0, -1), "coronal": (1, 0, 0, 0, 0, -1)}
"""Image Orientation (Patient). PS3.3 C.7.6.2.1.1."""


@dataclass(frozen=True)
class ThreePlanes:
    """The files of a study, and the Series Instance UID of each plane."""

    files: list[Path]
    study: str
    series: dict[str, str]


def in_three_planes(files: Sequence[Path], folder: Path, label: str) -> ThreePlanes:
    """A copy of an upright axial CT with two more series; slices of `files` lie from the head to the feet."""
    copied, study = copy_of(files, folder, label)
    axial = [pydicom.dcmread(file) for file in copied]
    volume = np.stack([one.pixel_array for one in axial])
    series = {"axial": str(axial[0].SeriesInstanceUID)}
    written = list(copied)
    for plane in PLANES:
        series[plane] = generate_uid(entropy_srcs=[label, plane])
        for number, (image, first_mm) in enumerate(_cut(plane, volume, axial), start=1):
            path = folder / f"{plane}-{number:03d}.dcm"
            _slice(axial, plane, series[plane], number, image, first_mm).save_as(path)
            written.append(path)
    return ThreePlanes(written, study, series)


def _cut(
    plane: str, volume: NDArray[np.uint16], axial: Sequence[Dataset]
) -> Iterator[tuple[NDArray[np.uint16], list[float]]]:
    """Each slice with the centre of its first pixel: in the slice at the head, at the first row or column."""
    x, y, z = (float(value) for value in axial[0].ImagePositionPatient)
    step_mm = float(axial[0].PixelSpacing[0])
    for at in range(0, volume.shape[1], EVERY):
        if plane == "sagittal":
            yield volume[:, :, at], [round(x + at * step_mm, DIGITS), y, z]
        else:
            yield volume[:, at, :], [x, round(y + at * step_mm, DIGITS), z]


def _slice(
    axial: Sequence[Dataset], plane: str, series: str, number: int, image: NDArray[np.uint16], first_mm: list[float]
) -> Dataset:
    made = pydicom.dcmread(axial[0].filename)
    made.SOPInstanceUID = made.file_meta.MediaStorageSOPInstanceUID = generate_uid(entropy_srcs=[series, str(number)])
    made.SeriesInstanceUID, made.SeriesNumber, made.InstanceNumber = series, 10 + list(PLANES).index(plane), number
    made.SeriesDescription = f"{plane.upper()} of the phantom, not a patient"
    made.ImageType = ["DERIVED", "SECONDARY", "REFORMATTED"]
    made.ImagePositionPatient, made.ImageOrientationPatient = first_mm, list(PLANES[plane])
    across_mm, down_mm = float(made.PixelSpacing[0]), _gap_mm(axial)
    made.PixelSpacing, made.SliceThickness = [down_mm, across_mm], across_mm
    del made.SliceLocation
    made.Rows, made.Columns = image.shape
    made.PixelData = np.ascontiguousarray(image).tobytes()
    return made


def _gap_mm(axial: Sequence[Dataset]) -> float:
    heights = [float(one.ImagePositionPatient[2]) for one in axial]
    return round((heights[0] - heights[-1]) / (len(heights) - 1), DIGITS)
