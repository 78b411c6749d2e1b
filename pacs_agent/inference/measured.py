"""The measurements of a segmentation, as a reading carries them."""

import hashlib

import numpy as np

from pacs_agent.inference.reading import MeasuredRegion, Measurements
from pacs_agent.inference.segmented import Segmentation, SegmentedRegion


def measurements_of(segmentation: Segmentation) -> Measurements:
    """The measurements of all regions, in their order; the first is segment 1 of the segmentation object.

    Raises ValueError for a region that was not measured.
    """
    regions = tuple(_measured(number, region) for number, region in enumerate(segmentation.regions, start=1))
    return Measurements(model=segmentation.model, regions=regions, mask_digest=mask_digest(segmentation))


def mask_digest(segmentation: Segmentation) -> str:
    """SHA-256 over the masks of a segmentation, in order, and the boxes in which they lie."""
    digest = hashlib.sha256()
    for region in segmentation.regions:
        digest.update(repr([(along.start, along.stop) for along in region.box]).encode())
        digest.update(np.packbits(region.crop).tobytes())
    return digest.hexdigest()


def _measured(segment_number: int, region: SegmentedRegion) -> MeasuredRegion:
    structure, measured = region.structure, region.measured
    if measured is None:
        raise ValueError(f"{structure.key} {region.number} was not measured; measure every region of a segmentation")
    return MeasuredRegion(
        structure=structure.key,
        name=structure.name,
        category=structure.category,
        type=structure.type,
        kind=structure.kind,
        finding=structure.finding,
        side=region.side,
        number=region.number,
        segment_number=segment_number,
        measured=measured,
    )
