"""An agent's folder with tiny studies in it, and a look at what became of them."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian
from sqlalchemy import select

from pacs_agent import route
from pacs_agent.archive import Archive, instance_header, split_part10
from pacs_agent.config import Settings, load_settings
from pacs_agent.db import Database, Delivery, Destination, Job, JobStep, ResultObject, upgrade
from pacs_agent.results import write_bytes
from pacs_agent.results.uids import derived_uid

Found = TypeVar("Found")

QUICK: dict[str, Any] = {
    "assemble": {"quiet_s": 0.3, "poll_s": 0.1},
    "work": {"heartbeat_s": 0.3, "takeover_s": 3},
    "deliver": {"attempts": 4, "backoff_s": 0.2, "timeout_s": 5},
}


class AgentFolder:
    """The settings file, database and archive of an agent that may or may not be running."""

    def __init__(self, folder: Path, **changed: Any) -> None:
        self.data_dir = folder / "data"
        self.data_dir.mkdir(parents=True)
        self.config = folder / "agent.yaml"
        self.config.write_text(yaml.safe_dump({"data_dir": str(self.data_dir), **QUICK, **changed}))
        self.settings: Settings = load_settings(self.config)
        self.database = Database(self.settings.sqlalchemy_url)
        upgrade(self.database)
        self.archive = Archive(self.database, self.data_dir / "archive")

    def destination(self, name: str, kind: str, settings: dict[str, Any]) -> None:
        """Defines or changes a destination."""
        with self.database.writing() as session:
            session.merge(Destination(name=name, kind=kind, settings=settings))

    def rule(self, *destinations: str, pipeline: str = "tiny", priority: int = 100) -> None:
        """Every CT study goes through the pipeline to the destinations."""
        rule = {
            "name": "ct",
            "when": {"attribute": "Modality", "equals": "CT"},
            "pipeline": pipeline,
            "destinations": list(destinations),
            "priority": priority,
        }
        with self.database.writing() as session:
            route.put_rules(session, yaml.safe_dump({"rules": [rule]}), actor="test")

    def receive(self, study: str, images: range) -> str:
        """Archives images of a study, as if they had been sent; returns its Study Instance UID."""
        for number in images:
            encoded = split_part10(write_bytes(tiny_ct(study, number)))
            self.archive.store(encoded, instance_header(tiny_ct(study, number), ExplicitVRLittleEndian), source="test")
        return derived_uid(study)

    def jobs(self) -> list[Job]:
        """All jobs, oldest first."""
        with self.database.reading() as session:
            return list(session.scalars(select(Job).order_by(Job.created_at)))

    def steps(self, job_id: str) -> dict[str, JobStep]:
        """The steps of a job by name."""
        with self.database.reading() as session:
            return {step.name: step for step in session.scalars(select(JobStep).where(JobStep.job_id == job_id))}

    def deliveries(self, destination: str) -> list[tuple[str, str, str]]:
        """(SOP Instance UID, state, answer) of every object for a destination."""
        query = select(ResultObject.sop_instance_uid, Delivery.state, Delivery.answer).join(Delivery.result_object)
        with self.database.reading() as session:
            return [tuple(row) for row in session.execute(query.where(Delivery.destination == destination))]

    def wait_for_job(self, *states: str, index: int = 0, timeout_s: float = 40) -> Job:
        """The job as soon as it is in one of the states."""

        def there() -> Job | None:
            jobs = self.jobs()
            return jobs[index] if len(jobs) > index and jobs[index].state in states else None

        return until(there, timeout_s, lambda: [(job.id, job.state, job.error) for job in self.jobs()])


def until(
    look: Callable[[], Found | None], timeout_s: float = 30, otherwise: Callable[[], object] = lambda: ""
) -> Found:
    """What `look` finds, as soon as it finds anything."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if found := look():
            return found
        time.sleep(0.05)
    raise AssertionError(f"waited {timeout_s:g} s in vain; {otherwise()}")


def tiny_ct(study: str, number: int) -> Dataset:
    """A CT image of 8 by 8 pixels."""
    image = Dataset()
    image.SOPClassUID = CTImageStorage
    image.StudyInstanceUID = derived_uid(study)
    image.SeriesInstanceUID = derived_uid(study, "series")
    image.SOPInstanceUID = derived_uid(study, str(number))
    image.PatientID, image.PatientName, image.Modality, image.InstanceNumber = "P1", "Tiny", "CT", number
    image.BodyPartExamined, image.SliceThickness = "CHEST", "2.5"
    image.Rows = image.Columns = 8
    image.BitsAllocated, image.BitsStored, image.HighBit, image.PixelRepresentation = 16, 16, 15, 0
    image.SamplesPerPixel, image.PhotometricInterpretation = 1, "MONOCHROME2"
    image.PixelData = bytes([number % 256]) * 128
    image.file_meta = FileMetaDataset()
    image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return image
