"""Readings of segmented series: findings present, absent and uncertain, with regions of each."""

from dataclasses import replace

from pydicom.dataset import Dataset
from segmented_cases import CASES, ordered, segmentation
from study_readings import LABELS, finding, reading

from pacs_agent.inference.attributes import Attributes
from pacs_agent.inference.reading import Presence, StudyReading
from pacs_agent.inference.segmented import Segmentation

NODULE, EFFUSION = 0, 5
assert (LABELS[NODULE][0], LABELS[EFFUSION][0]) == ("nodule", "pleural_effusion")


def measured_case(
    case: str = "axial", nodule: Presence = Presence.PRESENT, effusion: Presence = Presence.PRESENT
) -> tuple[StudyReading, Segmentation, list[Dataset]]:
    """A reading without measurements, what was segmented in its series, and its headers."""
    stored = CASES[case]
    series = ordered(stored)
    probability = {Presence.PRESENT: 0.9, Presence.UNCERTAIN: 0.45, Presence.ABSENT: 0.05}
    findings = [finding(NODULE, probability[nodule], nodule, series)]
    findings.append(finding(EFFUSION, probability[effusion], effusion, series))
    read = reading("present", series, findings_read=6)
    said = {each.label.key: each for each in findings}
    return (
        read.model_copy(
            update={
                "findings": tuple(said.get(each.label.key, each) for each in read.findings),
                "sentences": tuple(
                    one.model_copy(update={"positive": said[one.findings[0]].presence is not Presence.ABSENT})
                    if one.findings[0] in said
                    else one
                    for one in read.sentences
                ),
            }
        ),
        segmentation(series),
        stored,
    )


def on_the_left(read: StudyReading, key: str) -> StudyReading:
    """The reading with a finding said to be on the left only."""
    findings = tuple(
        each.model_copy(update={"attributes": Attributes(sides=("left",))}) if each.label.key == key else each
        for each in read.findings
    )
    return read.model_copy(update={"findings": findings})


def without_lesions(found: Segmentation) -> Segmentation:
    """The organs alone."""
    return replace(found, regions=tuple(one for one in found.regions if one.structure.kind == "organ"))
