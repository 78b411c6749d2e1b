"""A reading, and one of an earlier study of the same patient."""

from study_readings import LABELS, SERIES_UID, finding, reading, series

from pacs_agent.imaging.series import OrderedSeries
from pacs_agent.inference.attributes import Attributes
from pacs_agent.inference.reading import FindingReading, Presence, PriorStudy, StudyReading
from pacs_agent.results import since_prior

PRIOR = PriorStudy(study_instance_uid="1.2.826.0.1.3680043.8.498.1000", study_date="20250503", job_id="earlier")
SIZES, SEVERITIES = ("small", "moderate", "large"), ("mild", "moderate", "severe")
PRIOR_SERIES_UID = SERIES_UID.replace("2001", "2000")


def prior_series(of: OrderedSeries) -> OrderedSeries:
    """The same series under other UIDs, of the prior study."""
    slices = tuple(
        one.model_copy(update={"sop_instance_uid": one.sop_instance_uid.replace(SERIES_UID, PRIOR_SERIES_UID)})
        for one in of.slices
    )
    uids = {"study_instance_uid": PRIOR.study_instance_uid, "series_instance_uid": PRIOR_SERIES_UID}
    return of.model_copy(update={"slices": slices, **uids})


def compared(frames: bool = False) -> StudyReading:
    """A reading with every kind of change since its prior study."""
    of = series(9 if frames else 4, frames=frames)
    said: list[tuple[Presence, Presence, Attributes, Attributes]] = [
        (Presence.PRESENT, Presence.ABSENT, Attributes(sides=("right",)), Attributes()),
        (Presence.ABSENT, Presence.PRESENT, Attributes(), Attributes()),
        (Presence.PRESENT, Presence.PRESENT, Attributes(grade=2), Attributes(grade=0)),
        (Presence.PRESENT, Presence.PRESENT, Attributes(grade=0), Attributes(grade=2)),
        (Presence.PRESENT, Presence.PRESENT, Attributes(), Attributes()),
        (Presence.PRESENT, Presence.PRESENT, Attributes(grade=1), Attributes(grade=1)),
        (Presence.PRESENT, Presence.UNCERTAIN, Attributes(), Attributes()),
        (Presence.PRESENT, Presence.PRESENT, Attributes(grade=1), Attributes(grade=2)),
        (Presence.ABSENT, Presence.ABSENT, Attributes(), Attributes()),
    ]
    assert len(said) == len(LABELS)
    before = prior_series(of)
    now = tuple(_said(n, each[0], each[2], of) for n, each in enumerate(said))
    then = tuple(_said(n, each[1], each[3], before) for n, each in enumerate(said))
    read = reading("present", of).model_copy(update={"findings": now})
    earlier = reading("present", before).model_copy(update={"findings": then})
    return read.model_copy(update={"since_prior": since_prior(read, earlier, PRIOR)})


def _said(number: int, presence: Presence, attributes: Attributes, of: OrderedSeries) -> FindingReading:
    made = finding(number, 0.5, presence, of)
    return made.model_copy(update={"attributes": attributes, "grades": SIZES if number % 2 == 0 else SEVERITIES})
