"""The summary of a reading as Secondary Capture, with pictures decoded from the archive."""

from collections.abc import Iterator, Sequence

from numpy import float32
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from pacs_agent.config import ResultsSettings
from pacs_agent.imaging import UnusableImages, decoded, hounsfield_units
from pacs_agent.inference import StudyReading
from pacs_agent.ops import get_log
from pacs_agent.pipeline.stages import Document, JobFacts
from pacs_agent.results import DocumentFacts, ObjectKind, compose_secondary_capture, pictured, write_bytes

_log = get_log("pipeline")


def summary(
    wanted: ResultsSettings, job: JobFacts, reading: StudyReading, evidence: Sequence[Dataset], facts: DocumentFacts
) -> tuple[Document, ...]:
    """The summary of a reading, where it is wanted; not in a rehearsal, whose documents nobody keeps."""
    if not wanted.secondary_capture or not job.job_id:
        return ()
    return (secondary_capture(reading, evidence, facts),)


def secondary_capture(reading: StudyReading, evidence: Sequence[Dataset], facts: DocumentFacts) -> Document:
    """The summary; a slice that cannot be decoded is said not to be shown."""
    capture = compose_secondary_capture(reading, evidence, facts, dict(_values(reading)))
    return Document(ObjectKind.SECONDARY_CAPTURE, write_bytes(capture))


def _values(reading: StudyReading) -> Iterator[tuple[tuple[str, int | None], NDArray[float32]]]:
    for each in pictured(reading):
        one = each.slice
        try:
            [stored] = decoded([one])
            values = hounsfield_units(stored, one.slope, one.intercept)
        except (UnusableImages, OSError) as why:
            _log.warning("a slice has no picture in the summary", reason=str(why))
            continue
        yield (one.sop_instance_uid, one.frame_number), values
