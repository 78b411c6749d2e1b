"""What the model says becomes DICOM: one builder for each object, and the bytes to send.

In: a StudyReading or a Refusal, the headers of the source slices, facts of the job. Out: a pydicom Dataset, the same
bytes for the same input. Fails with UnusableEvidence when headers, reading and facts contradict each other.
"""

from pacs_agent.results.ai_result import compose_ai_result
from pacs_agent.results.draft_report import compose_draft_report
from pacs_agent.results.facts import DocumentFacts, ObjectKind, Predecessor, Refusal, UnusableEvidence
from pacs_agent.results.no_result import compose_no_result
from pacs_agent.results.part10 import write_bytes

__all__ = [
    "DocumentFacts",
    "ObjectKind",
    "Predecessor",
    "Refusal",
    "UnusableEvidence",
    "compose_ai_result",
    "compose_draft_report",
    "compose_no_result",
    "write_bytes",
]
