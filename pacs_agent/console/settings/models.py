"""What the pages of the settings show, and what is posted there."""

import re
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from pacs_agent.ops.effective import Source
from pacs_agent.ops.runtime import MailAddress, Notifications, Retention, Watermark


class _Shown(BaseModel):
    model_config = ConfigDict(use_attribute_docstrings=True)


class SettingShown(_Shown):
    """One setting of the deployment."""

    name: str
    value: str
    """As it is in force; a secret is only set or not set."""
    default: str
    source: Source
    description: str
    is_secret: bool


class Disk(_Shown):
    """The disk of the archive."""

    free_bytes: int
    total_bytes: int
    state: Literal["good", "warning", "full"]


class LastRetention(_Shown):
    """When the rules of retention were applied last."""

    at: datetime | None = None
    studies: int = 0
    freed_bytes: int = 0


class Told(_Shown):
    """A message that was or is to be sent."""

    at: datetime
    event: str
    subject: str
    state: str
    way: str
    attempts: int
    over_at: datetime | None
    answer: str


class SecretState(_Shown):
    """Whether a secret of the notifications is set."""

    name: str
    description: str
    is_set: bool


class SettingsPage(_Shown):
    """All settings, those of the deployment and those that are changed here."""

    settings: list[SettingShown]
    retention: Retention
    watermark: Watermark
    notifications: Notifications
    secrets: list[SecretState]
    events: list[str]
    disk: Disk | None
    """None when the disk cannot be asked."""
    last_retention: LastRetention
    told: list[Told]
    """The newest messages."""
    versions: dict[str, str]
    provider: str
    """The provider of onnxruntime that models get on this machine."""


class StudyLeaving(_Shown):
    """A study that the rules would remove."""

    study_instance_uid: str
    what: Literal["all", "images"]
    rule: str
    freed_bytes: int
    last_received_at: datetime


class RetentionTried(_Shown):
    """What the rules of retention in force would remove now."""

    rules: Retention
    studies: int
    freed_bytes: int
    archive_bytes: int
    leaving: list[StudyLeaving]
    """The first of them."""


def _addresses(value: Any) -> Any:
    """Addresses that were typed into one field."""
    given = [value] if isinstance(value, str) else value
    if not isinstance(given, list) or not all(isinstance(one, str) for one in given):
        return given
    return [part for one in given for part in re.split(r"[\s,;]+", one) if part]


class NotificationsGiven(Notifications):
    """The notifications as a form sends them: several addresses in one field."""

    mail_to: Annotated[list[MailAddress], BeforeValidator(_addresses)] = Field([], max_length=20)


class SecretGiven(BaseModel):
    """A secret to keep; an empty one is forgotten."""

    name: Literal["smtp_password", "webhook_key"]
    value: str = Field("", max_length=1000, pattern=r"^[^\x00-\x1f]*$")


class WayToTest(BaseModel):
    """By which way a test message goes."""

    way: Literal["mail", "webhook"]


class DifferenceLine(_Shown):
    """One line of a difference."""

    kind: Literal["same", "removed", "added", "place"]
    text: str


class Difference(_Shown):
    """What taking over an uploaded configuration would change."""

    draft: str
    uploaded_at: datetime
    uploaded_by: str
    plan: str
    """Digest of this change, to be sent with the request that applies it."""
    lines: list[DifferenceLine]
    to_do: list[str]
    """What people must do afterwards."""
    fault: str
    """Why it cannot be taken over; empty when it can."""


class PlanConfirmed(BaseModel):
    """The change that was looked at."""

    plan: str = Field(pattern="^[0-9a-f]{64}$")
