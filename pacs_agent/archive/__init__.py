"""Instances on disk under their digests, and their index.

In: encoded instances whose identity was checked, from C-STORE, STOW-RS and the agent's own results. Out: receipts that
prove they are on disk, files and headers, DICOMweb (`archive.dicomweb`). What may fail: a reused SOP Instance UID
(ContentConflict), disk or database (StorageFailure).
"""

from pacs_agent.archive.archive import Archive, Content
from pacs_agent.archive.arrived import confirms
from pacs_agent.archive.errors import ArchiveError, ContentConflict, NotArchived, StorageFailure
from pacs_agent.archive.files import DigestFiles
from pacs_agent.archive.header import (
    INDEXED_TAGS,
    UNREADABLE_FILE,
    UNREADABLE_VALUE,
    InstanceHeader,
    instance_header,
)
from pacs_agent.archive.part10 import (
    IMPLEMENTATION_CLASS_UID,
    IMPLEMENTATION_VERSION_NAME,
    EncodedInstance,
    NotPart10,
    came,
    part10_head,
    split_part10,
)
from pacs_agent.archive.parts import BLOCK_BYTES, Part
from pacs_agent.archive.receipt import Receipt, Taken
from pacs_agent.archive.recovery import Recovered, recover, relying_on_files
from pacs_agent.archive.removal import SEGMENTED, Removed, StudyInUse, remove_study, sweep_removed
from pacs_agent.archive.retention import Leaving, RetentionPlan, keep_archive, plan_retention
from pacs_agent.archive.sop_classes import IMAGE_SOP_CLASSES, STORAGE_SOP_CLASSES, TRANSFER_SYNTAXES

__all__ = [
    "BLOCK_BYTES",
    "IMAGE_SOP_CLASSES",
    "IMPLEMENTATION_CLASS_UID",
    "IMPLEMENTATION_VERSION_NAME",
    "INDEXED_TAGS",
    "SEGMENTED",
    "STORAGE_SOP_CLASSES",
    "TRANSFER_SYNTAXES",
    "UNREADABLE_FILE",
    "UNREADABLE_VALUE",
    "Archive",
    "ArchiveError",
    "Content",
    "ContentConflict",
    "DigestFiles",
    "EncodedInstance",
    "InstanceHeader",
    "Leaving",
    "NotArchived",
    "NotPart10",
    "Part",
    "Receipt",
    "Recovered",
    "Removed",
    "RetentionPlan",
    "StorageFailure",
    "StudyInUse",
    "Taken",
    "came",
    "confirms",
    "instance_header",
    "keep_archive",
    "part10_head",
    "plan_retention",
    "recover",
    "relying_on_files",
    "remove_study",
    "split_part10",
    "sweep_removed",
]
