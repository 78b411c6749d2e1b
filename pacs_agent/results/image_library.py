"""The Image Library: every image the model looked at. PS3.16 TID 1600 to 1602."""

from collections.abc import Iterable

from highdicom.sr import CodedConcept, ContainerContentItem, ContentItem, UIDRefContentItem

from pacs_agent.imaging.series import OrderedSeries, Slice
from pacs_agent.results.codes import (
    FRAME_OF_REFERENCE,
    IMAGE_LIBRARY,
    IMAGE_LIBRARY_GROUP,
    MODALITY,
    SOURCE,
    modality_code,
)
from pacs_agent.results.content import CONTAINS, coded, container, image

_HAS_ACQ_CONTEXT = "HAS ACQ CONTEXT"


def image_library(series: OrderedSeries) -> ContainerContentItem:
    """The instances of one series in slice order, with what they have in common: modality, frame of reference."""
    descriptors: list[ContentItem] = [coded(MODALITY, modality_code(series.modality), relationship=_HAS_ACQ_CONTEXT)]
    if series.frame_of_reference_uid:
        descriptors.append(
            UIDRefContentItem(FRAME_OF_REFERENCE, series.frame_of_reference_uid, relationship_type=_HAS_ACQ_CONTEXT)
        )
    source = CodedConcept.from_code(SOURCE)  # one for all entries: a code item of its own for each costs half the time
    entries = [image(source, each, CONTAINS) for each in _instances(series.slices)]
    return container(IMAGE_LIBRARY, [container(IMAGE_LIBRARY_GROUP, [*descriptors, *entries])])


def _instances(slices: Iterable[Slice]) -> Iterable[Slice]:
    """One entry an instance: a multi-frame image stands once, for all its frames."""
    seen: set[str] = set()
    for each in slices:
        if each.sop_instance_uid not in seen:
            seen.add(each.sop_instance_uid)
            yield each if each.frame_number is None else each.model_copy(update={"frame_number": None})
