"""Studies of a DICOMweb service: found by QIDO-RS (PS3.18 10.6), fetched by WADO-RS (PS3.18 10.4)."""

from typing import Any

import requests
from pydicom.dataset import Dataset
from urllib3.exceptions import HTTPError
from werkzeug.exceptions import BadRequest

from pacs_agent.archive import UNREADABLE_VALUE
from pacs_agent.archive.dicomweb import boundary_of, read_parts
from pacs_agent.bring_in.errors import BringInError
from pacs_agent.bring_in.files import LARGEST_INSTANCE_BYTES
from pacs_agent.bring_in.query import MOST_FOUND, FoundStudy, StudyQuery, found_study
from pacs_agent.bring_in.transfers import Progress
from pacs_agent.deliver import StowDestination
from pacs_agent.receive import Intake, Refusal

_ACCEPT = 'multipart/related; type="application/dicom"; transfer-syntax=*'
_INCLUDED = ("00081030", "00201208", "00080061")
"""Study Description, Number of Study Related Instances, Modalities in Study."""


def find_studies(service: StowDestination, query: StudyQuery) -> list[FoundStudy]:
    """The studies that match, at most MOST_FOUND. Raises DeliveryError."""
    keys = {**query.keys, "PatientName": _any_letter(query.keys.get("PatientName", ""))}
    asked = [(keyword, value) for keyword, value in keys.items() if value]
    asked += [*(("includefield", tag) for tag in _INCLUDED), ("limit", str(MOST_FOUND))]
    return _studies(service.search("/studies", asked))


def _any_letter(name: str) -> str:
    """A name with any letter where an address cannot have its own: some services do not decode what is encoded."""
    return name.replace("^", "?").replace(" ", "?")


def fetch_study(service: StowDestination, study_instance_uid: str, intake: Intake, progress: Progress) -> None:
    """Fetches all instances of a study, one after another. Raises DeliveryError, BringInError and Canceled."""
    described = service.search("/studies", [("StudyInstanceUID", study_instance_uid), ("includefield", "00201208")])
    counts = [study.instances for study in _studies(described)]
    progress.expect(counts[0] if counts else None)
    with service.retrieved(f"/studies/{study_instance_uid}", _ACCEPT) as response:
        _take(response, service, study_instance_uid, intake, progress)


def _take(
    response: requests.Response, service: StowDestination, study: str, intake: Intake, progress: Progress
) -> None:
    response.raw.decode_content = True
    stream = _Bounded(response.raw)
    try:
        boundary = boundary_of(response.headers.get("Content-Type", ""))
        for part in read_parts(stream, boundary):  # type: ignore[arg-type]
            stream.part_bytes = 0
            _accept(part.body, service, study, intake, progress)
    except BadRequest as error:
        raise BringInError(
            f"{service.address} does not answer as WADO-RS does, or broke off: {error.description}"
        ) from error
    except (HTTPError, OSError) as error:
        raise BringInError(f"{service.address} broke off ({type(error).__name__}); start it again") from error


def _accept(part10: bytes, service: StowDestination, study: str, intake: Intake, progress: Progress) -> None:
    try:
        intake.accept(part10, source=f"WADO-RS@{service.address}"[:128], study_instance_uid=study)
    except Refusal as refusal:
        progress.refuse(str(refusal))
    else:
        progress.took()


class _Bounded:
    """A stream whose parts cannot fill the memory."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self.part_bytes = 0

    def read(self, size: int = -1) -> bytes:
        """The next bytes. Raises BringInError when the part is longer than any instance may be."""
        piece: bytes = self._stream.read(size)
        self.part_bytes += len(piece)
        if self.part_bytes > LARGEST_INSTANCE_BYTES:
            raise BringInError(f"an instance of more than {LARGEST_INSTANCE_BYTES >> 20} MB was sent; it is given up")
        return piece


def _studies(answer: list[object]) -> list[FoundStudy]:
    found = []
    for item in answer[:MOST_FOUND]:
        try:
            study = found_study(Dataset.from_json(item)) if isinstance(item, dict) else None
        except (*UNREADABLE_VALUE, TypeError, KeyError):
            continue
        if study is not None:
            found.append(study)
    return found
