"""Instances from peers: the DICOM listener, and the one door by which C-STORE and STOW-RS enter the archive.

In: associations and files of registered peers. Out: receipts of the archive, and audit lines. What may fail: an
association is rejected by policy, an instance is refused by a Refusal that carries its DIMSE status.
"""

from pacs_agent.archive import STORAGE_SOP_CLASSES, TRANSFER_SYNTAXES
from pacs_agent.receive.identity import is_uid
from pacs_agent.receive.incoming import Announced, Incoming
from pacs_agent.receive.intake import Intake
from pacs_agent.receive.listener import Listener
from pacs_agent.receive.peers import (
    NewPeer,
    ReportAddress,
    UnknownPeer,
    put_peer,
    recent_refusals,
    remove_peer,
    report_address,
)
from pacs_agent.receive.refusal import (
    CannotUnderstand,
    ClassNotSupported,
    IdentityMismatch,
    OutOfResources,
    Refusal,
    ReusedUID,
)
from pacs_agent.receive.run import run_receive
from pacs_agent.receive.slots import still_open
from pacs_agent.receive.store import Tally, serve_store

__all__ = [
    "STORAGE_SOP_CLASSES",
    "TRANSFER_SYNTAXES",
    "Announced",
    "CannotUnderstand",
    "ClassNotSupported",
    "IdentityMismatch",
    "Incoming",
    "Intake",
    "Listener",
    "NewPeer",
    "OutOfResources",
    "Refusal",
    "ReportAddress",
    "ReusedUID",
    "Tally",
    "UnknownPeer",
    "is_uid",
    "put_peer",
    "recent_refusals",
    "remove_peer",
    "report_address",
    "run_receive",
    "serve_store",
    "still_open",
]
