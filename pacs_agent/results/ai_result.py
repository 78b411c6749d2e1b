"""AI result."""
from collections.abc import Sequence

from pydicom.dataset import Dataset

from pacs_agent.inference.reading import StudyReading
from pacs_agent.results.facts import DocumentFacts


def compose_ai_result(reading: StudyReading, evidence: Sequence[Dataset], facts: DocumentFacts) -> Dataset:
    """The reading as Comprehensive 3D SR, TID 1500."""
    raise NotImplementedError
