"""What is told of studies."""

from datetime import date, datetime

from pydantic import BaseModel, ConfigDict, Field

from pacs_agent.console.frame import Asked, Page
from pacs_agent.console.queue import JobShown
from pacs_agent.console.readings import Measurements
from pacs_agent.db import JobState, StudyState


class _Model(BaseModel):
    model_config = ConfigDict(use_attribute_docstrings=True)


class StudiesAsked(Asked):
    """Which studies are asked for; what is left empty does not matter.

    Names and IDs are searched by their beginning, without case and accents; with `*` in front, anywhere.
    """

    name: str = Field("", max_length=64, description="beginning of the patient's name, the family name first")
    patient_id: str = Field("", max_length=64, description="beginning of the Patient ID")
    accession: str = Field("", max_length=16, description="beginning of the accession number")
    uid: str = Field("", max_length=64, description="Study Instance UID")
    since: date | None = Field(None, description="study date, first day")
    until: date | None = Field(None, description="study date, last day")
    modality: str = Field("", max_length=16, description="a modality of the study, such as CT")
    state: StudyState | None = None
    job: JobState | None = Field(None, description="state of the newest reading")


class StudyRow(_Model):
    """A study in a list."""

    study_instance_uid: str
    patient_name: str
    """As in DICOM: Family^Given."""
    patient_id: str
    birth_date: str
    """YYYYMMDD, as in DICOM."""
    sex: str
    study_date: str
    study_time: str
    accession_number: str
    description: str
    modalities: list[str]
    images: int
    """Instances received."""
    expected: int | None
    """As many as it has by a count that is known; None where none is, or where more came than it says."""
    expected_from: str
    """Whose count that is, in words."""
    state: StudyState
    state_reason: str
    job: str
    """The newest reading; empty when there is none."""
    job_state: JobState | None
    job_error: str
    job_lacks: str
    """What its result lacks though it was made, and why; empty when it lacks nothing."""
    last_received_at: datetime


class StudyList(Page[StudyRow]):
    """A page of the studies, the one that grew last first."""


class SeriesShown(_Model):
    """A series and what there is of it."""

    series_instance_uid: str
    number: int | None
    modality: str
    description: str
    body_part: str
    instances: int
    size_bytes: int
    is_ours: bool
    """Made by the agent."""


class Arrival(_Model):
    """Instances that came from one peer, without a pause of half a minute between two."""

    source: str
    """AE title and address, or what else brought them."""
    instances: int
    size_bytes: int
    began_at: datetime
    ended_at: datetime


class Moment(_Model):
    """Something that happened to the study."""

    at: datetime
    ended_at: datetime | None = None
    what: str
    said: str = ""
    by: str = ""
    kind: str = "quiet"
    """good, busy, warning, bad or quiet."""
    job: str = ""


class StudyPage(_Model):
    """A study with all that is known of it."""

    study: StudyRow
    referring_physician: str
    study_id: str
    first_received_at: datetime
    complete_at: datetime | None
    complete_by: str
    """By which sign it was found complete the last time, in words."""
    decision: list[str]
    """What each rule said and why, a line each."""
    series: list[SeriesShown]
    arrivals: list[Arrival]
    timeline: list[Moment]
    jobs: list[JobShown]
    """The newest first."""
    has_more_jobs: bool
    measurements: Measurements | None
    """Of the newest reading; null where no segmenter looked."""
    viewer: str
    """Path of the study in the viewer."""
    is_busy: bool
    """A job of it is not over."""


class Told(_Model):
    """What something is, and the attribute that decided it, in words."""

    value: str
    reason: str
    corrected_by: str
    """The correction of the rules that said so; empty where the images themselves did."""


class NumberTold(_Model):
    """A number, or null where there is none, and the attribute that decided it, in words."""

    value: float | None
    reason: str
    corrected_by: str


class PhaseTold(_Model):
    """Which of several acquisitions of one place it is, in order of time, from 1; null where there is one."""

    number: int | None
    count: int | None
    after_first_s: float | None
    """Seconds since the first of them."""
    reason: str


class StackShown(_Model):
    """Slices of one series that make one volume, and what they are."""

    series_instance_uid: str
    series_number: int
    description: str
    modality: str
    name: str
    """All of it in short: `T1 axial, fat nulled, after contrast, phase 2 of 5`."""
    plane: Told
    tilt_deg: float
    """Between the slice normal and the nearest axis of the patient."""
    weighting: Told
    nulling: Told
    component: Told
    contrast: Told
    bolus_phase: Told
    """Where the bolus was when CT was taken; empty where nothing says so."""
    kernel: str
    """Convolution Kernel of CT."""
    b_value: NumberTold
    """In s/mm²."""
    phase: PhaseTold
    repetition: int | None
    """Which of several images of one place and b-value."""
    corrected_by: list[str]
    """The corrections of the rules that said some of it."""
    echo_ms: float | None
    is_derived: bool
    slices: int
    gaps_mm: tuple[float, float] | None
    """The smallest and the largest distance between neighbouring slices; null of a single slice."""


class ImagesLeftOut(_Model):
    """Images that are in no stack, and why."""

    reason: str
    images: int


class StudyStacks(_Model):
    """What the images of a study are: the stacks of its series, in their order."""

    study_instance_uid: str
    images: int
    """Looked at: those received, without the agent's own documents."""
    stacks: list[StackShown]
    left_out: list[ImagesLeftOut]
    fault: str
    """Why the corrections of the rules were not asked; empty when they were."""


class DeleteStudy(BaseModel):
    """How a study is deleted."""

    even_undelivered: bool = Field(False, description="also when a destination lacks a result of it")
