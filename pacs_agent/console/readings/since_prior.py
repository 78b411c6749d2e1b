"""What changed since the prior study, on the wire."""

from collections.abc import Iterable
from datetime import date

from pacs_agent.console.readings.models import ChangeOfFinding, SincePrior, SliceNamed
from pacs_agent.inference import StudyReading
from pacs_agent.inference.reading import FindingChange, PriorSlice, SliceEvidence
from pacs_agent.results import SLICES_OF_CHANGE


def changes_shown(reading: StudyReading, study_date: str) -> SincePrior | None:
    """The changes with both dates and the slices of both studies; None where no prior was found.

    `study_date`: of the study itself, YYYYMMDD; empty where it is not known.
    """
    since = reading.since_prior
    if since is None:
        return None
    return SincePrior(
        study_date=_iso(study_date),
        prior_study_instance_uid=since.prior.study_instance_uid if since.prior else None,
        prior_study_date=_iso(since.prior.study_date) if since.prior else None,
        prior_series_instance_uid=since.series_instance_uid or None,
        not_compared=since.not_compared,
        findings=tuple(_change(one, reading) for one in since.findings),
    )


def _change(one: FindingChange, reading: StudyReading) -> ChangeOfFinding:
    now = reading.finding(one.finding).evidence[:SLICES_OF_CHANGE]
    return ChangeOfFinding(
        finding=one.finding,
        change=one.change,
        sides=one.sides,
        by=one.by,
        value=one.value,
        prior_value=one.prior_value,
        obstacle=one.obstacle,
        slices=_named(now),
        prior_slices=_named(one.prior_slices),
    )


def _named(slices: Iterable[SliceEvidence | PriorSlice]) -> tuple[SliceNamed, ...]:
    return tuple(SliceNamed(sop_instance_uid=one.sop_instance_uid, frame_number=one.frame_number) for one in slices)


def _iso(study_date: str) -> str | None:
    try:
        return date.fromisoformat(study_date).isoformat()
    except ValueError:
        return None
