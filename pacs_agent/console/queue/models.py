"""What is told of jobs and of the queue."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field

from pacs_agent.console.frame import Asked, Page
from pacs_agent.db import JobState


class _Model(BaseModel):
    model_config = ConfigDict(use_attribute_docstrings=True)


class JobsAsked(Asked):
    """Which jobs are asked for; what is left empty does not matter."""

    state: JobState | None = None
    pipeline: str = Field("", max_length=64)


class DeadLettersAsked(Asked):
    """Which failed jobs are asked for; what is left empty does not matter."""

    pipeline: str = Field("", max_length=64)
    destination: str = Field("", max_length=64, description="one that an object of the job did not reach")
    error: str = Field("", max_length=200, description="part of the reason")


class RetryAll(BaseModel):
    """Which failed jobs are run again; with everything empty all of them."""

    pipeline: str = Field("", max_length=64)
    destination: str = Field("", max_length=64)
    error: str = Field("", max_length=200)


class NewPriority(BaseModel):
    """The priority to give."""

    priority: int = Field(ge=1, le=1_000_000, description="the lowest number is read first")


class WhySuspend(BaseModel):
    """What everybody is told while the work is suspended."""

    reason: str = Field("", max_length=500)


class JobRow(_Model):
    """A job in a list."""

    id: str
    study_instance_uid: str
    patient_name: str
    description: str
    state: JobState
    progress: float
    """0 to 1."""
    pipeline: str
    rule: str
    bundle: str
    """The model that read; empty while none was chosen."""
    segmenter: str
    """The model whose measurements the result has; empty when nothing was measured."""
    priority: int
    destinations: list[str]
    run: int
    """How often it was put into the queue."""
    error: str
    lacks: str
    """What the result lacks though it was made, and why; empty when it lacks nothing."""
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    seconds: float | None
    """From its first begin to its end, or until now."""


class Waiting(_Model):
    """A job that waits, and how many are before it."""

    position: int
    """From 1."""
    job: JobRow


class StepNow(_Model):
    """What a job does at this moment."""

    name: str
    state: str
    detail: str
    worker: str
    """Host and process, or its executor id when it is gone."""
    since: datetime


class Active(_Model):
    """A job that is read or delivered."""

    job: JobRow
    steps: list[StepNow]


class FailedDelivery(_Model):
    """An object that a destination did not take."""

    destination: str
    state: str
    attempts: int
    answer: str


class DeadLetter(_Model):
    """A job that failed: why, and what to do."""

    job: JobRow
    deliveries: list[FailedDelivery]
    advice: str


class Count(_Model):
    """How many there are; counted no further than `at_most`, as lists may be very long."""

    number: int
    is_more: bool = False

    @property
    def words(self) -> str:
        """The number, or that there are more than that."""
        return f"over {self.number}" if self.is_more else str(self.number)


class SuspendedNow(_Model):
    """That no worker begins a job, since when, by whom and why."""

    since: datetime
    by: str
    reason: str


class QueuePage(_Model):
    """The queue at this moment."""

    suspended: SuspendedNow | None
    workers: list[str]
    """Those that live: host and process."""
    waiting: list[Waiting]
    """The first of them, in the order in which they begin."""
    waiting_count: Count
    active: list[Active]
    """The newest of them."""
    active_count: Count
    dead_letters: list[DeadLetter]
    """The newest of them."""
    dead_letter_count: Count


class StepShown(_Model):
    """A step of a job, with its place in the bar of times."""

    name: str
    state: str
    attempts: int
    detail: str
    worker: str
    started_at: datetime
    finished_at: datetime | None
    seconds: float | None
    """None while a delivery waits for its next attempt."""
    from_percent: float
    wide_percent: float


class DeliveryShown(_Model):
    """An object at a destination."""

    destination: str
    state: str
    attempts: int
    answer: str
    """What the destination said, or how it confirmed."""
    changed_at: datetime


class ObjectShown(_Model):
    """A DICOM object that the job made."""

    kind: str
    sop_instance_uid: str
    sop_class_uid: str
    sop_class: str
    """Its name in PS3.6."""
    created_at: datetime
    deliveries: list[DeliveryShown]


class PartShown(_Model):
    """A series, or a stack of it, that met what a rule expects."""

    series_instance_uid: str
    description: str
    stack: str
    """Empty for the whole series."""
    is_read: bool
    """Whether the job reads it, or read it."""


class ExpectationShown(_Model):
    """A series that a rule expects."""

    rule: str
    words: str
    required: bool
    met_by: list[PartShown]
    """Empty where it has not come."""


class JobShown(_Model):
    """A job with all that is known of it."""

    job: JobRow
    steps: list[StepShown]
    bar_seconds: float
    """What the whole bar stands for."""
    waited_seconds: float | None
    """From the study's completion to the first begin."""
    objects: list[ObjectShown]
    supersedes: str
    superseded_by: str
    advice: str
    """What to do, of a failed job."""
    sentences: list[str]
    """The draft report."""
    expected: list[ExpectationShown]
    """What its rules expect, and what of the study met it when the job was made."""


class JobPage(JobShown):
    """A job with what was said and done about it."""

    viewer: str
    """Path of the study in the viewer."""
    has_begun: bool


class JobList(Page[JobRow]):
    """A page of the jobs, the newest first."""


class DeadLetterList(Page[DeadLetter]):
    """A page of the failed jobs, the newest first."""

    count: Count
