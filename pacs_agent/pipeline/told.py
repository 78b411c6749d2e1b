"""What follows from a reading besides its objects: it is counted, compared, and read again in the shadow."""

from pydantic import ValidationError
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from sqlalchemy import select
from sqlalchemy.orm import Session

from pacs_agent.archive import UNREADABLE_FILE, Archive, NotArchived
from pacs_agent.db import SHADOW_PIPELINE, Database, Instance, Job, utc_now
from pacs_agent.inference import StudyReading, count_reading
from pacs_agent.pipeline.shadow import keep_pair, queue_shadow
from pacs_agent.pipeline.stages import Documents


def reading_of(documents: Documents) -> StudyReading | None:
    """The reading that a job has come to, where there is one and it is of a study's findings."""
    try:
        return StudyReading.model_validate(documents.reading) if documents.reading else None
    except ValidationError:
        return None


def header_of(database: Database, archive: Archive, reading: StudyReading | None) -> Dataset:
    """The header of the first slice that was read; an empty one where it cannot be read."""
    if reading is None:
        return Dataset()
    first = Instance.sop_instance_uid == reading.series.slices[0].sop_instance_uid
    with database.reading() as session:
        digest = session.scalar(select(Instance.digest).where(first))
    try:
        return archive.read(digest, stop_before_pixels=True) if digest else Dataset()
    except (NotArchived, *UNREADABLE_FILE):
        return Dataset()


def follow_up(session: Session, job: Job, reading: StudyReading, header: Dataset) -> None:
    """Once for each job that has come to a reading, in the transaction that keeps it."""
    count_reading(session, reading, _text(header, "Manufacturer"), _text(header, "ConvolutionKernel"), utc_now())
    if job.pipeline == SHADOW_PIPELINE:
        keep_pair(session, job, reading)
    else:
        queue_shadow(session, job)


def _text(header: Dataset, keyword: str) -> str:
    """A value as text; of several the first (of a kernel the filter's name)."""
    try:
        value = header.get(keyword)
        first = value[0] if isinstance(value, MultiValue) else value
    except UNREADABLE_FILE:
        return ""
    return "" if first is None else str(first)
