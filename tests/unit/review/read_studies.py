"""Studies that were read, with the objects that said it, as reviews find them."""

import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian

from pacs_agent.archive import Archive, instance_header, split_part10
from pacs_agent.db import Database, Job, JobState, ResultObject, Study
from pacs_agent.inference.reading import StudyReading
from pacs_agent.results import (
    Action,
    DocumentFacts,
    Edited,
    FindingReview,
    ObjectKind,
    Reviewer,
    SliceSeen,
    compose_ai_result,
    compose_draft_report,
    write_bytes,
)
from pacs_agent.results.uids import derived_uid
from pacs_agent.review import ReviewRequest
from tests.unit.results.study_readings import headers, reading, series

ADA = Reviewer(login="ada", name="Dr. Ada Lovelace", person_name="Lovelace^Ada^^Dr.")
BOB = Reviewer(login="bob", name="Dr. Bob", person_name="Bob^Robert")

ACCEPT_NODULE = FindingReview(finding="nodule", action=Action.ACCEPTED)
REJECT_EMPHYSEMA = FindingReview(finding="emphysema", action=Action.REJECTED, reason="not_there")


class ReadStudy:
    """A study of four CT slices with one reading; nodule and emphysema are present, opacity is absent."""

    def __init__(self, database: Database, archive: Archive, *destinations: str) -> None:
        self.database = database
        self.archive = archive
        self.destinations = destinations
        self.uid = derived_uid(str(uuid.uuid4()))
        self.series_uid = derived_uid(self.uid, "series")
        self._headers = [self._of_study(number, each) for number, each in enumerate(headers())]
        for each in self._headers:
            archive.store(split_part10(write_bytes(each)), instance_header(each, ExplicitVRLittleEndian), source="test")
        self.job_id = self.read()

    def read(self, say: Callable[..., StudyReading] = reading, **changed: Any) -> str:
        """Reads the study, once more with a later date; gives the id of the job."""
        said = say(of=self._series(), **changed)
        with self.database.writing() as session:
            study = session.query(Study).filter_by(study_instance_uid=self.uid).one()
            job = Job(
                id=str(uuid.uuid4()),
                study_pk=study.id,
                rule="ct",
                pipeline="msvlm",
                destinations=list(self.destinations),
                input_digest="cd" * 32,
                state=JobState.DONE,
                progress=1.0,
                reading=said.model_dump(mode="json"),
                created_at=datetime(2026, 1, 2, tzinfo=UTC) + timedelta(hours=len(study.jobs)),
            )
            session.add(job)
        self._tell(job, said)
        return job.id

    def review(self, *findings: FindingReview, **changed: Any) -> ReviewRequest:
        """A review of the first reading."""
        facts = {"job_id": self.job_id, "base_version": 0, "verify": False, "findings": findings, **changed}
        return ReviewRequest(**facts)

    def added(self, **changed: Any) -> FindingReview:
        """The opacity that the model missed, on the second slice."""
        seen: dict[str, Any] = {"sop_instance_uid": f"{self.series_uid}.2", "point_px": (3.0, 4.0), **changed}
        edited = Edited(presence="present", sides=("left",))
        return FindingReview(finding="opacity", action=Action.ADDED, edited=edited, slice=SliceSeen(**seen))

    def _of_study(self, number: int, header: Dataset) -> Dataset:
        header.StudyInstanceUID, header.SeriesInstanceUID = self.uid, self.series_uid
        header.SOPInstanceUID = f"{self.series_uid}.{number + 1}"
        header.Rows = header.Columns = 512
        return header

    def _series(self) -> Any:
        found = series()
        slices = tuple(
            one.model_copy(update={"sop_instance_uid": f"{self.series_uid}.{number + 1}"})
            for number, one in enumerate(found.slices)
        )
        of_study = {"study_instance_uid": self.uid, "series_instance_uid": self.series_uid, "slices": slices}
        return found.model_copy(update=of_study)

    def _tell(self, job: Job, said: StudyReading) -> None:
        facts = DocumentFacts(job.created_at, job.input_digest)
        composed = {
            ObjectKind.AI_RESULT: compose_ai_result(said, self._headers, facts),
            ObjectKind.DRAFT_REPORT: compose_draft_report(said, self._headers, facts),
        }
        for kind, document in composed.items():
            receipt = self.archive.store_result(write_bytes(document))
            row = ResultObject(
                job_id=job.id,
                kind=kind,
                sop_instance_uid=receipt.sop_instance_uid,
                sop_class_uid=receipt.sop_class_uid,
                series_instance_uid=receipt.series_instance_uid,
                digest=receipt.digest,
            )
            with self.database.writing() as session:
                session.add(row)
