"""Side, lobe, grade and count of a finding as coded content: its sites, and what is said of it in qualities."""

from highdicom.sr import FindingSite, QualitativeEvaluation
from pydicom.sr.coding import Code

from pacs_agent.inference.reading import FindingReading
from pacs_agent.results.codes import (
    COUNT,
    COUNTS,
    GRADE,
    LATERALITY,
    LOBES,
    SEVERITIES,
    SEVERITY,
    SIZE,
    SIZES,
    concept,
    level,
)

_LARGEST = "large"
"""The word of the highest grade where grades are sizes."""
_MIDDLE = "moderate"
"""The word of the middle one where three grades are severities."""


def finding_sites(finding: FindingReading) -> list[FindingSite]:
    """Each lobe of a finding, or its site with the laterality where there is one; never none. PS3.16 TID 1501."""
    said = finding.attributes
    if said.lobes:
        return [_lobe(lobe) for lobe in said.lobes]
    return [FindingSite(concept(finding.label.site), laterality=LATERALITY.get(said.all_sides))]


def qualities(finding: FindingReading) -> list[QualitativeEvaluation]:
    """Grade and count of a finding; empty where nothing is said of them."""
    said = finding.attributes
    found = [QualitativeEvaluation(name, value) for name, value in grade_of(finding)]
    return [*found, QualitativeEvaluation(COUNT, COUNTS[said.count])] if said.count in COUNTS else found


def grade_of(finding: FindingReading) -> list[tuple[Code, Code]]:
    """What a finding's grade is of and its code; empty where it has none.

    Where the words are neither sizes nor severities they are levels of the model's own, with codes of our own. Readings
    from before words were kept have severities.
    """
    grade, words = finding.attributes.grade, finding.grades
    if grade is None or (words and grade >= len(words)):
        return []
    if grades_are_sizes(words) and len(words) == len(SIZES):
        return [(SIZE, SIZES[grade])]
    if not words or (len(words) == len(SEVERITIES) and words[1] == _MIDDLE):
        return [(SEVERITY, SEVERITIES[grade])]
    return [(GRADE, level(finding.label.key, words[grade]))]


def grades_are_sizes(words: tuple[str, ...]) -> bool:
    """Whether a finding's grades are sizes; else they are severities. It shows in the word for the highest."""
    return words[-1:] == (_LARGEST,)


def _lobe(lobe: str) -> FindingSite:
    side, level, _ = lobe.split()
    return FindingSite(LOBES[level], laterality=None if level == "middle" else LATERALITY[(side,)])
