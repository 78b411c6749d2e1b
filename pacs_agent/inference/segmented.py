"""What a segmenter finds in one series: regions of its structures, as voxels of the series' own slices."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pacs_agent.imaging import Measured
from pacs_agent.imaging.series import OrderedSeries
from pacs_agent.inference.reading import BundleIdentity, Code

Kind = Literal["organ", "lesion"]
Side = Literal["", "left", "right"]
Box = tuple[slice, slice, slice]
"""Slices z, rows, columns of a series, each with its start and stop."""


@dataclass(frozen=True)
class Structure:
    """What a segmenter can outline, from the table of its manifest."""

    key: str
    name: str
    category: Code
    """CID 7150, for example 123037004 SCT Anatomical Structure or 49755003 SCT Morphologically Abnormal Structure."""
    type: Code
    colour: tuple[int, int, int]
    """Red, green, blue, 0 to 255 each."""
    kind: Kind
    finding: str | None = None
    """Key of the finding that it measures, None where it measures none."""


@dataclass(frozen=True, eq=False)
class SegmentedRegion:
    """One region: an organ, one side of it, or one lesion. Nowhere does it overlap another one.

    `crop` [z, rows, columns] is its mask inside `box`, a box of the OrderedSeries' slices in their order and in the
    layout that `read_slices` gives; outside there is nothing of it.
    """

    structure: Structure
    number: int
    """From 1 within its structure: the largest lesion first, of a paired organ the right one first."""
    side: Side
    box: Box
    crop: NDArray[np.bool_]
    measured: Measured | None = None
    """Its measurements; None until it is measured."""

    def mask(self, shape: tuple[int, int, int]) -> NDArray[np.bool_]:
        """The mask of the whole series, of shape (slices, rows, columns)."""
        whole = np.zeros(shape, np.bool_)
        whole[self.box] = self.crop
        return whole


@dataclass(frozen=True, eq=False)
class Segmentation:
    """Everything a segmenter found in one series; no regions where it found nothing."""

    model: BundleIdentity
    series: OrderedSeries
    regions: tuple[SegmentedRegion, ...]
