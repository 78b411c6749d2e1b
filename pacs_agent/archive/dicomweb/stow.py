"""STOW-RS (PS3.18 10.5): each part goes through the same door as C-STORE."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from werkzeug.exceptions import UnsupportedMediaType
from werkzeug.wrappers import Request

from pacs_agent.archive.dicomweb.accept import MULTIPART
from pacs_agent.archive.dicomweb.instances import DICOM
from pacs_agent.archive.dicomweb.multipart import Part, boundary_of, read_parts
from pacs_agent.archive.part10 import EncodedInstance, NotPart10, split_part10
from pacs_agent.archive.receipt import Receipt
from pacs_agent.receive.intake import Intake
from pacs_agent.receive.refusal import OutOfResources, Refusal

STORED_ALL, STORED_SOME, STORED_NONE, NO_ROOM = 200, 202, 409, 507


@dataclass(frozen=True)
class Failed:
    """An instance that was not stored."""

    sop_class_uid: str
    sop_instance_uid: str
    failure_reason: int


@dataclass(frozen=True)
class StoreAnswer:
    """What is answered to a store request."""

    status: int
    data_set: Dataset


def store_parts(intake: Intake, request: Request, source: str, study: str | None, base_url: str) -> StoreAnswer:
    """Stores every part of a request, one after another. Parts before a fault of the message itself stay stored.

    Raises UnsupportedMediaType or BadRequest when the message is not what STOW-RS takes.
    """
    receipts: list[Receipt] = []
    failures: list[Failed] = []
    try:
        for part in _dicom_parts(request):
            outcome = _store_part(intake, part.body, source, study)
            (receipts if isinstance(outcome, Receipt) else failures).append(outcome)  # type: ignore[arg-type]
    finally:
        intake.audit_request(source, receipts, len(failures))
    return StoreAnswer(_status(receipts, failures), _answer(receipts, failures, base_url))


def _dicom_parts(request: Request) -> Iterator[Part]:
    if request.headers.get("Content-Encoding", "identity") != "identity":
        raise UnsupportedMediaType("send the message without Content-Encoding")
    content_type = request.headers.get("Content-Type", "")
    if request.mimetype == DICOM:
        yield Part(content_type, request.stream.read())
        return
    if request.mimetype != MULTIPART:
        raise UnsupportedMediaType(f'send {MULTIPART}; type="{DICOM}"')
    for part in read_parts(request.stream, boundary_of(content_type)):
        if part.content_type and not part.content_type.lower().startswith(DICOM):
            raise UnsupportedMediaType(f"parts must be {DICOM}")
        yield part


def _store_part(intake: Intake, part10: bytes, source: str, study: str | None) -> Receipt | Failed:
    announced = _announced(part10)
    try:
        return intake.accept(announced or part10, source=source, study_instance_uid=study)
    except Refusal as refusal:
        sop_class_uid = announced.sop_class_uid if announced else ""
        sop_instance_uid = announced.sop_instance_uid if announced else ""
        return Failed(sop_class_uid, sop_instance_uid, refusal.status)


def _announced(part10: bytes) -> EncodedInstance | None:
    try:
        return split_part10(part10)
    except NotPart10:
        return None  # the intake refuses it, in the same words as for everyone


def _status(receipts: list[Receipt], failures: list[Failed]) -> int:
    if not failures and receipts:
        return STORED_ALL
    if receipts:
        return STORED_SOME
    no_room = bool(failures) and all(one.failure_reason == OutOfResources.status for one in failures)
    return NO_ROOM if no_room else STORED_NONE


def _answer(receipts: Iterable[Receipt], failures: Iterable[Failed], base_url: str) -> Dataset:
    """Store Instances Response Module (PS3.18 I.2)."""
    answer = Dataset()
    answer.RetrieveURL = ""
    stored = [_stored_item(receipt, base_url) for receipt in receipts]
    if stored:
        answer.RetrieveURL = stored[0].RetrieveURL.split("/series/")[0].split("/instances/")[0]
        answer.ReferencedSOPSequence = Sequence(stored)
    failed = [_failed_item(failure) for failure in failures]
    if failed:
        answer.FailedSOPSequence = Sequence(failed)
    return answer


def _stored_item(receipt: Receipt, base_url: str) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID = receipt.sop_class_uid
    item.ReferencedSOPInstanceUID = receipt.sop_instance_uid
    item.RetrieveURL = (
        f"{base_url}/studies/{receipt.study_instance_uid}"
        f"/series/{receipt.series_instance_uid}/instances/{receipt.sop_instance_uid}"
    )
    return item


def _failed_item(failure: Failed) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID = failure.sop_class_uid
    item.ReferencedSOPInstanceUID = failure.sop_instance_uid
    item.FailureReason = failure.failure_reason
    return item
