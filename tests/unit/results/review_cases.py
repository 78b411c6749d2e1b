"""Reviews of every sort a document must be made of: name → reviewed reading and facts."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

from pydicom.dataset import Dataset
from pydicom.uid import BasicTextSRStorage, Comprehensive3DSRStorage
from study_cases import CASES as STUDIES
from study_cases import Case
from study_readings import FACTS, SERIES_UID, STUDY_UID, headers, reading

from pacs_agent.inference.reading import Presence
from pacs_agent.results import (
    Action,
    DocumentFacts,
    Edited,
    FindingReview,
    InstanceReference,
    ObjectKind,
    Predecessor,
    ReviewedReading,
    Reviewer,
    SliceSeen,
    compose_ai_result,
    compose_assessment,
    compose_draft_report,
    compose_verified_report,
)

ORGANIZATION = "Klinikum Großstadt"
REVIEWED_AT = datetime(2026, 1, 2, 14, 30, tzinfo=UTC)
ADA = Reviewer(login="ada", name="Dr. Ada Lovelace", person_name="Lovelace^Ada^^Dr.")

ACCEPTED = FindingReview(finding="nodule", action=Action.ACCEPTED)
REJECTED = FindingReview(finding="emphysema", action=Action.REJECTED, reason="not_there")
EDITED = FindingReview(
    finding="atelectasis",
    action=Action.EDITED,
    edited=Edited(presence=Presence.PRESENT, sides=("right",), lobes=("right lower lobe",), grade=2, comment="Dorsal."),
)
ADDED = FindingReview(
    finding="opacity",
    action=Action.ADDED,
    edited=Edited(presence=Presence.UNCERTAIN, sides=("left",)),
    slice=SliceSeen(sop_instance_uid=f"{SERIES_UID}.2", frame_number=None, point_px=(100.0, 30.5)),
)


def reviewed(*findings: FindingReview, case: Case | None = None, text: str | None = None) -> ReviewedReading:
    """A verified review, version 1, by Ada, of a reading, with references to the objects that said it."""
    read, evidence = case or (reading(), headers())
    ai_result, draft = compose_ai_result(read, evidence, FACTS), compose_draft_report(read, evidence, FACTS)
    known = {str(one.SOPInstanceUID): _reference(one) for one in evidence}
    return ReviewedReading(
        reading=read,
        read_at=FACTS.composed_at,
        version=1,
        verified=True,
        reviewer=ADA,
        organization=ORGANIZATION,
        findings=findings,
        text=text,
        ai_result=_reference(ai_result),
        draft_report=_reference(draft),
        images=known,
        header=evidence[0],
    )


def review_facts(*predecessors: Predecessor) -> DocumentFacts:
    """Facts of the job that writes a review."""
    return replace(FACTS, composed_at=REVIEWED_AT, predecessors=predecessors)


PREDECESSORS = (
    Predecessor(ObjectKind.ASSESSMENT, Comprehensive3DSRStorage, "2.25.11", STUDY_UID, "2.25.12"),
    Predecessor(ObjectKind.VERIFIED_REPORT, BasicTextSRStorage, "2.25.21", STUDY_UID, "2.25.22"),
)


def documents_of_review(review: ReviewedReading, facts: DocumentFacts | None = None) -> dict[str, Dataset]:
    """Both documents of a review."""
    facts = facts or review_facts()
    return {"assessment": compose_assessment(review, facts), "verified_report": compose_verified_report(review, facts)}


def _reference(one: Dataset) -> InstanceReference:
    keywords = ("StudyInstanceUID", "SeriesInstanceUID", "SOPClassUID", "SOPInstanceUID")
    return InstanceReference(*(str(one[keyword].value) for keyword in keywords))


def _all_actions() -> ReviewedReading:
    """Five findings: present, absent, present, absent, present; atelectasis is made uncertain by the model."""
    read = reading("present", findings_read=3)
    odd = reading("uncertain", findings_read=4).findings[3]
    read = read.model_copy(update={"findings": (*read.findings, odd)})
    return reviewed(ACCEPTED, ADDED, REJECTED, EDITED, case=(read, headers()))


def _enhanced() -> ReviewedReading:
    seen = ADDED.model_copy(update={"slice": SliceSeen(sop_instance_uid=f"{SERIES_UID}.1", frame_number=7)})
    return reviewed(ACCEPTED, seen, REJECTED, case=STUDIES["enhanced multi-frame"]())


def _magnetic_resonance() -> Case:
    read, evidence = STUDIES["MR"]()
    bundle = read.bundle.model_copy(update={"demo": False, "name": "msvlm-prostate"})
    return read.model_copy(update={"bundle": bundle}), evidence


UMLAUTS = "Befund:\nKleiner Rundherd, größer geworden.\n\nBeurteilung:\nGrößenzunahme – Verlaufskontrolle."
JAPANESE = Reviewer(login="yamada", name="山田太郎", person_name="Yamada^Tarou=山田^太郎=やまだ^たろう")
SOUGHT = FindingReview(finding="emphysema", action=Action.REJECTED, reason="Nur Überblähung, kein Emphysem <b>!</b>")

REVIEWS: dict[str, Callable[[], tuple[ReviewedReading, DocumentFacts]]] = {
    "all actions": lambda: (_all_actions(), review_facts()),
    "accepted as drafted": lambda: (reviewed(ACCEPTED), review_facts()),
    "all rejected": lambda: (
        reviewed(FindingReview(finding="nodule", action=Action.REJECTED, reason="known"), REJECTED),
        review_facts(),
    ),
    "no findings": lambda: (reviewed(case=(reading("nothing"), headers())), review_facts()),
    "German text": lambda: (reviewed(ACCEPTED, SOUGHT, text=UMLAUTS), review_facts()),
    "Japanese names": lambda: (
        replace(reviewed(ACCEPTED, REJECTED, case=STUDIES["Japanese name"]()), reviewer=JAPANESE),
        review_facts(),
    ),
    "Japanese text": lambda: (reviewed(ACCEPTED, REJECTED, text="右上葉に結節を認める。"), review_facts()),
    "addendum": lambda: (replace(reviewed(ACCEPTED, REJECTED), version=2), review_facts(*PREDECESSORS)),
    "enhanced multi-frame": lambda: (_enhanced(), review_facts()),
    "MR, not a demo model": lambda: (reviewed(ACCEPTED, REJECTED, case=_magnetic_resonance()), review_facts()),
    "compared with a prior": lambda: (
        reviewed(ACCEPTED, REJECTED, case=STUDIES["compared with a prior"]()),
        review_facts(),
    ),
    "odd values": lambda: (reviewed(ACCEPTED, case=STUDIES["odd values"]()), review_facts()),
    "talkative model": lambda: (reviewed(ACCEPTED, case=STUDIES["talkative model"]()), review_facts()),
}
