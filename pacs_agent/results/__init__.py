"""What the model says becomes DICOM: one builder for each object, and the bytes to send.

In: a StudyReading, a Segmentation, a Refusal or a ReviewedReading, headers of source images, facts of the job. Out: a
pydicom Dataset, the same bytes for the same input; of a reading FHIR as well. Fails with UnusableEvidence when headers,
reading and facts contradict each other.
"""

from pacs_agent.results.ai_result import compose_ai_result
from pacs_agent.results.assessment import compose_assessment
from pacs_agent.results.diagnostic_report import FhirResource, Subject, compose_diagnostic_report
from pacs_agent.results.draft_report import compose_draft_report
from pacs_agent.results.facts import DocumentFacts, ObjectKind, Predecessor, Refusal, UnusableEvidence
from pacs_agent.results.handled import REASONS, Action, Edited, FindingReview, Reviewer, SliceSeen
from pacs_agent.results.key_objects import compose_key_objects
from pacs_agent.results.no_result import compose_no_result
from pacs_agent.results.part10 import write_bytes
from pacs_agent.results.reviewed import ReviewedReading
from pacs_agent.results.saliency_map import compose_saliency_map
from pacs_agent.results.secondary_capture import compose_secondary_capture, pictured
from pacs_agent.results.segmentation import compose_segmentation
from pacs_agent.results.since_prior import SLICES_OF_CHANGE, since_prior
from pacs_agent.results.sources import InstanceReference
from pacs_agent.results.stated import stated_regions, with_measurements
from pacs_agent.results.verified_report import compose_verified_report

__all__ = [
    "REASONS",
    "SLICES_OF_CHANGE",
    "Action",
    "DocumentFacts",
    "Edited",
    "FhirResource",
    "FindingReview",
    "InstanceReference",
    "ObjectKind",
    "Predecessor",
    "Refusal",
    "ReviewedReading",
    "Reviewer",
    "SliceSeen",
    "Subject",
    "UnusableEvidence",
    "compose_ai_result",
    "compose_assessment",
    "compose_diagnostic_report",
    "compose_draft_report",
    "compose_key_objects",
    "compose_no_result",
    "compose_saliency_map",
    "compose_secondary_capture",
    "compose_segmentation",
    "compose_verified_report",
    "pictured",
    "since_prior",
    "stated_regions",
    "with_measurements",
    "write_bytes",
]
