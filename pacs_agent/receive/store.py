"""What came over one association, and C-STORE where pynetdicom has the socket: the sub-operations of our C-GET."""

import threading
from dataclasses import dataclass, field

from pydicom.dataset import Dataset
from pynetdicom.events import Event

from pacs_agent.archive import EncodedInstance, Receipt, Taken
from pacs_agent.receive.intake import Intake
from pacs_agent.receive.refusal import IdentityMismatch, Refusal

SUCCESS = 0x0000
NOT_AUTHORISED = 0x0124
LONGEST_COMMENT = 64


@dataclass
class Tally:
    """What came over one association."""

    source: str
    """The peer as "AE@address"."""
    taken: dict[Taken, int] = field(default_factory=dict)
    refused: int = 0
    reason: str = ""
    """Why the last one was refused."""
    received_bytes: int = 0
    study_instance_uid: str = ""
    """Of the newest instance that was taken."""
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def count(self, receipt: Receipt, size_bytes: int) -> None:
        """Counts an instance that was taken."""
        with self._lock:
            self.taken[receipt.outcome] = self.taken.get(receipt.outcome, 0) + 1
            self.study_instance_uid = receipt.study_instance_uid
            self.received_bytes += size_bytes

    def refuse(self, refusal: Refusal) -> None:
        """Counts an instance that was not taken."""
        with self._lock:
            self.refused += 1
            self.reason = str(refusal)


def serve_store(event: Event, intake: Intake, tally: Tally, study_instance_uid: str | None = None) -> int | Dataset:
    """Takes the instance of a C-STORE request. The status says Success only when the instance is safe on disk.

    With `study_instance_uid` only instances of that study are taken.
    """
    try:
        sent = _announced(event)
        receipt = intake.accept(sent, source=tally.source, study_instance_uid=study_instance_uid)
    except Refusal as refusal:
        tally.refuse(refusal)
        return _status(refusal)
    tally.count(receipt, len(sent.data_set))
    return SUCCESS


def _announced(event: Event) -> EncodedInstance:
    """The instance as the command announces it, its bytes as they came."""
    sop_class_uid = str(event.request.AffectedSOPClassUID)
    if sop_class_uid != event.context.abstract_syntax:
        raise IdentityMismatch(f"SOP class {sop_class_uid} on a context of {event.context.abstract_syntax}")
    return EncodedInstance(
        data_set=event.encoded_dataset(include_meta=False),
        transfer_syntax_uid=str(event.context.transfer_syntax),
        sop_class_uid=sop_class_uid,
        sop_instance_uid=str(event.request.AffectedSOPInstanceUID),
    )


def _status(refusal: Refusal) -> Dataset:
    """Status and Error Comment (PS3.7 C)."""
    status = Dataset()
    status.Status = refusal.status
    status.ErrorComment = comment_of(refusal)
    return status


def comment_of(refusal: Refusal) -> str:
    """Error Comment (PS3.7 C) of a refusal: it is LO, so it is cut."""
    return str(refusal).replace("\\", "/")[:LONGEST_COMMENT]
