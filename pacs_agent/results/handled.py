"""What a person says of a reading's findings: what became of each that was handled, and who handled it.

IHE AI Result Assessment (AIRA): a person accepts, changes or rejects what a model says; the result itself stays.
Field names are on the wire.
"""

from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, SerializerFunctionWrapHandler, model_serializer

from pacs_agent.inference.reading import Presence

MAX_REMARK = 1024
"""Characters of a reason or a comment."""


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class Action(StrEnum):
    """What became of a finding."""

    ACCEPTED = "accepted"
    REJECTED = "rejected"
    EDITED = "edited"
    ADDED = "added"
    """The model had not said it."""


class Edited(_Strict):
    """The reviewer's own statement on a finding."""

    presence: Presence
    sides: tuple[Literal["right", "left"], ...] = ()
    lobes: tuple[str, ...] = ()
    grade: int | None = None
    """Place in the words for its grades, from 0."""
    count: Literal["one", "few", "many"] | None = None
    comment: Annotated[str, Field(max_length=MAX_REMARK)] = ""


class SliceSeen(_Strict):
    """The image in which a finding was seen, or the frame of it (from 1)."""

    sop_instance_uid: Annotated[str, Field(pattern=r"^[0-9.]{1,64}$")]
    frame_number: Annotated[int, Field(ge=1)] | None = None
    point_px: tuple[FiniteFloat, FiniteFloat] | None = None
    """Row and column in the stored image; whole numbers are centres of pixels."""

    @model_serializer(mode="wrap")
    def _without_a_point_that_is_none(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {name: value for name, value in write(self).items() if name != "point_px" or value is not None}


class FindingReview(_Strict):
    """What became of one finding."""

    finding: str
    """Its key in the model's manifest."""
    action: Action
    reason: Annotated[str, Field(max_length=MAX_REMARK)] = ""
    """Why it was rejected: one of REASONS, or other words."""
    edited: Edited | None = None
    """Of an edited or added finding."""
    slice: SliceSeen | None = None
    """Of an added finding."""

    @model_serializer(mode="wrap")
    def _without_what_is_not_said(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {name: value for name, value in write(self).items() if value not in (None, "")}


REASONS = {
    "not_there": "Not there",
    "artifact": "Artifact",
    "normal_variant": "Normal variant",
    "other_finding": "Is another finding",
    "wrong_place": "Is elsewhere",
    "not_relevant": "Not relevant",
    "known": "Known and unchanged",
}
"""Reasons with a code of their own in the assessment, and their words in it."""


class Reviewer(_Strict):
    """Who reviews. `person_name` is the DICOM person name (VR PN)."""

    login: str
    name: str
    person_name: str
