"""The Image Library: every image the model looked at. PS3.16 TID 1600 to 1602."""

from collections.abc import Iterable

from highdicom.sr import ContainerContentItem, ContentItem, ImageContentItem, UIDRefContentItem
from pydicom.dataset import Dataset

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
from pacs_agent.results.encoded import encoded, of_items, sequence
from pacs_agent.results.sources import sop_reference

_HAS_ACQ_CONTEXT = "HAS ACQ CONTEXT"
_REFERENCE = "ReferencedSOPSequence"


def image_library(series: Iterable[OrderedSeries]) -> ContainerContentItem:
    """A group for each series that was read: its instances in slice order, with what they have in common."""
    return container(IMAGE_LIBRARY, map(_group, series))


def _group(series: OrderedSeries) -> ContainerContentItem:
    """TID 1601: modality and frame of reference of a series, and its instances."""
    descriptors: list[ContentItem] = [coded(MODALITY, modality_code(series.modality), relationship=_HAS_ACQ_CONTEXT)]
    if series.frame_of_reference_uid:
        descriptors.append(
            UIDRefContentItem(FRAME_OF_REFERENCE, series.frame_of_reference_uid, relationship_type=_HAS_ACQ_CONTEXT)
        )
    items = *map(encoded, descriptors), *_entries(_instances(series.slices))
    group = container(IMAGE_LIBRARY_GROUP, [])
    content = of_items("ContentSequence", items)
    group[content.tag] = content
    return group


def _entries(slices: Iterable[Slice]) -> Iterable[bytes]:
    """One IMAGE item an instance. All but the reference is alike: a series may have thousands."""
    alike = b""
    for each in slices:
        alike = alike or _alike(image(SOURCE, each, CONTAINS))
        yield sequence(_REFERENCE, [sop_reference(each.sop_class_uid, each.sop_instance_uid)]) + alike


def _alike(entry: ImageContentItem) -> bytes:
    """All elements of an entry behind its reference, which is the first. PS3.5 7.1: tags ascend."""
    return encoded(Dataset({element.tag: element for element in entry if element.keyword != _REFERENCE}))


def _instances(slices: Iterable[Slice]) -> Iterable[Slice]:
    """One entry an instance: a multi-frame image stands once, for all its frames."""
    seen: set[str] = set()
    for each in slices:
        if each.sop_instance_uid not in seen:
            seen.add(each.sop_instance_uid)
            yield each
