"""The Image Library: every image the model looked at. PS3.16 TID 1600 to 1602."""

from collections.abc import Iterable

from highdicom.sr import ContainerContentItem, ContentItem, ImageContentItem, UIDRefContentItem
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.tag import BaseTag

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
    entries = _entries(_instances(series.slices))
    return container(IMAGE_LIBRARY, [container(IMAGE_LIBRARY_GROUP, [*descriptors, *entries])])


def _entries(slices: Iterable[Slice]) -> Iterable[Dataset]:
    """One IMAGE item an instance. All share the elements that are alike: a series may have thousands."""
    shared: dict[BaseTag, DataElement] = {}
    for each in slices:
        shared = shared or _alike(image(SOURCE, each, CONTAINS))
        entry = Dataset(dict(shared))
        entry.ReferencedSOPSequence = [_reference(each)]
        yield entry


def _alike(entry: ImageContentItem) -> dict[BaseTag, DataElement]:
    return {element.tag: element for element in entry if element.keyword != "ReferencedSOPSequence"}


def _reference(source: Slice) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID = source.sop_class_uid
    item.ReferencedSOPInstanceUID = source.sop_instance_uid
    return item


def _instances(slices: Iterable[Slice]) -> Iterable[Slice]:
    """One entry an instance: a multi-frame image stands once, for all its frames."""
    seen: set[str] = set()
    for each in slices:
        if each.sop_instance_uid not in seen:
            seen.add(each.sop_instance_uid)
            yield each
