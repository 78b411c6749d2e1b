"""Facts of how a CT or MR volume was taken: slices, their distance, pixel size, coverage, plane."""

from models.gtgm.facts.fact import Fact, Kind
from models.gtgm.volume import Volume

PLANES = ("axial", "coronal", "sagittal")
"""By the axis (z, y, x) across which the slices lie."""


def acquisition_facts(volume: Volume) -> list[Fact]:
    """Number, distance and plane of the slices, pixel size, and how far the slices reach."""
    spacing = volume.spacing_mm
    across = spacing.index(max(spacing)) if max(spacing) > 1.2 * min(spacing) else 0
    pixel = min(mm for axis, mm in enumerate(spacing) if axis != across)
    return [
        Fact("plane", Kind.PLANE, PLANES[across]),
        Fact("slices", Kind.SLICES, float(volume.values.shape[across])),
        Fact("slice_distance", Kind.SLICE_DISTANCE, spacing[across], "mm"),
        Fact("pixel", Kind.PIXEL, pixel, "mm"),
        Fact("coverage", Kind.COVERAGE, volume.extent_mm[across], "mm"),
    ]
