"""The sequences of one MR study as volumes: DICOM files grouped by series and b value, turned to the patient's axes."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pydicom
from numpy.typing import NDArray

from models.gtgm.volume import Modality, UnusableVolume, Volume
from pacs_agent.imaging import UnusableImages, read_headers

SMALLEST_SERIES = 5
_B_VALUE = re.compile(r"b(?:[a-z_]*?)(\d{2,4})")
_WEIGHTINGS = (
    ("ADC", r"\badc"),
    ("FLAIR", r"flair"),
    ("STIR", r"stir|tirm"),
    ("T2", r"\bt2"),
    ("T1", r"\bt1"),
    ("PD", r"\bpd"),
)
"""Names a text may state, and how a Series Description (free text, never stated itself) tells them."""


@dataclass(frozen=True)
class _Slice:
    dataset: pydicom.Dataset
    place_mm: float


def read_mr_study(paths: Iterable[Path]) -> tuple[Volume, ...]:
    """The volumes of a study by series number, each b value of a diffusion series by itself.

    Series of fewer than SMALLEST_SERIES slices are left out. Raises UnusableVolume when no series remains.
    """
    groups: dict[tuple[int, str, str], list[pydicom.Dataset]] = {}
    for header in _headers(paths):
        if str(header.get("Modality", "")) == "MR" and "ImagePositionPatient" in header and "Rows" in header:
            key = int(header.get("SeriesNumber") or 0), str(header.SeriesInstanceUID), sequence_of(header)
            groups.setdefault(key, []).append(header)
    volumes = [_volume(group, key[2]) for key, group in sorted(groups.items()) if len(group) >= SMALLEST_SERIES]
    if not volumes:
        raise UnusableVolume("no MR series of at least 5 slices with positions: name the folder of one MR study")
    return tuple(volumes)


def _headers(paths: Iterable[Path]) -> Iterable[pydicom.Dataset]:
    for path in sorted(paths):
        try:
            read_headers([path])
        except UnusableImages:
            continue
        yield pydicom.dcmread(path)


def sequence_of(header: pydicom.Dataset) -> str:
    """A plain name of a sequence, "T2" or "DWI b800", from coded attributes and a few words of the description."""
    description = str(header.get("SeriesDescription", "")).lower().replace("_", " ")
    kind = [str(value).upper() for value in header.get("ImageType", [])]
    if "ADC" in kind or re.search(r"\badc", description):
        return "ADC"
    if "DIFFUSION" in kind or re.search(r"dwi|diff", description):
        value = b_value_of(header)
        return f"DWI b{value}" if value is not None else "DWI"
    for name, pattern in _WEIGHTINGS:
        if re.search(pattern, description):
            contrast = " contrast" if name == "T1" and header.get("ContrastBolusAgent") else ""
            return name + contrast
    return "other"


def b_value_of(header: pydicom.Dataset) -> int | None:
    """Diffusion b-value in s/mm² (PS3.3 C.8.13.5.9), else as the scanner's Sequence Name states it, "*ep_b800t"."""
    value = header.get("DiffusionBValue")
    if value is not None:
        return round(float(value))
    match = _B_VALUE.search(str(header.get("SequenceName", "")).lower())
    return int(match[1]) if match else None


def _volume(group: Sequence[pydicom.Dataset], sequence: str) -> Volume:
    first = group[0]
    along_x, along_y = (
        np.array([float(v) for v in first.ImageOrientationPatient[part]]) for part in (slice(3), slice(3, 6))
    )
    normal = np.cross(along_x, along_y)
    stack = sorted(
        (_Slice(ds, float(np.dot(normal, [float(v) for v in ds.ImagePositionPatient]))) for ds in group),
        key=lambda one: one.place_mm,
    )
    places = np.unique(np.round([one.place_mm for one in stack], 2))
    distance = float(np.median(np.diff(places))) if len(places) > 1 else float(first.get("SliceThickness") or 1.0)
    row_mm, column_mm = (float(mm) for mm in first.PixelSpacing)
    seen: dict[float, NDArray[np.float32]] = {}
    for one in stack:
        seen.setdefault(round(one.place_mm, 2), _intensities(one.dataset))
    directions = (normal, along_y, along_x)
    values, spacing = in_patient_axes(np.stack(list(seen.values())), (distance, row_mm, column_mm), directions)
    return Volume(
        values, spacing, Modality.MR, sequence, str(first.get("PatientID", "")), str(first.StudyInstanceUID), "DICOM"
    )


def _intensities(dataset: pydicom.Dataset) -> NDArray[np.float32]:
    slope, intercept = float(dataset.get("RescaleSlope") or 1.0), float(dataset.get("RescaleIntercept") or 0.0)
    return np.asarray(dataset.pixel_array * slope + intercept, np.float32)


def in_patient_axes(
    values: NDArray[np.float32],
    spacing_mm: tuple[float, float, float],
    directions: Sequence[NDArray[np.float64]],
) -> tuple[NDArray[np.float32], tuple[float, float, float]]:
    """An array turned and mirrored so that its axes run to head, back and left, nearest to its oblique ones.

    `directions` are unit vectors in LPS (x, y, z) along the array's axes.
    """
    matrix = np.stack([direction[::-1] for direction in directions])
    order = [int(np.argmax(np.abs(matrix[:, patient_axis]))) for patient_axis in range(3)]
    if sorted(order) != [0, 1, 2]:
        raise UnusableVolume("the axes of the slices lie half way between those of the patient")
    out = values.transpose(order)
    flips = tuple(axis for axis, source in enumerate(order) if matrix[source, axis] < 0.0)
    z, y, x = (spacing_mm[source] for source in order)
    return np.ascontiguousarray(np.flip(out, flips)), (z, y, x)
