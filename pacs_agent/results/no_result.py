"""No result."""
from collections.abc import Sequence

from pydicom.dataset import Dataset

from pacs_agent.inference.reading import BundleIdentity
from pacs_agent.results.facts import DocumentFacts, Refusal


def compose_no_result(
    refusal: Refusal, evidence: Sequence[Dataset], facts: DocumentFacts, bundle: BundleIdentity | None = None
) -> Dataset:
    """Says in DICOM why nothing can be said of a study."""
    raise NotImplementedError
