"""What the audit page shows and is asked for."""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from pacs_agent.console.frame import Asked, Page
from pacs_agent.db import AuditEvent
from pacs_agent.ops import Outcome


def _with_zone(value: Any) -> Any:
    """A browser's date field says no zone: the agent's own is meant."""
    if not isinstance(value, str) or not value:
        return None
    at = datetime.fromisoformat(value)
    try:
        return (at if at.tzinfo else at.astimezone()).astimezone(UTC)
    except OverflowError as error:
        raise ValueError("this is no time that a clock shows") from error


Moment = Annotated[datetime | None, BeforeValidator(_with_zone)]
Words = Annotated[str, Field(max_length=128, pattern=r"^[^\x00]*$")]


class Sought(BaseModel):
    """Which lines are sought; what is empty does not count."""

    since: Moment = Field(None, description="not before this time, ISO 8601")
    until: Moment = Field(None, description="before this time, ISO 8601")
    actor: Words = Field("", description="who: a login or AE title, with or without its address")
    action: Words = Field("", description="what: study.viewed, or study. for all that begins with it")
    outcome: Literal["", "success", "minor-failure", "serious-failure", "major-failure"] = Field(
        "", description="with which outcome"
    )
    subject: Words = Field("", description="to what: a UID, a login, a name")


class AuditAsked(Sought, Asked):
    """A page of the lines that are sought."""


class ExportAsked(Sought):
    """The lines that are exported, the newest first."""

    most: int = Field(100_000, ge=1, le=1_000_000, description="lines at most")


class _Shown(BaseModel):
    model_config = ConfigDict(use_attribute_docstrings=True)


class Line(_Shown):
    """A line of the audit trail."""

    id: int
    at: datetime
    actor: str
    action: str
    outcome: Outcome
    subject: str
    detail: dict[str, Any]
    position: int | None
    """Place in the chain; null for some seconds, until the line is sealed."""
    digest: str | None
    """SHA-256 over the line and the digest of the one before."""

    @classmethod
    def of(cls, event: AuditEvent) -> "Line":
        """A line as it is shown."""
        return cls(**{field: getattr(event, field) for field in cls.model_fields})


class AuditTrail(_Shown):
    """Lines of the audit trail, the newest first."""

    lines: Page[Line]
    actions: list[str]
    """Every action that there is, to choose from."""
    auditors: list[Line]
    """Lately an auditor's account was made, enabled or given a password; the newest first."""


class Change(_Shown):
    """A field that an act changed."""

    field: str
    before: str
    after: str


class TextLine(_Shown):
    """A line of a text that an act changed."""

    kind: Literal["same", "added", "removed"]
    text: str


class OneLine(_Shown):
    """A line of the audit trail with what it changed."""

    line: Line
    changes: list[Change]
    text: list[TextLine]
    """The difference, where the act changed a text of several lines."""
    facts: dict[str, str]
    """Whatever else it says."""
