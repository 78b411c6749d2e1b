"""Draft report."""
from collections.abc import Sequence

from pydicom.dataset import Dataset

from pacs_agent.inference.reading import StudyReading
from pacs_agent.results.facts import DocumentFacts


def compose_draft_report(reading: StudyReading, evidence: Sequence[Dataset], facts: DocumentFacts) -> Dataset:
    """The reading as text for people: Basic Text SR, TID 2000."""
    raise NotImplementedError
