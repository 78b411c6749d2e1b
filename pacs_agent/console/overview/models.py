"""What the overview says."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict

from pacs_agent.ops.doctor import Grade
from pacs_agent.ops.figures import HourOfWork, QueueNow, StorageNow, TimeToReport, WorkerNow


class _Model(BaseModel):
    model_config = ConfigDict(use_attribute_docstrings=True)


class Trouble(_Model):
    """Something that is wrong, and what to do about it."""

    name: str
    grade: Grade
    words: str
    advice: str
    page: str
    """Path of the page where it is put right; empty where it is not done in the console."""


class Well(_Model):
    """Something that was checked and is as it should be."""

    name: str
    words: str


class GraphicsProcessor(_Model):
    """A GPU of this machine, as its driver describes it."""

    name: str
    busy_percent: float
    memory_used_bytes: float
    memory_bytes: float


class Machine(_Model):
    """What models run on here."""

    provider: str
    """cuda or cpu: what `inference.provider` leads to on this machine."""
    gpus: list[GraphicsProcessor]


class Associations(_Model):
    """Associations with the listener."""

    open: int | None
    """None when the listener does not say."""
    most: int


class Last24Hours(_Model):
    """Sums of the hours shown."""

    studies: int
    images: int
    reported: int
    failed: int


class Overview(_Model):
    """Whether anything is wrong, and what the agent is doing."""

    at: datetime
    version: str
    troubles: list[Trouble]
    well: list[Well]
    queue: QueueNow
    time_to_report: TimeToReport
    """Of the last 24 hours."""
    last_24_hours: Last24Hours
    storage: StorageNow
    workers: list[WorkerNow]
    machine: Machine
    associations: Associations
    hours: list[HourOfWork]

    @property
    def grade(self) -> Grade:
        """The worst of all troubles."""
        grades = {trouble.grade for trouble in self.troubles}
        return Grade.BAD if Grade.BAD in grades else Grade.WARNING if grades else Grade.GOOD


class Hours(_Model):
    """The last 24 hours, oldest first; the last of them still runs."""

    hours: list[HourOfWork]
