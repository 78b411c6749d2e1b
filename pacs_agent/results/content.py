"""Content items our documents use, and what every content tree begins with. PS3.3 C.17.3, PS3.16 TID 1001."""

from collections.abc import Iterable, Sequence

from highdicom.sr import (
    CodeContentItem,
    CodedConcept,
    CompositeContentItem,
    ContainerContentItem,
    ContentItem,
    DeviceObserverIdentifyingAttributes,
    ImageContentItem,
    LanguageOfContentItemAndDescendants,
    ObservationContext,
    ObserverContext,
    PersonObserverIdentifyingAttributes,
    TextContentItem,
)
from pydicom.dataset import Dataset
from pydicom.sr.coding import Code

from pacs_agent.imaging.series import Slice
from pacs_agent.results.author import Author
from pacs_agent.results.codes import (
    CURRENT_PROCEDURE_EVIDENCE,
    DEVICE,
    ENGLISH,
    PERSON,
    PROCEDURE_REPORTED,
    SOURCE,
)
from pacs_agent.results.handled import Reviewer
from pacs_agent.results.sources import InstanceReference
from pacs_agent.results.text import clean

CONTAINS = "CONTAINS"
HAS_CONCEPT_MOD = "HAS CONCEPT MOD"
INFERRED_FROM = "INFERRED FROM"
SELECTED_FROM = "SELECTED FROM"


def container(
    name: Code, items: Iterable[Dataset], relationship: str | None = CONTAINS, template: str | None = None
) -> ContainerContentItem:
    """A heading with what stands under it."""
    item = ContainerContentItem(
        name=name, is_content_continuous=False, template_id=template, relationship_type=relationship
    )
    # not by assignment: highdicom would index all names, which takes a third of the time
    item.add_new("ContentSequence", "SQ", list(items))
    return item


def text(name: Code, value: str, grounds: Sequence[ContentItem] = (), relationship: str = CONTAINS) -> TextContentItem:
    """A statement with what it is inferred from. Text that is empty becomes a dash: an empty value is not allowed."""
    item = TextContentItem(name=name, value=clean(value) or "-", relationship_type=relationship)
    if grounds:
        item.ContentSequence = list(grounds)
    return item


def coded(name: Code, value: Code, relationship: str = CONTAINS) -> CodeContentItem:
    """A coded statement."""
    return CodeContentItem(name=name, value=value, relationship_type=relationship)


def image(name: Code, source: Slice, relationship: str) -> ImageContentItem:
    """A reference to a slice: an instance, or a frame of a multi-frame one. PS3.3 10.3."""
    return ImageContentItem(
        name=name,
        referenced_sop_class_uid=source.sop_class_uid,
        referenced_sop_instance_uid=source.sop_instance_uid,
        referenced_frame_numbers=source.frame_number,
        relationship_type=relationship,
    )


def key_image(source: Slice) -> ImageContentItem:
    """A slice as key object: without purpose of reference, as TID 2010 wants it."""
    item = image(SOURCE, source, CONTAINS)
    del item.ConceptNameCodeSequence
    return item


def image_of(name: Code, source: InstanceReference, frame_number: int | None, relationship: str) -> ImageContentItem:
    """A reference to any image of the study, or to a frame of it."""
    return ImageContentItem(
        name=name,
        referenced_sop_class_uid=source.sop_class_uid,
        referenced_sop_instance_uid=source.sop_instance_uid,
        referenced_frame_numbers=frame_number,
        relationship_type=relationship,
    )


def document_reference(instance: InstanceReference, relationship: str) -> CompositeContentItem:
    """A reference to another document of the study."""
    return CompositeContentItem(
        name=CURRENT_PROCEDURE_EVIDENCE,
        referenced_sop_class_uid=instance.sop_class_uid,
        referenced_sop_instance_uid=instance.sop_instance_uid,
        relationship_type=relationship,
    )


def opening(author: Author, procedure: Code) -> list[ContentItem]:
    """Language, observer and procedure, with which every report begins. TID 1204, 1001 to 1004, 121058."""
    return _opening(ObservationContext(observer_device_context=_device(author)), procedure)


def opening_of_selection(author: Author) -> list[ContentItem]:
    """Language and observer, with which a selection of key objects begins. TID 1204, 1002, 1004."""
    return [*language(ENGLISH), *_device(author)]


def opening_by(reviewer: Reviewer, procedure: Code) -> list[ContentItem]:
    """The same where a person speaks. TID 1003."""
    person = PersonObserverIdentifyingAttributes(name=reviewer.person_name, login_name=clean(reviewer.login))
    observer = ObserverContext(CodedConcept.from_code(PERSON), person)
    return _opening(ObservationContext(observer_person_context=observer), procedure)


def language(code: Code) -> list[ContentItem]:
    """The language of what stands beside it. TID 1204."""
    return list(LanguageOfContentItemAndDescendants(CodedConcept.from_code(code)))


def _device(author: Author) -> ObserverContext:
    device = DeviceObserverIdentifyingAttributes(
        uid=author.device_uid, name=author.name, manufacturer_name=author.manufacturer, model_name=author.name
    )
    return ObserverContext(CodedConcept.from_code(DEVICE), device)


def _opening(observers: ObservationContext, procedure: Code) -> list[ContentItem]:
    return [
        *language(ENGLISH),
        *observers,
        coded(PROCEDURE_REPORTED, procedure, relationship=HAS_CONCEPT_MOD),
    ]
