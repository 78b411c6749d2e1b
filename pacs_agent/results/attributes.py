"""Side, lobe, grade and count of a finding as coded content: its sites, and what is said of it in qualities."""

from highdicom.sr import FindingSite, QualitativeEvaluation
from pydicom.sr.coding import Code

from pacs_agent.inference.reading import FindingReading
from pacs_agent.results.codes import COUNT, COUNTS, LATERALITY, LOBES, SEVERITIES, SEVERITY, SIZE, SIZES, concept

_LARGEST = "large"
"""The word of the highest grade where grades are sizes."""


def finding_sites(finding: FindingReading) -> list[FindingSite]:
    """Each lobe of a finding, or its site with the laterality where there is one; never none. PS3.16 TID 1501."""
    said = finding.attributes
    if said.lobes:
        return [_lobe(lobe) for lobe in said.lobes]
    return [FindingSite(concept(finding.label.site), laterality=LATERALITY.get(said.all_sides))]


def qualities(finding: FindingReading) -> list[QualitativeEvaluation]:
    """Grade and count of a finding; empty where nothing is said of them."""
    said = finding.attributes
    found = [QualitativeEvaluation(*_grade(said.grade, finding.grades))] if said.grade is not None else []
    return [*found, QualitativeEvaluation(COUNT, COUNTS[said.count])] if said.count in COUNTS else found


def grades_are_sizes(words: tuple[str, ...]) -> bool:
    """Whether a finding's grades are sizes; else they are severities. It shows in the word for the highest."""
    return words[-1:] == (_LARGEST,)


def _lobe(lobe: str) -> FindingSite:
    side, level, _ = lobe.split()
    return FindingSite(LOBES[level], laterality=None if level == "middle" else LATERALITY[(side,)])


def _grade(grade: int, words: tuple[str, ...]) -> tuple[Code, Code]:
    return (SIZE, SIZES[grade]) if grades_are_sizes(words) else (SEVERITY, SEVERITIES[grade])
