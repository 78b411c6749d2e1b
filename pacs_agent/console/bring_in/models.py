"""What the pages of bringing in show, and what is posted to them."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from pacs_agent.bring_in import FoundStudy
from pacs_agent.console.frame import Asked, Done, Page
from pacs_agent.db import TransferKind, TransferState


class _Model(BaseModel):
    model_config = ConfigDict(use_attribute_docstrings=True)


class TransferRow(_Model):
    """A transfer and how far it is; counts are of instances."""

    id: str
    kind: TransferKind
    source: str
    study_instance_uid: str
    state: TransferState
    stopping: bool
    """A person has canceled it, and it has not ended yet."""
    done: int
    """Safe in the archive."""
    expected: int | None
    refused: int
    skipped: int
    """No DICOM files."""
    refusals: list[str]
    error: str
    who: str
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


class Source(_Model):
    """A destination that studies can be fetched from."""

    name: str
    kind: str
    ways: list[TransferKind]


class TransfersAsked(Asked):
    """Which transfers are listed."""

    state: Literal["", "queued", "running", "done", "failed", "canceled", "interrupted"] = Field(
        "", description="only transfers in this state"
    )


class BringInPage(Page[TransferRow]):
    """Transfers, the newest first, and from where something can be brought in."""

    sources: list[Source]
    folder: str = ""
    """The watched folder; empty where none is watched."""
    waits_in_vain: bool = False
    """Transfers wait, and no process takes them."""


class Find(_Model):
    """What is searched, and where. One of name, id, accession number and days at least must be given."""

    source: str = Field(min_length=1, max_length=64)
    patient_name: str = Field("", max_length=64)
    patient_id: str = Field("", max_length=64)
    accession_number: str = Field("", max_length=64)
    modality: str = Field("", max_length=16)
    from_day: str = Field("", max_length=10)
    to_day: str = Field("", max_length=10)


class FoundRow(FoundStudy):
    """A study that the peer has, and how many of its instances are here."""

    here: int


class Found(_Model):
    """What a search found."""

    source: Source
    studies: list[FoundRow]
    more: bool
    """There may be more: the search was cut."""


class FoundDone(Done):
    """What a search found; `location` shows it as a page for a while."""

    found: Found


class Pull(_Model):
    """A study to be fetched."""

    source: str = Field(min_length=1, max_length=64)
    study_instance_uid: str = Field(min_length=1, max_length=64)
    way: TransferKind | None = None
    """By which service; left out: the usual one of the source."""


class Begun(Done):
    """A transfer that was queued."""

    transfer: str
