"""The sequences of MR studies as volumes: DICOM files grouped by series and b value, turned to the patient's axes."""

import logging
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset

from models.gtgm.volume import Modality, UnusableVolume, Volume
from pacs_agent.imaging import (
    Contrast,
    HeaderFile,
    Nulling,
    OrderedSeries,
    Stack,
    UnusableImages,
    Weighting,
    canonical_normal,
    group_study,
    order_series,
    read_headers,
    read_slices,
)

Value = TypeVar("Value", bound=np.generic)
SMALLEST_SERIES = 5
SAME_PLACE_DECIMALS = 2
"""Of mm: where several images lie at one place, as of several directions of diffusion, the first one is taken."""
_PLAIN = frozenset({Weighting.ADC, Weighting.T2, Weighting.T2_STAR, Weighting.PROTON_DENSITY})
"""Weightings whose own name a text may state as that of a sequence."""
_INVERSION = re.compile(r"(?i)stir|tirm|InversionTime")
"""What tells fat nulled by inversion from fat saturated."""

_log = logging.getLogger(__name__)


class _Key(NamedTuple):
    """What the images of one volume have in common, in the order of volumes."""

    study: str
    number: int
    series: str
    sequence: str
    patient: str


@dataclass(frozen=True)
class MrSeries:
    """One sequence of a study, its pixels still in the files; each b value of a diffusion series is one by itself."""

    sequence: str
    patient: str
    """Patient ID, or the study's UID where there is none."""
    study: str
    paths: tuple[Path, ...]

    def volume(self, source: str = "DICOM") -> Volume:
        """The images as a volume, turned to the patient's axes. Raises UnusableVolume."""
        try:
            series = order_series(read_headers(self.paths))
            values = intensities_of(series)
        except UnusableImages as fault:
            raise UnusableVolume(f"{self.sequence} images of study {self.study}: {fault}") from fault
        turned, spacing_mm = in_patient_axes(values, spacing_of(series), directions_of(series))
        return Volume(turned, spacing_mm, Modality.MR, self.sequence, self.patient, self.study, source)


def mr_series(paths: Iterable[Path]) -> tuple[MrSeries, ...]:
    """The MR series of any files, by study and series number; other files are passed over.

    Series of fewer than SMALLEST_SERIES images are left out, and so are localizers and multi-frame images.
    """
    groups: dict[_Key, dict[tuple[float, ...], Path]] = {}
    for header in _mr_headers(paths):
        place = tuple(round(float(mm), SAME_PLACE_DECIMALS) for mm in header.dataset.ImagePositionPatient)
        groups.setdefault(_key_of(header.dataset), {}).setdefault(place, header.path)
    return tuple(
        MrSeries(key.sequence, key.patient, key.study, tuple(group.values()))
        for key, group in sorted(groups.items(), key=lambda item: item[0])
        if len(group) >= SMALLEST_SERIES
    )


def read_mr_study(paths: Iterable[Path]) -> tuple[Volume, ...]:
    """The volumes of a study by series number, each b value of a diffusion series by itself.

    A series that is no stack of slices is named in the log and left out. Raises UnusableVolume when none remains.
    """
    volumes = []
    for series in mr_series(paths):
        try:
            volumes.append(series.volume())
        except UnusableVolume as fault:
            _log.warning("left out: %s", fault)
    if not volumes:
        raise UnusableVolume("no MR series of at least 5 slices with positions: name the folder of one MR study")
    return tuple(volumes)


def _mr_headers(paths: Iterable[Path]) -> Iterable[HeaderFile]:
    for path in sorted(paths):
        try:
            [header] = read_headers([path])
        except UnusableImages:
            continue
        kinds = {str(kind).upper() for kind in header.dataset.get("ImageType") or ()}
        if str(header.dataset.get("Modality", "")) == "MR" and "LOCALIZER" not in kinds and _is_placed(header.dataset):
            yield header


def _is_placed(header: Dataset) -> bool:
    return all(header.get(name) for name in ("ImagePositionPatient", "StudyInstanceUID", "SeriesInstanceUID", "Rows"))


def _key_of(header: Dataset) -> _Key:
    study = str(header.StudyInstanceUID)
    number, series = int(header.get("SeriesNumber") or 0), str(header.SeriesInstanceUID)
    return _Key(study, number, series, sequence_of(header), str(header.get("PatientID") or study))


def sequence_of(header: Dataset) -> str:
    """A plain name of a sequence, "T2" or "DWI b800": by coded attributes and timing, by words of the description last.

    What has no plain name, such as a localizer or an angiography, is "other".
    """
    found = group_study([HeaderFile(Path(), header)]).stacks
    return _name_of(found[0]) if found else "other"


def _name_of(stack: Stack) -> str:
    weighting = stack.weighting.value
    if weighting is Weighting.DIFFUSION:
        b_value = stack.b_value.value
        return "DWI" if b_value is None else f"DWI b{round(b_value)}"
    if weighting is Weighting.T2 and stack.nulling.value is not Nulling.NONE:
        inverted = stack.nulling.value is Nulling.FAT and _INVERSION.search(
            f"{stack.nulling.reason} {stack.description}"
        )
        return "STIR" if inverted else "T2" if stack.nulling.value is Nulling.FAT else "FLAIR"
    if weighting is Weighting.T1:
        return "T1 contrast" if stack.contrast.value is Contrast.AFTER else "T1"
    return weighting.value if weighting in _PLAIN else "other"


def intensities_of(series: OrderedSeries) -> NDArray[np.float32]:
    """Intensities [slices, rows, columns] of a series, rescaled and not clipped. Raises UnusableSlice."""
    pairs = zip(read_slices(series), series.slices, strict=True)
    return np.stack([stored * np.float32(one.slope) + np.float32(one.intercept) for stored, one in pairs])


def spacing_of(series: OrderedSeries) -> tuple[float, float, float]:
    """Between slices, rows and columns."""
    return series.thickness_mm, *series.slices[0].spacing_mm


def directions_of(series: OrderedSeries) -> tuple[NDArray[np.float64], ...]:
    """Unit vectors in LPS (x, y, z) along slices, rows and columns of what `read_slices` gives."""
    orientation = series.slices[0].orientation
    return canonical_normal(orientation), np.array(orientation[3:]), np.array(orientation[:3])


def in_patient_axes(
    values: NDArray[Value],
    spacing_mm: tuple[float, float, float],
    directions: Sequence[NDArray[np.float64]],
) -> tuple[NDArray[Value], tuple[float, float, float]]:
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
