"""Instances from peers: the DICOM listener, and the one door by which C-STORE and STOW-RS enter the archive.

In: associations and files of registered peers. Out: receipts of the archive, and audit lines. What may fail: an
association is rejected by policy, an instance is refused by a Refusal that carries its DIMSE status.
"""

from pacs_agent.archive import STORAGE_SOP_CLASSES, TRANSFER_SYNTAXES
from pacs_agent.receive.intake import Intake, is_uid
from pacs_agent.receive.listener import Listener
from pacs_agent.receive.refusal import (
    CannotUnderstand,
    ClassNotSupported,
    IdentityMismatch,
    OutOfResources,
    Refusal,
    ReusedUID,
)
from pacs_agent.receive.run import run_receive

__all__ = [
    "STORAGE_SOP_CLASSES",
    "TRANSFER_SYNTAXES",
    "CannotUnderstand",
    "ClassNotSupported",
    "IdentityMismatch",
    "Intake",
    "Listener",
    "OutOfResources",
    "Refusal",
    "ReusedUID",
    "is_uid",
    "run_receive",
]
