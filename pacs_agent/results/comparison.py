"""What changed since the prior study, as content: a section of its own in both reports, and a quality of each finding.

Words are the agent's own, never the language model's.
"""

from collections.abc import Sequence
from datetime import date

from highdicom.sr import ContainerContentItem, ContentItem, DateContentItem, QualitativeEvaluation, UIDRefContentItem
from pydicom.dataset import Dataset
from pydicom.sr.coding import Code

from pacs_agent.inference.reading import Change, FindingChange, FindingReading, Obstacle, SincePrior, StudyReading
from pacs_agent.results.attributes import grades_are_sizes
from pacs_agent.results.codes import (
    ALSO_PRESENT,
    BASELINE,
    CHANGES,
    COMMENT,
    FINDING,
    LESS_MARKED,
    MORE_MARKED,
    QUALITATIVE_DIFFERENCE,
    STUDY_DATE,
    STUDY_INSTANCE_UID,
    concept,
)
from pacs_agent.results.content import CONTAINS, INFERRED_FROM, coded, container, image_of, text
from pacs_agent.results.sources import InstanceReference
from pacs_agent.results.stated import millilitres

_OBSTACLES = {
    Obstacle.UNCERTAIN: "it is uncertain in one of the two studies",
    Obstacle.PLACE: "in one of the two studies its side is not known",
    Obstacle.LOBES: "it is seen in other lobes",
    Obstacle.COUNT: "another number of them is seen",
    Obstacle.EXTENT: "it lies on another number of sides",
    Obstacle.GRADE: "its grades are too near to each other, or one is not known",
    Obstacle.CONTRADICTION: "its grade and its measurement changed in opposite ways",
}
_PLACES = {(): "", ("right",): " on the right", ("left",): " on the left", ("right", "left"): " on both sides"}


def comparison_section(reading: StudyReading, heading: Code) -> list[ContainerContentItem]:
    """The section under its heading; none where nothing is said of a prior. TID 2000 and TID 1500 are extensible."""
    since, prior = reading.since_prior, reading.since_prior.prior if reading.since_prior else None
    if since is None or not says_of_prior(since):
        return []
    if prior is None:
        return [container(heading, [text(COMMENT, f"Not compared with an earlier study. {since.not_compared}")])]
    day = date.fromisoformat(prior.study_date).isoformat()
    about = f"Not compared with the study of {day}. {since.not_compared}"
    if not since.not_compared:
        about = f"Compared with the study of {day}, by what the same version of the model said of each of the two."
    items: list[Dataset] = [
        text(COMMENT, about),
        DateContentItem(name=STUDY_DATE, value=prior.study_date, relationship_type=CONTAINS),
        UIDRefContentItem(name=STUDY_INSTANCE_UID, value=prior.study_instance_uid, relationship_type=CONTAINS),
    ]
    said = [text(FINDING, _sentence(one, reading, day), _grounds(one, reading, since)) for one in since.findings]
    if not said and not since.not_compared:
        said = [text(FINDING, "No finding is present or uncertain in either of the two.")]
    return [container(heading, [*items, *said])]


def says_of_prior(since: SincePrior | None) -> bool:
    """Whether documents say anything of a prior: not where there is none, or where it may be somebody else's."""
    return since is not None and (since.prior is not None or since.search_failed)


def changes_of(finding: FindingReading, since: SincePrior | None) -> list[QualitativeEvaluation]:
    """How a finding stands beside the prior study, each inferred from its slices there; empty where it is not said."""
    return [_evaluation(one, finding, since) for one in since.of_finding(finding.label.key)] if since else []


def prior_references(since: SincePrior | None) -> list[InstanceReference]:
    """The slices of the prior study that a document refers to."""
    if since is None or since.prior is None:
        return []
    return sorted({each for one in since.findings for each, _ in _baseline(one, since)})


def _evaluation(change: FindingChange, finding: FindingReading, since: SincePrior) -> QualitativeEvaluation:
    evaluation = QualitativeEvaluation(QUALITATIVE_DIFFERENCE, _code(change, finding))
    if images := _images(change, since):
        evaluation[0].add_new("ContentSequence", "SQ", images)
    return evaluation


def _code(change: FindingChange, finding: FindingReading) -> Code:
    """CID 6134 where it is of the size; a grade that is no size, and presence alone, have codes of our own."""
    if change.by == "presence" and change.change is Change.UNCHANGED:
        return ALSO_PRESENT
    if change.by == "grade" and not grades_are_sizes(finding.grades):
        return {Change.LARGER: MORE_MARKED, Change.SMALLER: LESS_MARKED}.get(change.change, CHANGES[change.change])
    return CHANGES[change.change]


def _grounds(change: FindingChange, reading: StudyReading, since: SincePrior) -> list[ContentItem]:
    """The code of the finding, and its slices in the prior study."""
    finding = reading.finding(change.finding)
    stated = coded(FINDING, concept(finding.label.code), relationship=INFERRED_FROM)
    return [stated, *_images(change, since)]


def _images(change: FindingChange, since: SincePrior) -> list[ContentItem]:
    return [image_of(BASELINE, source, frame, INFERRED_FROM) for source, frame in _baseline(change, since)]


def _baseline(change: FindingChange, since: SincePrior) -> list[tuple[InstanceReference, int | None]]:
    study_uid = since.prior.study_instance_uid if since.prior else ""
    return [
        (
            InstanceReference(
                study_uid,
                one.series_instance_uid or since.series_instance_uid,
                one.sop_class_uid,
                one.sop_instance_uid,
            ),
            one.frame_number,
        )
        for one in change.prior_slices
    ]


def _sentence(change: FindingChange, reading: StudyReading, day: str) -> str:
    """As in: Pleural effusion on the left: larger than on 2026-05-03 (420 mL, then 300 mL)."""
    finding = reading.finding(change.finding)
    said = {
        Change.NEW: f"new since {day}",
        Change.GONE: f"present on {day}, not found now",
        Change.LARGER: f"{_more(change, finding)} than on {day}",
        Change.SMALLER: f"{_less(change, finding)} than on {day}",
        Change.UNCHANGED: f"without significant change since {day}",
        Change.NOT_COMPARABLE: f"cannot be compared with {day}: {_OBSTACLES.get(change.obstacle or Obstacle.GRADE)}",
    }[change.change]
    if change.by == "presence" and change.change is Change.UNCHANGED:
        said = f"present on {day} as well; nothing is known of its size to compare"
    return f"{finding.label.name}{_PLACES[change.sides]}: {said}{_values(change, finding.grades)}."


def _more(change: FindingChange, finding: FindingReading) -> str:
    return "larger" if change.by != "grade" or grades_are_sizes(finding.grades) else "more marked"


def _less(change: FindingChange, finding: FindingReading) -> str:
    return "smaller" if change.by != "grade" or grades_are_sizes(finding.grades) else "less marked"


def _values(change: FindingChange, grades: Sequence[str]) -> str:
    if change.value is None or change.prior_value is None:
        return ""
    now, then = (_in_words(change.by, value, grades) for value in (change.value, change.prior_value))
    return f" ({now}, then {then})" if now and then else ""


def _in_words(by: str, value: float, grades: Sequence[str]) -> str:
    if by == "grade":
        return grades[int(value)] if int(value) < len(grades) else ""
    return millilitres(value) if by == "volume" else f"{value:.0f} mm"
