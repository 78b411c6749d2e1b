"""What the pages of the peers show, and what is posted to them."""

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from pacs_agent.config import AETitle
from pacs_agent.console.frame import Done


class _Model(BaseModel):
    model_config = ConfigDict(use_attribute_docstrings=True)


class Sender(_Model):
    """A DICOM node that may open associations with us."""

    ae_title: str
    host: str
    """Address, network or name it must come from; empty: from anywhere."""
    may_store: bool
    may_echo: bool
    enabled: bool
    certificate_name: str
    """Name that its TLS certificate must bear; it may not come without TLS then."""
    tls_only: bool
    commitment_port: int
    """Where it takes results of storage commitment; 0: unknown."""
    last_seen_at: datetime | None
    """End of its newest association."""
    last_refused_at: datetime | None
    last_refusal: str


class SecretState(_Model):
    """All that is told of a secret."""

    name: str
    is_set: bool
    variable: str
    """The environment variable that it is read from; empty where it is kept by the agent."""


class DestinationRow(_Model):
    """A destination of results, which studies can be fetched from as well."""

    name: str
    kind: str
    address: str
    settings: dict[str, Any]
    secrets: list[SecretState]
    enabled: bool
    encryption: str
    """Whether what is sent there is encrypted, in words."""
    last_stored_at: datetime | None
    last_error_at: datetime | None
    last_error: str
    rules: list[str]
    """Rules that deliver there."""


class Node(_Model):
    """What is set up for one AE title or one service."""

    title: str
    sender: Sender | None
    destinations: list[DestinationRow]


class OurNode(_Model):
    """How we are reached by DICOM: what is to be entered at the other side."""

    ae_title: str
    host: str
    port: int | None
    """Of plain DICOM; none where only TLS is listened for."""
    tls_port: int | None
    encryption: str


class PeersPage(_Model):
    """All nodes."""

    ours: OurNode
    nodes: list[Node]


class RefusedLine(_Model):
    """Something that was refused to a sender."""

    at: datetime
    action: str
    subject: str
    reason: str
    source: str


class CommitmentLine(_Model):
    """A request of storage commitment, and what became of its answer."""

    asked_at: datetime
    transaction_uid: str
    instances: int
    committed: int | None
    """How many of them are safe here; none before it was looked."""
    state: str
    attempts: int
    answer: str


class SenderPage(_Model):
    """One sender, what was refused to it last, and what it asked us to vouch for."""

    sender: Sender
    refusals: list[RefusedLine]
    commitments: list[CommitmentLine]


class Trouble(_Model):
    """An object that a destination did not take."""

    at: datetime
    state: str
    sop_instance_uid: str
    job_id: str
    attempts: int
    answer: str


class DestinationPage(_Model):
    """One destination, and what it did not take last."""

    destination: DestinationRow
    troubles: list[Trouble]


class AddPage(_Model):
    """What can be added."""

    what: Literal["sender", "dimse", "stow"]
    ours: OurNode


class NewSender(_Model):
    """A sender to be added or changed. The AE title of one that is changed stands in the path."""

    ae_title: str = Field("", max_length=16)
    host: str = Field("", max_length=255)
    may_store: bool = True
    may_echo: bool = True
    enabled: bool = True
    certificate_name: str = Field("", max_length=255)
    """Name that its TLS certificate must bear; it may not come without TLS then. Empty: any of our authorities."""
    tls_only: bool = False
    commitment_port: int = Field(0, ge=0, le=65535)
    """Port at its host for results of storage commitment; 0: unknown."""


class EchoTo(_Model):
    """Where a node is asked whether it is there."""

    host: str = Field(min_length=1, max_length=255)
    port: int = Field(ge=1, le=65535)
    tls: bool = False
    certificate_name: str = Field("", max_length=255)
    """Name that its certificate bears, where it is not the host."""


class NewDestinationBody(_Model):
    """A destination to be added or changed; the name of one that is changed stands in the path.

    `dimse` needs host, port and called_ae, `stow` url.
    """

    name: str = Field("", max_length=64)
    kind: Literal["dimse", "stow"] = "dimse"
    host: str = Field("", max_length=255)
    port: int | None = Field(None, ge=1, le=65535)
    called_ae: str = Field("", max_length=16)
    calling_ae: AETitle | None = None
    confirm: Literal["none", "query", "commitment"] = "none"
    """How it is asked whether objects arrived: not, by C-FIND, or by storage commitment."""
    tls: bool = False
    certificate_name: str = Field("", max_length=255)
    """Name that its certificate bears, where it is not the host."""
    url: str = Field("", max_length=2000)
    user: str | None = Field(None, max_length=255)
    password: str | None = Field(None, max_length=1024)
    """Written only. Left out: stays as it was."""
    token: str | None = Field(None, max_length=8192)
    """Bearer token. Written only. Left out: stays as it was."""
    ca_file: str | None = Field(None, max_length=1000)
    forget_secrets: bool = False
    segmentations: bool = True
    """Whether it gets segmentation objects; one that takes none gets the rest in either case."""
    key_objects: bool = True
    """Whether it gets key object selections, likewise."""
    saliency_maps: bool = True
    """Whether it gets saliency maps, likewise."""
    secondary_captures: bool = True
    """Whether it gets summaries, likewise."""
    enabled: bool | None = None


class Tested(Done):
    """The answer to a test."""

    took_ms: float
