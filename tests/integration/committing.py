"""A small PACS that is asked for storage commitment (PS3.4 J), and answers as told."""

import threading
import time
from collections.abc import Callable
from typing import Any

from pydicom.dataset import Dataset
from pynetdicom import AE, build_role, evt
from pynetdicom.sop_class import StorageCommitmentPushModel, StorageCommitmentPushModelInstance

from tests.integration.pacs import ALL_CLASSES, CountingPacs

Judge = Callable[[str], int]
"""Failure Reason for a SOP Instance UID; 0: it is kept."""


class CommittingPacs(CountingPacs):
    """Keeps what it has, unless `judge` says otherwise. It answers over the same association, or calls `report_to`."""

    def __init__(self, *, report_to: int | None = None, classes: tuple[str, ...] = ALL_CLASSES) -> None:
        super().__init__(classes=(*classes, StorageCommitmentPushModel))
        self.report_to = report_to
        self.asked: list[Dataset] = []
        self.action_status = 0x0000
        self.answers = True
        self.judge: Judge = lambda uid: 0 if uid in self.stored else 0x0112
        self.told: list[int] = []
        """Statuses that its N-EVENT-REPORTs were answered with."""

    def _handlers(self) -> list[Any]:
        return [*super()._handlers(), (evt.EVT_N_ACTION, self._act)]

    def _act(self, event: Any) -> tuple[int, None]:
        self.asked.append(event.action_information)
        if self.action_status == 0 and self.answers:
            threading.Thread(target=self._answer, args=(event.assoc, event.action_information)).start()
        return self.action_status, None

    def _answer(self, association: Any, asked: Dataset) -> None:
        time.sleep(0.1)  # the response to the N-ACTION goes first
        if self.report_to is None:
            self.tell(association, asked)
        else:
            self.report(asked)

    def report(self, asked: Dataset, port: int | None = None, ae_title: str = "PACSAGENT", **changed: Any) -> None:
        """Opens an association in which it is the SCP, and tells its answer."""
        entity = AE(self.ae_title)
        entity.add_requested_context(StorageCommitmentPushModel)
        role = build_role(StorageCommitmentPushModel, scp_role=True)
        association = entity.associate("127.0.0.1", port or self.report_to, ae_title=ae_title, ext_neg=[role])
        assert association.is_established
        self.tell(association, asked, **changed)
        association.release()

    def tell(self, association: Any, asked: Dataset, **changed: Any) -> None:
        """The N-EVENT-REPORT for a request."""
        told, kept, failed = Dataset(), [], []
        told.TransactionUID = asked.TransactionUID
        for item in asked.ReferencedSOPSequence:
            reason = self.judge(item.ReferencedSOPInstanceUID)
            copy = Dataset(item)
            if reason:
                copy.FailureReason = reason
            (failed if reason else kept).append(copy)
        if kept:
            told.ReferencedSOPSequence = kept
        if failed:
            told.FailedSOPSequence = failed
        for keyword, value in changed.items():
            setattr(told, keyword, value)
        status, _ = association.send_n_event_report(
            told, 2 if failed else 1, StorageCommitmentPushModel, StorageCommitmentPushModelInstance
        )
        self.told.append(status.get("Status", -1))
