"""The summary: a reading on one page as Secondary Capture, for people whose viewer shows no structured reports.

PS3.3 A.8.1: modules SC Equipment (C.8.6.1), General Image, Image Pixel, SC Image (C.8.6.2). Pixels are RGB and not
compressed. It says what the reports say in the same words, and is no substitute for them.
"""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import date
from types import MappingProxyType

import numpy as np
from highdicom.sc import ConversionTypeValues
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.uid import SecondaryCaptureImageStorage

from pacs_agent.archive import UNREADABLE_VALUE
from pacs_agent.inference.reading import FindingReading, Presence, SliceEvidence, StudyReading
from pacs_agent.inference.report import details
from pacs_agent.results.author import Author, author_of
from pacs_agent.results.codes import SOURCE_FOR_PROCESSING, code_item
from pacs_agent.results.document import TITLES, Envelope, close, opened
from pacs_agent.results.facts import DocumentFacts, ObjectKind
from pacs_agent.results.multiframe import add_lossy_compression, new_item
from pacs_agent.results.sources import SourceSlice, hierarchical_references, references_of, source_slice
from pacs_agent.results.stated import distance_in_words
from pacs_agent.results.summary_page import COLUMNS, ROWS, Page, Picture, Statement, drawn, is_drawable
from pacs_agent.results.text import clean
from pacs_agent.results.uids import document_uids

MOST_PICTURES = 6
_FAINTEST, _BRIGHTEST = 1.0, 99.5
"""Percentiles of a slice that become black and white where its image names no window."""
_AXES = ("LR", "PA", "HF")
"""Towards and against each axis of the patient coordinate system. PS3.3 C.7.6.2.1.1."""
_OBLIQUE = 0.35
"""A direction has a second letter where it runs this far along a second axis."""

Values = NDArray[np.float32]
NO_PIXELS: Mapping[tuple[str, int | None], Values] = MappingProxyType({})


def pictured(reading: StudyReading) -> tuple[SourceSlice, ...]:
    """The slices that the page shows, each once: the strongest of each finding that is not absent."""
    found = [source_slice(evidence, reading.all_series) for _, evidence in _pictured(reading)]
    return tuple({_key(each): each for each in found}.values())


def compose_secondary_capture(
    reading: StudyReading,
    evidence: Sequence[Dataset],
    facts: DocumentFacts,
    values: Mapping[tuple[str, int | None], Values] = NO_PIXELS,
) -> Dataset:
    """The page as a Secondary Capture image, ready for `write_bytes`.

    `evidence`: headers of the source slices, without pixel data. `values`: of slices that `pictured` names, by instance
    and frame, HU or intensities laid out as their Slice says; a slice that is not there is said not to be shown.
    Raises UnusableEvidence when headers and reading contradict each other.
    """
    references = references_of(reading.all_series, evidence)
    author = author_of(reading.bundle, facts)
    pixels = drawn(_page(reading, evidence, author, facts, values)).tobytes()
    digest = hashlib.sha256(pixels).hexdigest()
    study_uid, kind = reading.series.study_instance_uid, ObjectKind.SECONDARY_CAPTURE
    envelope = Envelope(
        kind=kind,
        sop_class_uid=SecondaryCaptureImageStorage,
        uids=document_uids(kind, study_uid, reading.bundle.digest, digest, facts),
        header=evidence[0],
        evidence=references,
        author=author,
        facts=facts,
    )
    dataset = opened(envelope, "OT")
    _add_capture(dataset, envelope, author)
    _add_sources(dataset, pictured(reading))
    _add_pixels(dataset, pixels)
    close(dataset, envelope)
    return dataset


def _add_capture(dataset: Dataset, envelope: Envelope, author: Author) -> None:
    """SC Equipment, SC Image and General Image modules. A page has no orientation and no side."""
    dataset.ConversionType = ConversionTypeValues.SYN.value
    dataset.SecondaryCaptureDeviceManufacturer = author.manufacturer
    dataset.SecondaryCaptureDeviceManufacturerModelName = author.name
    dataset.SecondaryCaptureDeviceSoftwareVersions = author.software_versions
    dataset.DateOfSecondaryCapture, dataset.TimeOfSecondaryCapture = dataset.ContentDate, dataset.ContentTime
    dataset.ImageType = ["DERIVED", "SECONDARY"]
    dataset.Laterality, dataset.PatientOrientation = "", None
    dataset.BurnedInAnnotation = "YES"
    dataset.DerivationDescription = "Summary of the reading on one page, for display only"
    add_lossy_compression(dataset, envelope.header)


def _add_sources(dataset: Dataset, shown: Sequence[SourceSlice]) -> None:
    """The images of which the page has pictures. PS3.3 C.7.6.1 (General Image), C.12.2 (Common Instance Reference)."""
    if not shown:
        return
    dataset.SourceImageSequence = [_source_image(each) for each in shown]
    [study] = hierarchical_references(dict.fromkeys(each.reference for each in shown))
    dataset.ReferencedSeriesSequence = [
        new_item(SeriesInstanceUID=series.SeriesInstanceUID, ReferencedInstanceSequence=series.ReferencedSOPSequence)
        for series in study.ReferencedSeriesSequence
    ]


def _source_image(each: SourceSlice) -> Dataset:
    image = new_item(
        ReferencedSOPClassUID=each.slice.sop_class_uid,
        ReferencedSOPInstanceUID=each.slice.sop_instance_uid,
        PurposeOfReferenceCodeSequence=[code_item(SOURCE_FOR_PROCESSING)],
        SpatialLocationsPreserved="NO",
    )
    if each.slice.frame_number is not None:
        image.ReferencedFrameNumber = each.slice.frame_number
    return image


def _add_pixels(dataset: Dataset, pixels: bytes) -> None:
    """Image Pixel module. PS3.3 C.7.6.3."""
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation, dataset.PlanarConfiguration = 3, "RGB", 0
    dataset.Rows, dataset.Columns = ROWS, COLUMNS
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 8, 8, 7, 0
    dataset.add_new("PixelData", "OB", pixels)


def _page(
    reading: StudyReading,
    evidence: Sequence[Dataset],
    author: Author,
    facts: DocumentFacts,
    values: Mapping[tuple[str, int | None], Values],
) -> Page:
    header = evidence[0]
    headers = {str(one.SOPInstanceUID): one for one in evidence}
    written = f"Written {facts.composed_at:%Y-%m-%d %H:%M} by pacs-agent {author.agent_version}"
    images = f"{len(reading.all_series)} series, {len(reading.all_slices)} images read"
    return Page(
        title=f"{TITLES[ObjectKind.SECONDARY_CAPTURE]} of the AI reading",
        patient=_patient(header),
        study=_study(header),
        warning=_warning(author),
        model=f"{author.name} {author.version}, {author.manufacturer}",
        impression=tuple(text for one in reading.impression if (text := clean(one.text))) or ("None was generated.",),
        statements=tuple(_statement(one, reading) for one in _stated(reading)),
        absent=tuple(one.label.name for one in reading.findings if one.presence is Presence.ABSENT),
        pictures=tuple(_picture(finding, one, reading, headers, values) for finding, one in _pictured(reading)),
        foot=f"{written}  ·  {images}  ·  For display only: measure on the images, read the report",
    )


def _warning(author: Author) -> str:
    machine = "AI-generated, unverified, not reviewed by a physician."
    return f"NOT FOR CLINICAL USE: demonstration model. {machine}" if author.demo else machine


def _patient(header: Dataset) -> str:
    """Name and ID; a name in a script that the page cannot write is left to the attributes of the image."""
    name = _value(header, "PatientName").partition("=")[0]
    family, _, given = name.partition("^")
    shown = ", ".join(part for part in (family, " ".join(given.replace("^", " ").split())) if part)
    shown = shown if is_drawable(shown) else "(name as in the study)"
    identifier = _value(header, "PatientID")
    return "  ·  ".join(part for part in (shown or "(no name)", f"ID {identifier}" if identifier else "") if part)


def _study(header: Dataset) -> str:
    described = _value(header, "StudyDescription")
    described = described if is_drawable(described) else ""
    return "  ·  ".join(part for part in (described, f"Study of {_day(_value(header, 'StudyDate'))}") if part)


def _day(text: str) -> str:
    try:
        return (
            date.fromisoformat(f"{text[:4]}-{text[4:6]}-{text[6:]}").isoformat() if text.isdigit() else "unknown date"
        )
    except ValueError:
        return "unknown date"


def _value(header: Dataset, keyword: str) -> str:
    """An attribute on one line; empty where it cannot be read."""
    try:
        return " ".join(clean(str(header.get(keyword) or "")).split())
    except UNREADABLE_VALUE:
        return ""


def _stated(reading: StudyReading) -> list[FindingReading]:
    """The findings that are not absent: the present ones before the uncertain ones, as a long list is cut."""
    stated = [one for one in reading.findings if one.presence is not Presence.ABSENT]
    return sorted(stated, key=lambda one: one.presence is not Presence.PRESENT)


def _statement(finding: FindingReading, reading: StudyReading) -> Statement:
    measured = (distance_in_words(one) for one in reading.distances if one.finding == finding.label.key)
    is_present = finding.presence is Presence.PRESENT
    levels = finding.applies == ("grade",) and is_present and finding.grade
    return Statement(
        name=finding.label.name or finding.label.key,
        said=finding.grade if levels else f"{finding.presence}{details(finding)}",
        probability=f"{100 * finding.probability:.0f} %",
        is_present=is_present,
        measured=tuple(measured),
    )


def _pictured(reading: StudyReading) -> list[tuple[FindingReading, SliceEvidence]]:
    """The findings that have a picture, with their strongest slice."""
    return [(one, one.evidence[0]) for one in _stated(reading) if one.evidence][:MOST_PICTURES]


def _picture(
    finding: FindingReading,
    evidence: SliceEvidence,
    reading: StudyReading,
    headers: Mapping[str, Dataset],
    values: Mapping[tuple[str, int | None], Values],
) -> Picture:
    found = source_slice(evidence, reading.all_series)
    one, header = found.slice, headers[found.slice.sop_instance_uid]
    shown = values.get(_key(found))
    number = one.frame_number or _value(header, "InstanceNumber")
    said = [found.series.description if is_drawable(found.series.description) else "", found.series.plane]
    return Picture(
        title=finding.label.name or finding.label.key,
        caption=", ".join([*filter(None, map(clean, said)), *([f"image {number}"] if number else [])]),
        grey=np.zeros((0, 0), np.uint8) if shown is None else _grey(shown, header),
        spacing_mm=one.spacing_mm,
        peak_px=evidence.peak_px,
        sides=_sides(one.orientation),
    )


def _key(found: SourceSlice) -> tuple[str, int | None]:
    return found.slice.sop_instance_uid, found.slice.frame_number


def _grey(values: Values, header: Dataset) -> NDArray[np.uint8]:
    """Values in the window that the image names, or from the darkest to the brightest of the slice."""
    window = _window(header)
    if window is None:
        low, high = (float(each) for each in np.percentile(values, (_FAINTEST, _BRIGHTEST)))
    else:
        low, high = window[0] - window[1] / 2, window[0] + window[1] / 2
    spread = high - low if high > low else 1.0
    grey: NDArray[np.uint8] = np.nan_to_num(np.clip((values - low) / spread, 0, 1) * 255).astype(np.uint8)
    return 255 - grey if header.get("PhotometricInterpretation") == "MONOCHROME1" else grey


def _window(header: Dataset) -> tuple[float, float] | None:
    """Center and width of the first window. PS3.3 C.11.2.1.2."""
    numbers = []
    for keyword in ("WindowCenter", "WindowWidth"):
        try:
            value = header.get(keyword)
            numbers.append(float(value[0] if isinstance(value, MultiValue) else value))
        except (TypeError, IndexError, *UNREADABLE_VALUE):
            return None
    return (numbers[0], numbers[1]) if np.isfinite(numbers).all() and numbers[1] >= 1 else None


def _sides(orientation: Sequence[float]) -> tuple[str, str, str, str]:
    """Letters of the patient's sides at left, right, top and bottom. PS3.3 C.7.6.1.1.1."""
    right, down = orientation[:3], orientation[3:]
    return _letters(-np.array(right)), _letters(np.array(right)), _letters(-np.array(down)), _letters(np.array(down))


def _letters(direction: NDArray[np.float64]) -> str:
    strongest = sorted(range(3), key=lambda axis: -abs(direction[axis]))
    kept = [axis for rank, axis in enumerate(strongest) if rank == 0 or abs(direction[axis]) > _OBLIQUE]
    return "".join(_AXES[axis][0 if direction[axis] > 0 else 1] for axis in kept)
