"""An agent that looks for earlier studies at a PACS, and a PACS that has them, or answers as it should not."""

import threading
from collections.abc import Iterator, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any, Self

from pydicom.dataset import Dataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, MRImageStorage, SegmentationStorage
from pynetdicom import AE, evt
from pynetdicom.sop_class import (
    BasicTextSRStorage,
    Comprehensive3DSRStorage,
    StudyRootQueryRetrieveInformationModelFind,
    StudyRootQueryRetrieveInformationModelGet,
)
from sqlalchemy import select

from pacs_agent.archive import instance_header, split_part10
from pacs_agent.bring_in import BringIn
from pacs_agent.db import AuditEvent, Job, JobStep, ResultObject, Study, Transfer
from pacs_agent.pipeline import WorkerProcess
from pacs_agent.results.uids import derived_uid
from tests.integration.studies_at_work import AgentFolder
from tests.peers.running import free_port
from tests.unit.imaging.imaging_slices import gradient, set_pixels, stack
from tests.unit.inference.tiny_bundle import settings_of, write_bundle

DIED_AT_S = 20
ILL = 3000
"""Stored value from which on the tiny model finds something."""


def chest(date: str, *, ill: bool = False, **changed: Any) -> list[Dataset]:
    """A chest CT of six slices of a day, from which its UIDs follow. `ill`: so bright that something is found."""
    uid, slices = derived_uid(date), stack(6)
    for number, each in enumerate(slices):
        if ill:
            set_pixels(each, gradient(first=ILL + number))
        each.StudyInstanceUID, each.SeriesInstanceUID = uid, f"{uid}.1"
        each.SOPInstanceUID = each.file_meta.MediaStorageSOPInstanceUID = f"{uid}.1.{number}"
        each.PatientBirthDate, each.PatientSex, each.StudyDate, each.StudyTime = "19520317", "F", date, "101112"
        for keyword, value in changed.items():
            setattr(each, keyword, value)
    return slices


def part10_of(image: Dataset) -> bytes:
    """An image as a DICOM file."""
    buffer = BytesIO()
    image.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


class EarlierPacs:
    """C-FIND and C-GET SCP over a few studies, and C-STORE SCP for results; it knows no C-MOVE.

    `says` changes what it answers to a C-FIND, against what the images say. `waits` holds every C-FIND back until it is
    set; `lacks` so many images fail when a study is fetched.
    """

    ae_title = "EARLIER"

    def __init__(self, *studies: list[Dataset], status: int = 0x0000, lacks: int = 0, **says: str) -> None:
        self.studies = {images[0].StudyInstanceUID: images for images in studies}
        self.status, self.lacks, self.says = status, lacks, says
        self.waits = threading.Event()
        self.waits.set()
        self.asked: list[Dataset] = []
        self.fetched: list[str] = []
        self.stored: list[Dataset] = []
        self.port = free_port()

    def __enter__(self) -> Self:
        entity = AE(self.ae_title)
        for sop_class in (StudyRootQueryRetrieveInformationModelFind, StudyRootQueryRetrieveInformationModelGet):
            entity.add_supported_context(sop_class)
        for image_class in (CTImageStorage, MRImageStorage):
            entity.add_supported_context(image_class, scu_role=True, scp_role=True)
        for sop_class in (BasicTextSRStorage, Comprehensive3DSRStorage, SegmentationStorage):
            entity.add_supported_context(sop_class)
        handlers = [(evt.EVT_C_FIND, self._find), (evt.EVT_C_GET, self._get), (evt.EVT_C_STORE, self._store)]
        self._server = entity.start_server(("127.0.0.1", self.port), block=False, evt_handlers=handlers)
        return self

    def __exit__(self, *_: object) -> None:
        self.waits.set()
        self._server.shutdown()

    @property
    def settings(self) -> dict[str, Any]:
        """Settings of a destination of kind dimse that is this PACS."""
        return {"host": "127.0.0.1", "port": self.port, "called_ae": self.ae_title}

    def _find(self, event: Any) -> Iterator[tuple[int, Dataset | None]]:
        asked = event.identifier
        if "NumberOfStudyRelatedInstances" in asked and asked.StudyInstanceUID:
            return  # a count at the source
        self.asked.append(asked)
        self.waits.wait(DIED_AT_S)
        for images in self.studies.values():
            yield 0xFF00, self._described(images)
        if self.status:
            yield self.status, None

    def _described(self, images: Sequence[Dataset]) -> Dataset:
        first, answer = images[0], Dataset()
        answer.QueryRetrieveLevel = "STUDY"
        for keyword in ("StudyInstanceUID", "PatientID", "PatientBirthDate", "PatientSex", "StudyDate", "StudyTime"):
            setattr(answer, keyword, self.says.get(keyword, first.get(keyword)))
        answer.ModalitiesInStudy = self.says.get("ModalitiesInStudy", first.Modality)
        return answer

    def _get(self, event: Any) -> Iterator[Any]:
        images = self.studies[event.identifier.StudyInstanceUID]
        self.fetched.append(event.identifier.StudyInstanceUID)
        given = images[self.lacks :]
        yield len(given)
        for image in given:
            yield 0xFF00, image

    def _store(self, event: Any) -> int:
        result = event.dataset
        result.file_meta = event.file_meta
        self.stored.append(result)
        return 0x0000


class SearchingAgent(AgentFolder):
    """A worker with a tiny model, and the process that brings in, both in this process while in the with statement."""

    def __init__(self, folder: Path, **results: Any) -> None:
        bundle = settings_of(write_bundle(folder / "bundles" / "tiny-1.0"))
        inference = {"provider": "cpu", "threads": 1, "bundles_dir": str(bundle.bundles_dir)}
        looks = {"prior_at_source": "find", "prior_wait_s": 30, **results}
        super().__init__(
            folder,
            inference={**inference, "trusted_keys": str(bundle.trusted_keys)},
            decoding={"processes": 1},
            results=looks,
            dimse={"port": free_port()},
        )
        self.rule("pacs", pipeline="msvlm")
        self._stopping = threading.Event()

    def __enter__(self) -> Self:
        self._worker = WorkerProcess(self.settings)
        self._worker.start()
        self._bring_in = threading.Thread(target=self._bring_in_loop, daemon=True)
        self._bring_in.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._worker.stop()
        self._bring_in.join(5)

    def take(self, images: Sequence[Dataset]) -> str:
        """Archives the images of a study, as if they had been sent; gives its Study Instance UID."""
        for image in images:
            header = instance_header(image, ExplicitVRLittleEndian)
            self.archive.store(split_part10(part10_of(image)), header, source="test")
        return str(images[0].StudyInstanceUID)

    def reading_job(self, **waiting: Any) -> Job:
        """The job of the study that was sent, when it has ended."""
        return self.wait_for_job("done", "failed", "no_result", **waiting)

    def step(self, job: Job) -> JobStep:
        """The step in which the source was asked."""
        return self.steps(job.id)["find_prior"]

    def study(self, uid: str) -> Study | None:
        """The row of a study."""
        with self.database.reading() as session:
            return session.scalars(select(Study).where(Study.study_instance_uid == uid)).one_or_none()

    def transfers(self) -> list[Transfer]:
        """All transfers, oldest first."""
        with self.database.reading() as session:
            return list(session.scalars(select(Transfer).order_by(Transfer.created_at)))

    def audited(self, *beginnings: str) -> list[tuple[str, str, str]]:
        """Action, actor and subject of the audit lines whose action begins so, in order."""
        with self.database.reading() as session:
            lines = session.scalars(select(AuditEvent).order_by(AuditEvent.id))
            return [(one.action, one.actor, one.subject) for one in lines if one.action.startswith(beginnings)]

    def results(self) -> list[ResultObject]:
        """Every object that was made."""
        with self.database.reading() as session:
            return list(session.scalars(select(ResultObject)))

    def _bring_in_loop(self) -> None:
        process = BringIn(self.settings, self.database, self.archive)
        while not self._stopping.is_set():
            process.step()
            self._stopping.wait(0.05)
