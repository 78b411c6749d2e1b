"""A review as it is sent, and as it is kept: what became of the findings, and the report's text where it was changed.

Field names are on the wire.
"""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from pacs_agent.results import FindingReview

MAX_TEXT = 50_000
"""Characters of a report."""


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class ReviewRequest(_Strict):
    """A review to be saved. Only findings that were handled are in it."""

    job_id: str
    """The reading that was reviewed."""
    base_version: Annotated[int, Field(ge=0)]
    """The version that the reviewer saw; 0 when there was none."""
    verify: bool
    findings: Annotated[tuple[FindingReview, ...], Field(max_length=200)] = ()
    text: Annotated[str, Field(max_length=MAX_TEXT)] | None = None
    """The edited report; null: the draft's sentences stay."""


class DeliveryNow(_Strict):
    """How far a document is on its way to a destination."""

    destination: str
    state: str


class DocumentNow(_Strict):
    """A document that a review has made."""

    kind: str
    sop_class_uid: str
    sop_instance_uid: str
    series_instance_uid: str
    deliveries: tuple[DeliveryNow, ...]


class ReviewNow(_Strict):
    """A saved review and where its documents are."""

    version: int
    by: str
    at: datetime
    job_id: str
    """The reading that was reviewed."""
    verified: bool
    findings: tuple[FindingReview, ...]
    text: str | None
    objects: tuple[DocumentNow, ...]
    state: Literal["sending", "sent", "failed"]
    error: str
    """Why it could not be sent; empty when all is well."""
