"""The images a document speaks of: which they are, and whether they are those of the reading."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter

from pydicom.dataset import Dataset
from pydicom.tag import Tag

from pacs_agent.imaging.series import OrderedSeries, Slice
from pacs_agent.inference.reading import SliceEvidence
from pacs_agent.results.encoded import of_items, uid
from pacs_agent.results.facts import UnusableEvidence
from pacs_agent.results.once import once

_REFERENCE = tuple(
    Tag(keyword) for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "SOPClassUID", "SOPInstanceUID")
)
"""By tag: by keyword it takes three times as long, for each of a thousand headers."""
_UIDS = attrgetter("study_instance_uid", "series_instance_uid", "sop_class_uid", "sop_instance_uid")


@dataclass(frozen=True, order=True)
class InstanceReference:
    """An instance within its study and series."""

    study_instance_uid: str
    series_instance_uid: str
    sop_class_uid: str
    sop_instance_uid: str

    @property
    def is_complete(self) -> bool:
        """Whether all four UIDs are known."""
        return all((self.study_instance_uid, self.series_instance_uid, self.sop_class_uid, self.sop_instance_uid))


@dataclass(frozen=True)
class SourceSlice:
    """A slice that was read, and the series whose slice it is."""

    slice: Slice
    series: OrderedSeries

    @property
    def reference(self) -> InstanceReference:
        """Its instance."""
        of, one = self.series, self.slice
        return InstanceReference(of.study_instance_uid, of.series_instance_uid, one.sop_class_uid, one.sop_instance_uid)


def references(evidence: Sequence[Dataset]) -> tuple[InstanceReference, ...]:
    """The instances behind headers, each once, in their order. Headers without the four UIDs are left out.

    Raises UnusableEvidence when there is no header, a header has no study, or they are of several studies.
    """
    found = dict.fromkeys(map(_reference, evidence))
    studies = {each.study_instance_uid for each in found}
    if len(studies) != 1 or "" in studies:
        raise UnusableEvidence(f"the headers are of the studies {sorted(studies)}; give headers of one study")
    return tuple(reference for reference in found if reference.is_complete)


@once
def references_of(series: tuple[OrderedSeries, ...], evidence: Sequence[Dataset]) -> tuple[InstanceReference, ...]:
    """The instances behind headers, after a check that every slice of all series is among them.

    Raises UnusableEvidence when the headers are of another study or one of a slice is missing.
    """
    found = references(evidence)
    studies = {each.study_instance_uid for each in series}
    if studies != {str(evidence[0].StudyInstanceUID)}:
        raise UnusableEvidence(
            f"the reading is of study {', '.join(sorted(studies))}, the headers of {evidence[0].StudyInstanceUID}"
        )
    read = {(of.series_instance_uid, one.sop_instance_uid) for of in series for one in of.slices}
    missing = {uid for _, uid in read - {(each.series_instance_uid, each.sop_instance_uid) for each in found}}
    if missing:
        raise UnusableEvidence(f"{len(missing)} slices have no header, the first is {min(missing)}; give them all")
    return found


def source_slice(evidence: SliceEvidence, series: Iterable[OrderedSeries]) -> SourceSlice:
    """The slice a finding rests on, counted through all series that were read.

    Raises UnusableEvidence when they have another slice there, or none.
    """
    first = 0
    for of in series:
        if first <= evidence.index < first + len(of.slices):
            found = of.slices[evidence.index - first]
            if (found.sop_instance_uid, found.frame_number) == (evidence.sop_instance_uid, evidence.frame_number):
                return SourceSlice(found, of)
            break
        first += len(of.slices)
    raise UnusableEvidence(
        f"the reading rests on {evidence.sop_instance_uid}, frame {evidence.frame_number}, as slice {evidence.index}; "
        "the series that were read have another image there, or none"
    )


def _reference(header: Dataset) -> InstanceReference:
    elements = (header.get(tag) for tag in _REFERENCE)
    return InstanceReference(*(str(element.value or "") if element is not None else "" for element in elements))


def hierarchical_references(instances: Iterable[InstanceReference]) -> list[Dataset]:
    """Items that name instances by study and series. PS3.3 Table C.17-3, Hierarchical SOP Instance Reference Macro."""
    study_items = []
    for study_uid, of_study in groupby(sorted(instances, key=_UIDS), lambda each: each.study_instance_uid):
        study_item = Dataset()
        study_item.ReferencedSeriesSequence = [
            _series_item(series_uid, of_series)
            for series_uid, of_series in groupby(of_study, lambda each: each.series_instance_uid)
        ]
        study_item.StudyInstanceUID = study_uid
        study_items.append(study_item)
    return study_items


def _series_item(series_uid: str, instances: Iterable[InstanceReference]) -> Dataset:
    item = Dataset()
    item.SeriesInstanceUID = series_uid
    named = (sop_reference(each.sop_class_uid, each.sop_instance_uid) for each in instances)
    references = of_items("ReferencedSOPSequence", named)
    item[references.tag] = references
    return item


def sop_reference(sop_class_uid: str, sop_instance_uid: str) -> bytes:
    """An item that names an instance, encoded. PS3.3 Table 10-11, SOP Instance Reference Macro."""
    return uid("ReferencedSOPClassUID", sop_class_uid) + uid("ReferencedSOPInstanceUID", sop_instance_uid)
