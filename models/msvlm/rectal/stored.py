"""Series as they are stored, of a phantom or of a patient's DICOM files, and the tokens that a bundle makes of them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from models.msvlm.rectal.acquired import acquired_by_phantom
from models.msvlm.rectal.items import Told, step_targets
from models.msvlm.rectal.margin import measured_margin_mm
from models.msvlm.rectal.phantoms import slice_centre_mm
from models.msvlm.rectal.studies import NothingToRead, SeriesStudy
from models.phantoms.pelvis import Item, Series
from pacs_agent.imaging import (
    HeaderFile,
    Plane,
    SeriesPart,
    Stack,
    UnusableImages,
    group_study,
    order_series,
    read_slices,
)
from pacs_agent.inference.staging.acquired import PLANES, Acquired, SequenceId, acquired_by_stack, is_readable
from pacs_agent.inference.staging.places import centre_mm
from pacs_agent.inference.staging.scale import intensity_range

Floats = NDArray[np.float32]


class SliceEncoding(Protocol):
    """What makes tokens of stored slices."""

    @property
    def patch_mm(self) -> float:
        """Side of a patch."""

    def encode(
        self, stored: NDArray[np.int16], intensities: tuple[Floats, Floats], spacing_mm: tuple[float, float]
    ) -> tuple[Floats, Floats]:
        """Tokens [n, d] and patch grids [n, S, gr, gc] of slices; `intensities` are what is 0 and 1 of each [n]."""


@dataclass(frozen=True)
class StoredSeries:
    """The slices of one series: stored values int16 [n, rows, columns], and where and what they are.

    `low` and `high` [n] are the stored values at 0 and 1 of the range of the series, `centre_mm` [n, 3], `orientation`
    [n, 6].
    """

    key: str
    acquired: Acquired
    stored: NDArray[np.int16]
    low: Floats
    high: Floats
    spacing_mm: tuple[float, float]
    centre_mm: Floats
    orientation: Floats


@dataclass(frozen=True)
class LeftOut:
    """A series that is not read, and why."""

    name: str
    reason: str


def stored_phantom(series: Series) -> StoredSeries:
    """A phantom's series."""
    acquired, geometry, count = acquired_by_phantom(series.sequence), series.geometry, len(series.pixels)
    low, high = intensity_range(series.pixels, acquired.sequence)
    return StoredSeries(
        key=series.sequence.key,
        acquired=acquired,
        stored=series.pixels.astype(np.int16),
        low=np.full(count, low, np.float32),
        high=np.full(count, high, np.float32),
        spacing_mm=(geometry.pixel_mm, geometry.pixel_mm),
        centre_mm=np.array([slice_centre_mm(series, index) for index in range(count)], np.float32),
        orientation=np.tile(np.array(geometry.orientation, np.float32), (count, 1)),
    )


def stored_study(headers: Iterable[HeaderFile]) -> tuple[list[StoredSeries], list[LeftOut]]:
    """The readable series of a patient's study, and what is left out. Raises NothingToRead where all of it is."""
    found, left_out = [], []
    for stack in group_study(headers).stacks:
        if stack.modality != "MR" or not is_readable(stack):
            left_out.append(LeftOut(stack.name, "no MR images of a kind that is read"))
            continue
        try:
            found.append(stored_stack(stack))
        except UnusableImages as fault:
            left_out.append(LeftOut(stack.name, str(fault)))
    if not found:
        raise NothingToRead("; ".join(f"{one.name}: {one.reason}" for one in left_out) or "the study has no images")
    return found, left_out


def stored_stack(stack: Stack) -> StoredSeries:
    """A stack of a study, laid out as the agent reads it. Raises UnusableImages."""
    headers = {frame.header.sop_instance_uid: frame.header for frame in stack.frames}
    ordered = order_series(list(headers.values()), SeriesPart.of_stack(stack))
    acquired, slices = acquired_by_stack(stack), ordered.slices
    stored = np.stack(list(read_slices(ordered)))
    slope, intercept = (np.array([getattr(one, name) for one in slices], np.float32) for name in ("slope", "intercept"))
    low, high = intensity_range(stored * slope[:, None, None] + intercept[:, None, None], acquired.sequence)
    return StoredSeries(
        key=stack.name,
        acquired=acquired,
        stored=stored,
        low=(low - intercept) / slope,
        high=(high - intercept) / slope,
        spacing_mm=slices[0].spacing_mm,
        centre_mm=np.array([centre_mm(one) for one in slices], np.float32),
        orientation=np.array([one.orientation for one in slices], np.float32),
    )


def encoded(
    runtime: SliceEncoding,
    name: str,
    study: Sequence[StoredSeries],
    told: Mapping[Item, Told] | None = None,
    margin_mm: float = float("nan"),
) -> SeriesStudy:
    """The tokens of all series of a study by a bundle, or by an encoder in training, with what is known of it."""
    parts = [runtime.encode(one.stored, (one.low, one.high), one.spacing_mm) for one in study]
    counts = torch.tensor([len(one.stored) for one in study])
    taken, known = step_targets(told or {})
    axial = _measured_on(study)
    return SeriesStudy(
        name=name,
        tokens=torch.from_numpy(np.concatenate([tokens for tokens, _ in parts])),
        centre_mm=torch.from_numpy(np.concatenate([one.centre_mm for one in study])),
        orientation=torch.from_numpy(np.concatenate([one.orientation for one in study])),
        ids=torch.tensor([one.acquired.ids for one in study]).repeat_interleave(counts, 0),
        b_value=torch.tensor([one.acquired.b_value for one in study]).repeat_interleave(counts, 0),
        series=torch.arange(len(study)).repeat_interleave(counts, 0),
        keys=tuple(one.key for one in study),
        taken=torch.from_numpy(taken),
        known=torch.from_numpy(known),
        margin_mm=margin_mm,
        measured_mm=float("nan") if axial is None else measured_margin_mm(parts[axial][1], runtime.patch_mm),
    )


def _measured_on(study: Sequence[StoredSeries]) -> int | None:
    """The place of the axial T2 series with the finest pixels; None where there is none."""
    axial = PLANES.index(Plane.AXIAL)
    places = [
        place
        for place, one in enumerate(study)
        if one.acquired.plane == axial and one.acquired.sequence is SequenceId.T2
    ]
    return min(places, key=lambda place: study[place].spacing_mm[0], default=None)
