"""Pipeline `review`: the documents of a saved review. It has one step of its own, `compose`; no rule may name it."""

from collections.abc import Iterable, Mapping

from pydicom.dataset import Dataset
from sqlalchemy import select
from sqlalchemy.orm import Session

from pacs_agent.archive import Archive, NotArchived
from pacs_agent.assemble import image_digests
from pacs_agent.db import Database, Instance, Job, ResultObject, Review, Series
from pacs_agent.inference import StudyReading
from pacs_agent.pipeline.errors import JobFailed
from pacs_agent.pipeline.stages import Document, Documents
from pacs_agent.results import (
    DocumentFacts,
    FindingReview,
    InstanceReference,
    ObjectKind,
    Predecessor,
    ReviewedReading,
    Reviewer,
    compose_assessment,
    compose_verified_report,
    write_bytes,
)


class ReviewDocuments:
    """Makes the documents of reviews; always the same bytes for the same review."""

    def __init__(self, database: Database, archive: Archive, organization: str) -> None:
        """`organization` is the one in whose name reports are verified."""
        self.database = database
        self.archive = archive
        self.organization = organization

    def compose(self, review_job_id: str) -> Documents:
        """The assessment and, where the review verifies, the verified report. Raises JobFailed."""
        with self.database.reading() as session:
            review = session.scalar(select(Review).where(Review.review_job_id == review_job_id))
            if review is None:
                raise JobFailed(f"job {review_job_id} belongs to no review; save the review again")
            reviewed = self._reviewed(session, review)
            facts = _facts(session, review)
        files = [Document(ObjectKind.ASSESSMENT, write_bytes(compose_assessment(reviewed, facts)))]
        if review.verified:
            report = compose_verified_report(reviewed, facts)
            files.append(Document(ObjectKind.VERIFIED_REPORT, write_bytes(report)))
        return Documents(tuple(files))

    def _reviewed(self, session: Session, review: Review) -> ReviewedReading:
        findings = tuple(FindingReview.model_validate(row, from_attributes=True) for row in review.findings)
        seen = [one.slice.sop_instance_uid for one in findings if one.slice]
        said = _objects(session, review.job)
        reading = StudyReading.model_validate(review.job.reading)
        return ReviewedReading(
            reading=reading,
            read_at=review.job.created_at.astimezone(),
            version=review.version,
            verified=review.verified,
            reviewer=Reviewer(login=review.login, name=review.name, person_name=review.person_name),
            organization=self.organization,
            findings=findings,
            text=review.text,
            ai_result=said[ObjectKind.AI_RESULT],
            draft_report=said[ObjectKind.DRAFT_REPORT],
            images=_images(session, review, seen),
            header=self._header(session, review.study_pk, reading.series.slices[0].sop_instance_uid),
        )

    def _header(self, session: Session, study_pk: int, first_slice: str) -> Dataset:
        """The header of the first slice that was read, for patient and study; where it is gone, of any image."""
        of_slice = session.scalars(select(Instance.digest).where(Instance.sop_instance_uid == first_slice))
        for digest in (*of_slice, *image_digests(session, study_pk)):
            try:
                return self.archive.read(digest, stop_before_pixels=True)
            except NotArchived:
                continue
        raise JobFailed("no image of the study is in the archive any more; send the study again, then rerun the job")


def _facts(session: Session, review: Review) -> DocumentFacts:
    """Dates and times are written in the hospital's zone, which is this machine's."""
    return DocumentFacts(review.created_at.astimezone(), review.job.input_digest, tuple(_predecessors(session, review)))


def _objects(session: Session, job: Job) -> dict[str, InstanceReference]:
    """The objects of the reading by kind. Raises JobFailed when one of the two is missing."""
    uid = job.study.study_instance_uid
    rows = session.scalars(select(ResultObject).where(ResultObject.job_id == job.id))
    said = {
        row.kind: InstanceReference(uid, row.series_instance_uid, row.sop_class_uid, row.sop_instance_uid)
        for row in rows
    }
    missing = {ObjectKind.AI_RESULT, ObjectKind.DRAFT_REPORT} - set(said)
    if missing:
        raise JobFailed(f"job {job.id} that was reviewed has no {' and no '.join(sorted(missing))}")
    return said


def _images(session: Session, review: Review, sop_instance_uids: Iterable[str]) -> Mapping[str, InstanceReference]:
    """The images of the study in which the reviewer saw findings."""
    query = select(Instance.sop_instance_uid, Instance.sop_class_uid, Series.series_instance_uid).join(Series)
    found = query.where(Series.study_pk == review.study_pk, Instance.sop_instance_uid.in_(list(sop_instance_uids)))
    study_uid = review.study.study_instance_uid
    return {
        row.sop_instance_uid: InstanceReference(
            study_uid, row.series_instance_uid, row.sop_class_uid, row.sop_instance_uid
        )
        for row in session.execute(found)
    }


def _predecessors(session: Session, review: Review) -> Iterable[Predecessor]:
    """Of each kind the newest document of an earlier review of the study, also one of an earlier reading."""
    uid = review.study.study_instance_uid
    earlier = (
        select(ResultObject)
        .join(Review, Review.review_job_id == ResultObject.job_id)
        .join(Job, Review.job_id == Job.id)
        .where(Review.study_pk == review.study_pk, Review.id < review.id, Job.pipeline == review.job.pipeline)
        .order_by(Review.id.desc())
    )
    for kind in (ObjectKind.ASSESSMENT, ObjectKind.VERIFIED_REPORT):
        row = session.scalar(earlier.where(ResultObject.kind == kind).limit(1))
        if row is not None:
            yield Predecessor(kind, row.sop_class_uid, row.sop_instance_uid, uid, row.series_instance_uid)
