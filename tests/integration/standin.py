"""A worker process with a tiny pipeline, which can be made to kill itself in the middle of a step.

Run as `python -m tests.integration.standin agent.yaml`. KILL_AT names the place and KILL_FLAG a file that, once there,
says that the kill has happened.
"""

import os
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import BasicTextSRStorage, Comprehensive3DSRStorage, ExplicitVRLittleEndian

from pacs_agent.archive import Archive
from pacs_agent.config import Settings, load_settings
from pacs_agent.deliver import KINDS, Answer, Confirmation, DimseDestination, Outgoing
from pacs_agent.inference.reading import SincePrior
from pacs_agent.ops import configure_log
from pacs_agent.pipeline import Choice, Document, Documents, JobFacts, NothingToSay, Shared, WorkerProcess
from pacs_agent.pipeline import worker as worker_module
from pacs_agent.pipeline.stages import Earlier, Progress
from pacs_agent.pipeline.steps import Steps
from pacs_agent.results import write_bytes
from pacs_agent.results.uids import derived_uid

PLACES = (
    "select_series",
    "encode_missing",
    "read_study",
    "weigh_evidence",
    "find_prior",
    "compose",
    "archived",
    "deliver",
    "confirm",
)


def die_once(place: str) -> None:
    """Kills this process the first time the place is reached that KILL_AT names."""
    flag = os.environ.get("KILL_FLAG")
    if flag and os.environ.get("KILL_AT") == place and not Path(flag).exists():
        Path(flag).touch()
        os.kill(os.getpid(), signal.SIGKILL)


class TinyStages:
    """The stages of a model that says how many images there are. One series of 13 images is unlucky."""

    def __init__(self, settings: Settings, archive: Archive, shared: Shared | None = None) -> None:
        self.log = settings.data_dir / "stages.log"
        self.slow_s = float(os.environ.get("SLOW_S", "0"))

    def select_series(self, job: JobFacts) -> Choice:
        self._say("select_series")
        if len(job.images) == 13:
            return Choice("tiny 1", {"chosen": None}, why=NothingToSay("unlucky", "13 images bring no luck"))
        if len(job.images) == 14:
            raise RuntimeError("a bug")
        return Choice("tiny 1", {"chosen": "all"}, selected=str(len(job.images)), source="pacs")

    def encode_missing(self, job: JobFacts, earlier: Earlier, progress: Progress) -> str:
        steps = int(self.slow_s / 0.1)
        for step in range(steps):
            progress(step, steps)
            time.sleep(0.1)
        self._say("encode_missing")
        return earlier["select_series"]

    def read_study(self, job: JobFacts, earlier: Earlier) -> str:
        self._say("read_study")
        return earlier["encode_missing"]

    def weigh_evidence(self, job: JobFacts, earlier: Earlier) -> str:
        self._say("weigh_evidence")
        return earlier["read_study"]

    def find_prior(self, job: JobFacts, earlier: Earlier, began: datetime, progress: Progress) -> SincePrior | None:
        with self.log.with_name("began.log").open("a") as log:
            log.write(f"{began.isoformat()}\n")
        self._say("find_prior")
        return None

    def compose(self, job: JobFacts, earlier: Earlier) -> Documents:
        self._say("compose")
        text = f"{earlier['weigh_evidence']} images"
        files = (
            Document("ai_result", write_bytes(_document(job, Comprehensive3DSRStorage, text))),
            Document("draft_report", write_bytes(_document(job, BasicTextSRStorage, text))),
        )
        return Documents(files, {"text": text})

    def compose_no_result(self, job: JobFacts, why: NothingToSay) -> Documents:
        return Documents((Document("no_result", write_bytes(_document(job, BasicTextSRStorage, why.reason))),))

    def _say(self, step: str) -> None:
        with self.log.open("a") as log:
            log.write(f"{step}\n")
        die_once(step)


def _document(job: JobFacts, sop_class: str, text: str) -> Dataset:
    document = Dataset()
    document.SOPClassUID = sop_class
    document.SOPInstanceUID = derived_uid("tiny", sop_class, job.input_digest, text)
    document.SeriesInstanceUID = derived_uid("tiny series", sop_class, job.input_digest, text)
    document.StudyInstanceUID = job.study_instance_uid
    document.PatientID, document.PatientName, document.Modality = "P1", "Tiny", "SR"
    document.ContentLabel = str(len(job.predecessors))
    document.file_meta = FileMetaDataset()
    document.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return document


class FragileDimse(DimseDestination):
    """A destination that kills the worker between the peer's answer and our note of it."""

    def send(self, objects: Sequence[Outgoing]) -> Iterator[Answer]:
        for answer in super().send(objects):
            die_once("deliver")
            yield answer

    def confirm(self, objects: Sequence[Outgoing]) -> Iterator[Confirmation]:
        for confirmation in super().confirm(objects):
            die_once("confirm")
            yield confirmation


def fragile_archive(archive: Archive) -> Archive:
    """An archive that kills the worker right after it took a result."""
    store_result = archive.store_result

    def store_and_die(result: Any, **details: Any) -> Any:
        receipt = store_result(result, **details)
        die_once("archived")
        return receipt

    archive.store_result = store_and_die  # type: ignore[method-assign]
    return archive


class FragileSteps(Steps):
    """Steps that kill the worker right after the job's state changed."""

    def begin(self, job_id: str, run: int) -> bool:
        begun = super().begin(job_id, run)
        die_once("begun")
        return begun

    def hand_over(self, job_id: str, run: int) -> list[str]:
        destinations = super().hand_over(job_id, run)
        die_once("handed_over")
        return destinations


def main() -> None:
    """Runs the worker until it is killed."""
    configure_log("info", readable=False)
    KINDS["dimse"] = FragileDimse
    worker_module.Steps = FragileSteps  # type: ignore[misc]
    worker = WorkerProcess(load_settings(Path(sys.argv[1])), {"tiny": TinyStages})
    fragile_archive(worker.archive)
    worker.run()


if __name__ == "__main__":
    main()
