"""What the archive answers for an instance it took."""

from dataclasses import dataclass
from enum import StrEnum


class Taken(StrEnum):
    """What became of an instance. Each of these is a success for its sender: the instance is safe."""

    STORED = "stored"
    """New; on disk and indexed."""
    DUPLICATE = "duplicate"
    """The same bytes were archived before; nothing changed."""
    QUARANTINED = "quarantined"
    """On disk, but apart: it contradicts what is known of its study or series."""
    OWN_RESULT = "own_result"
    """An object that the agent itself made came back; nothing changed."""


@dataclass(frozen=True)
class Receipt:
    """Proof that an instance is safe on disk."""

    outcome: Taken
    digest: str
    sop_instance_uid: str
    sop_class_uid: str
    study_instance_uid: str
    series_instance_uid: str
