"""Measured numbers in the sentences of a report: words of our own, never the language model's.

A distance that the model measured is said of its finding in any case. A segmenter's number is said only of a finding
that is present by its score, and only from regions on a side where the finding is said to be. What was segmented of
other findings is in the AI result and the panel, and in no sentence (docs/decisions, "An outline alone makes no
finding").
"""

from collections.abc import Mapping, Sequence

from pydicom.dataset import Dataset

from pacs_agent.archive import UNREADABLE_VALUE
from pacs_agent.inference import Segmentation, measurements_of
from pacs_agent.inference.reading import (
    FindingReading,
    MeasuredDistance,
    MeasuredRegion,
    Measurements,
    Presence,
    Sentence,
    StudyReading,
)
from pacs_agent.results.facts import UnusableEvidence

SAID_AS_VOLUME = frozenset(
    {"pleural_effusion", "pericardial_effusion", "atelectasis", "consolidation", "lung_opacity", "emphysema"}
)
"""Findings whose size is a volume; that of the others is the diameter of the largest."""
_WHOLE_ML_FROM = 10.0

ImageNumbers = Mapping[tuple[str, int | None], int]


def with_measurements(reading: StudyReading, segmentation: Segmentation, evidence: Sequence[Dataset]) -> StudyReading:
    """The reading with what was measured in its series, and with the numbers in its sentences on findings.

    `evidence`: headers of the source slices. Raises UnusableEvidence when another series was segmented.
    """
    if segmentation.series.series_instance_uid != reading.series.series_instance_uid:
        raise UnusableEvidence(
            f"the reading is of series {reading.series.series_instance_uid}, the segmentation of "
            f"{segmentation.series.series_instance_uid}; segment the series that is read"
        )
    measurements = measurements_of(segmentation)
    numbers = _image_numbers(evidence)
    sentences = [_with_number(one, reading, measurements, numbers) for one in reading.sentences]
    update = {"measurements": measurements, "sentences": (*sentences, *_organs(measurements))}
    return reading.model_copy(update=update)


def sentences_of(reading: StudyReading) -> tuple[Sentence, ...]:
    """The sentences on findings, with the distances that they do not name: behind the finding's own, else after all."""
    unsaid = {key: " ".join(said) for key, said in _unsaid_distances(reading).items()}
    sentences = []
    for one in reading.sentences:
        said = unsaid.pop(one.findings[0], "") if len(one.findings) == 1 else ""
        sentences.append(one.model_copy(update={"text": f"{one.text} {said}"}) if said else one)
    further = [
        Sentence(text=said, findings=(key,), positive=reading.finding(key).presence is not Presence.ABSENT, fixed=True)
        for key, said in unsaid.items()
    ]
    return (*sentences, *further)


def distance_in_words(distance: MeasuredDistance) -> str:
    """As in: Distance to the mesorectal fascia 2.4 mm."""
    return f"{distance.name} {millimetres(distance.value_mm)}."


def millimetres(value_mm: float) -> str:
    """A length in words, with one decimal."""
    return f"{value_mm:.1f} mm"


def _unsaid_distances(reading: StudyReading) -> dict[str, list[str]]:
    """By finding, the distances whose number none of its sentences has."""
    found: dict[str, list[str]] = {}
    for one in reading.distances:
        said = (each.text for each in reading.sentences if one.finding in each.findings)
        if not any(millimetres(one.value_mm) in text for text in said):
            found.setdefault(one.finding, []).append(distance_in_words(one))
    return found


def stated_regions(finding: FindingReading, measurements: Measurements) -> tuple[MeasuredRegion, ...]:
    """The regions whose numbers may be said of a finding: none unless it is present, none on a side not said of it."""
    if finding.presence is not Presence.PRESENT:
        return ()
    sides = finding.attributes.all_sides
    regions = measurements.of_finding(finding.label.key)
    return tuple(one for one in regions if not (one.side and sides) or one.side in sides)


def _with_number(
    sentence: Sentence, reading: StudyReading, measurements: Measurements, numbers: ImageNumbers
) -> Sentence:
    """The sentence on one finding, with its number behind it."""
    if not sentence.positive or len(sentence.findings) != 1:
        return sentence
    finding = reading.finding(sentence.findings[0])
    regions = stated_regions(finding, measurements)
    if not regions:
        return sentence
    said = _volume(regions) if finding.label.key in SAID_AS_VOLUME else _diameter(regions, reading, numbers)
    return sentence.model_copy(update={"text": f"{sentence.text} {said}"})


def _volume(regions: Sequence[MeasuredRegion]) -> str:
    """As in: By segmentation, its volume is 420 mL on the right and 80 mL on the left."""
    volumes_ml: dict[str, float] = {}
    for one in regions:
        volumes_ml[one.side] = volumes_ml.get(one.side, 0.0) + one.measured.volume_ml
    parts = [f"{millilitres(volumes_ml[side])}{_on_side(side)}" for side in ("right", "left", "") if side in volumes_ml]
    return f"By segmentation, its volume is {_listed(parts)}."


def _diameter(regions: Sequence[MeasuredRegion], reading: StudyReading, numbers: ImageNumbers) -> str:
    """As in: By segmentation, the largest measures 12 by 9 mm, on the right, image 45."""
    largest = max(regions, key=lambda one: one.measured.longest_diameter_mm)
    measured = largest.measured
    size = f"{measured.longest_diameter_mm:.0f} by {measured.short_diameter_mm:.0f} mm"
    one = reading.series.slices[measured.diameter_slice]
    number = numbers.get((one.sop_instance_uid, one.frame_number))
    where = [_on_side(largest.side).strip(), f"image {number}" if number is not None else ""]
    subject = "it" if len(regions) == 1 else "the largest"
    return f"By segmentation, {subject} measures {', '.join([size, *filter(None, where)])}."


def _organs(measurements: Measurements) -> list[Sentence]:
    """The volumes of organs, which are findings of no model; nothing where no organ was segmented."""
    organs = [one for one in measurements.regions if one.kind == "organ" and one.finding is None]
    if not organs:
        return []
    parts = [f"{one.side} {one.name.lower()} {millilitres(one.measured.volume_ml)}".strip() for one in organs]
    return [Sentence(text=f"Volumes by segmentation: {', '.join(parts)}.", findings=(), positive=False, fixed=True)]


def millilitres(volume_ml: float) -> str:
    """A volume in words: whole from 10 mL on, else with one decimal."""
    return f"{volume_ml:.0f} mL" if volume_ml >= _WHOLE_ML_FROM else f"{volume_ml:.1f} mL"


def _on_side(side: str) -> str:
    return f" on the {side}" if side else ""


def _listed(parts: Sequence[str]) -> str:
    return " and ".join([", ".join(parts[:-1]), parts[-1]]) if len(parts) > 1 else parts[0]


def _image_numbers(evidence: Sequence[Dataset]) -> dict[tuple[str, int | None], int]:
    """What people find a slice by: the frame's number, or the Instance Number (0020,0013) where there is one."""
    found: dict[tuple[str, int | None], int] = {}
    for header in evidence:
        uid, frames = str(header.SOPInstanceUID), int(header.get("NumberOfFrames") or 1)
        found |= {(uid, number): number for number in range(1, frames + 1)}
        number = _instance_number(header)
        if number.isascii() and number.isdigit():
            found[uid, None] = int(number)
    return found


def _instance_number(header: Dataset) -> str:
    """Instance Number (0020,0013) as text; empty where there is none that can be read."""
    try:
        return str(header.get("InstanceNumber") or "")
    except UNREADABLE_VALUE:
        return ""
