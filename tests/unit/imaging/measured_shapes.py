"""Shapes of known size in series of any spacing and orientation."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom.uid import CTImageStorage
from scipy.spatial.transform import Rotation

from pacs_agent.imaging.measure import Box
from pacs_agent.imaging.series import OrderedSeries, Plane, Slice

Floats = NDArray[np.float64]


def series(z_mm: Floats, spacing_mm: tuple[float, float], size: tuple[int, int], turn: Rotation) -> OrderedSeries:
    """Slices at `z_mm` along the normal, axial ones turned by `turn`; the first pixel is at the same place of each."""
    row, column, normal = turn.as_matrix().T
    first = np.array([-60.0, 20.0, 900.0])
    orientation = tuple(float(value) for value in (*row, *column))
    return OrderedSeries(
        study_instance_uid="1.2.3",
        series_instance_uid="1.2.3.1",
        frame_of_reference_uid="1.2.3.9",
        modality="CT",
        plane=Plane.AXIAL,
        description="",
        body_part="CHEST",
        slices=tuple(
            Slice(
                path=Path(f"/archive/{index}.dcm"),
                sop_instance_uid=f"1.2.3.1.{index}",
                sop_class_uid=CTImageStorage,
                frame_number=None,
                z_mm=float(z),
                position_mm=tuple(float(value) for value in first + z * normal),
                orientation=orientation,
                rows=size[0],
                columns=size[1],
                spacing_mm=spacing_mm,
                slope=1.0,
                intercept=0.0,
            )
            for index, z in enumerate(z_mm)
        ),
    )


def places_mm(of: OrderedSeries) -> Floats:
    """The place of every voxel in the patient, shape (slices, rows, columns, 3)."""
    first = of.slices[0]
    rows, columns = np.mgrid[: first.rows, : first.columns]
    down, right = rows[..., None] * first.spacing_mm[0], columns[..., None] * first.spacing_mm[1]
    in_plane = right * first.orientation[:3] + down * first.orientation[3:]
    return np.stack([one.position_mm + in_plane for one in of.slices])


def ellipsoid(of: OrderedSeries, centre_mm: Floats, radii_mm: Floats, turn: Rotation) -> NDArray[np.bool_]:
    """The voxels whose centres lie in an ellipsoid with axes turned by `turn`."""
    along = (places_mm(of) - centre_mm) @ turn.as_matrix() / radii_mm
    inside: NDArray[np.bool_] = (along**2).sum(axis=-1) <= 1
    return inside


def middle_mm(of: OrderedSeries) -> Floats:
    """The middle of the series."""
    places = places_mm(of)
    middle: Floats = (places[0, 0, 0] + places[-1, -1, -1]) / 2
    return middle


def cropped(mask: NDArray[np.bool_]) -> tuple[NDArray[np.bool_], Box]:
    """A mask as its crop and the box around it."""
    where = [np.flatnonzero(mask.any(axis=axes)) for axes in ((1, 2), (0, 2), (0, 1))]
    low, middle, high = (slice(int(found[0]), int(found[-1]) + 1) for found in where)
    return mask[low, middle, high], (low, middle, high)
