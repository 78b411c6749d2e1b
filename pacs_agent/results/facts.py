"""What a document must be told besides the reading and the images: when, from what, in place of what, or why not."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from pacs_agent import __version__


class UnusableEvidence(Exception):
    """The headers or facts handed over cannot carry a document; the text says what is missing or contradicts what."""


class ObjectKind(StrEnum):
    """The objects the agent writes; the value is the `kind` of `result_objects`."""

    AI_RESULT = "ai_result"
    DRAFT_REPORT = "draft_report"
    NO_RESULT = "no_result"
    ASSESSMENT = "assessment"
    VERIFIED_REPORT = "verified_report"
    SEGMENTATION = "segmentation"
    KEY_OBJECTS = "key_objects"
    SALIENCY_MAP = "saliency_map"
    SECONDARY_CAPTURE = "secondary_capture"


BESIDE_REPORTS = frozenset(
    {ObjectKind.SEGMENTATION, ObjectKind.KEY_OBJECTS, ObjectKind.SALIENCY_MAP, ObjectKind.SECONDARY_CAPTURE}
)
"""What shows in images what the reports say; a destination can do without."""


@dataclass(frozen=True)
class Predecessor:
    """A document that the new one takes the place of. PS3.3 C.17.2, Predecessor Documents Sequence."""

    kind: ObjectKind
    sop_class_uid: str
    sop_instance_uid: str
    study_instance_uid: str
    series_instance_uid: str


@dataclass(frozen=True)
class DocumentFacts:
    """Facts of the job a document belongs to.

    `composed_at` is part of the document and of its UIDs. Take a time that stays the same when the job is repeated
    (the job's own `created_at`), never the clock, or a repeated step makes a second document. Its zone is the zone of
    the dates and times written. `predecessors` are all objects of the job that this one supersedes.
    `lacks`: what is expected of the study and has not come, in a sentence; empty when nothing is missing.

    Raises UnusableEvidence when `composed_at` has no zone or `input_digest` is empty.
    """

    composed_at: datetime
    input_digest: str
    predecessors: tuple[Predecessor, ...] = ()
    software_version: str = __version__
    lacks: str = ""

    def __post_init__(self) -> None:
        if self.composed_at.tzinfo is None:
            raise UnusableEvidence(f"composed_at {self.composed_at.isoformat()} has no zone; give an aware time")
        if not self.input_digest:
            raise UnusableEvidence("input_digest is empty; give the digest over all images of the study")


@dataclass(frozen=True)
class Refusal:
    """Why nothing can be said of a study: a short code for machines (`too-few-slices`), a sentence for people."""

    code: str
    reason: str
