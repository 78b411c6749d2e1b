"""Settings that an administrator changes while the agent runs: retention, watermark, notifications.

They live in the database, one row a section, and every process reads them there. Secrets are kept apart from them, are
written by people and never shown again.
"""

import re
from typing import Annotated, Any, ClassVar, Literal, TypeVar, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator
from sqlalchemy.orm import Session

from pacs_agent.db import RuntimeSecret, RuntimeSettings, utc_now
from pacs_agent.ops.audit import Outcome, audit

GIGABYTE = 1_000_000_000
SMTP_PASSWORD = "smtp_password"  # noqa: S105 (the name of a secret)
WEBHOOK_KEY = "webhook_key"
SECRETS = {SMTP_PASSWORD: "password of the mail server", WEBHOOK_KEY: "key that signs what the webhook gets"}

Event = Literal[
    "dead-letters",
    "destination-unreachable",
    "disk-low",
    "disk-full",
    "worker-lost",
    "model-refused",
    "model-recalled",
    "audit-chain-broken",
    "auditor-changed",
    "login-throttled",
    "certificate-expires",
]


EVENTS: tuple[str, ...] = get_args(Event)


class WrongRuntimeSettings(ValueError):
    """Settings that cannot be; the message names each field and what is wrong with it."""


def _mail_address(value: str) -> str:
    """An address that can stand in a mail's header. RFC 5321 4.1.2, without quoted local parts."""
    if value and not re.fullmatch(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9.-]{1,255}", value):
        raise ValueError(f"{value!r} is no mail address: name@host")
    return value


def _url(value: str) -> str:
    """The address of a webhook."""
    if value and not re.fullmatch(r"https?://[^\s\\@#]{1,2000}", value):
        raise ValueError(f"{value!r} is no address: https://host/path, without user and fragment")
    return value


def _host(value: str) -> str:
    """The name or address of a server."""
    if value and not re.fullmatch(r"[A-Za-z0-9.:-]{1,255}", value):
        raise ValueError(f"{value!r} is no name of a host")
    return value


MailAddress = Annotated[str, AfterValidator(_mail_address)]


class RuntimeSection(BaseModel):
    """A section of the settings that are changed at run time."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    section: ClassVar[str]


class Retention(RuntimeSection):
    """How long studies stay in the archive. Without a rule they stay until somebody deletes them."""

    section: ClassVar[str] = "retention"

    images_days: int | None = Field(
        None, ge=1, le=36500, description="images go this many days after their results were confirmed; empty: never"
    )
    results_days: int | None = Field(
        None, ge=1, le=36500, description="results, jobs and reviews go after this time; empty: they stay"
    )
    archive_gb: float | None = Field(
        None, gt=0, description="the oldest studies go while the archive is larger than this; empty: no limit"
    )
    every_minutes: int = Field(15, ge=1, le=1440, description="how often the rules are applied")

    @model_validator(mode="after")
    def _results_stay_longer(self) -> "Retention":
        if self.results_days is not None and (self.images_days is None or self.results_days < self.images_days):
            raise ValueError("results_days: give images_days too, and no less for results than for images")
        return self

    @property
    def is_active(self) -> bool:
        """Whether any rule may remove anything."""
        return self.images_days is not None or self.archive_gb is not None


class Watermark(RuntimeSection):
    """What happens before the disk of the archive is full, by what is free on it."""

    section: ClassVar[str] = "watermark"

    warn_free_gb: float = Field(10, ge=0, description="with less than this free there is a warning and a notification")
    refuse_free_gb: float = Field(
        1, ge=0, description="with less than this free no image is accepted: 0xA700, HTTP 507"
    )

    @model_validator(mode="after")
    def _warns_first(self) -> "Watermark":
        if self.warn_free_gb < self.refuse_free_gb:
            raise ValueError(
                "warn_free_gb: no less than refuse_free_gb, or images are refused before anybody is warned"
            )
        return self


class Notifications(RuntimeSection):
    """Who is told when something is wrong, and when it is over. No message holds patient data."""

    section: ClassVar[str] = "notifications"

    mail_to: list[MailAddress] = Field([], max_length=20, description="who gets a mail; empty: nobody")
    mail_from: MailAddress = Field("", description="the sender's address")
    smtp_host: Annotated[str, AfterValidator(_host)] = Field("", description="mail server")
    smtp_port: int = Field(587, ge=1, le=65535, description="its port: 587 with STARTTLS, 465 with TLS, 25 without")
    smtp_security: Literal["starttls", "tls", "none"] = Field("starttls", description="how the connection is encrypted")
    smtp_user: str = Field(
        "", max_length=255, pattern=r"^[^\x00-\x1f]*$", description="user at the mail server; empty: no login"
    )
    webhook_url: Annotated[str, AfterValidator(_url)] = Field("", description="gets each message as JSON; empty: none")
    unreachable_minutes: int = Field(
        30, ge=1, le=10080, description="a destination that takes nothing for this time is told"
    )
    remind_hours: int = Field(24, ge=1, le=720, description="what still holds is told again after this time")
    certificate_days: int = Field(30, ge=1, le=365, description="a certificate that expires within this time is told")
    silent: list[Event] = Field([], description="events that are not told")

    @model_validator(mode="after")
    def _mail_is_whole(self) -> "Notifications":
        if self.mail_to and not (self.smtp_host and self.mail_from):
            raise ValueError("mail_to: a mail needs smtp_host and mail_from too")
        if self.smtp_user and self.smtp_security == "none":
            raise ValueError("smtp_security: a password is sent over an encrypted connection only: starttls or tls")
        return self


SECTIONS: tuple[type[RuntimeSection], ...] = (Retention, Watermark, Notifications)

Section = TypeVar("Section", bound=RuntimeSection)


def runtime_settings(session: Session, kind: type[Section]) -> Section:
    """A section as it is in force; its defaults until somebody changed it."""
    row = session.get(RuntimeSettings, kind.section)
    return kind.model_validate(row.content) if row else kind()


def change_runtime_settings(session: Session, changed: RuntimeSection, *, actor: str) -> bool:
    """Puts a section in force, with an audit line of what differs; false when nothing does."""
    before = runtime_settings(session, type(changed)).model_dump(mode="json")
    after = changed.model_dump(mode="json")
    differing = {name for name in after if after[name] != before[name]}
    if not differing:
        return False
    row = RuntimeSettings(section=changed.section, content=after, changed_at=utc_now(), changed_by=actor[:128])
    session.merge(row)
    audit(
        session,
        actor=actor,
        action="settings.changed",
        outcome=Outcome.SUCCESS,
        subject=changed.section,
        before={name: before[name] for name in sorted(differing)},
        after={name: after[name] for name in sorted(differing)},
    )
    return True


def checked_section(kind: type[Section], given: dict[str, Any]) -> Section:
    """A section of what people wrote. Raises WrongRuntimeSettings."""
    try:
        return kind.model_validate(given)
    except ValidationError as error:
        faults = error.errors(include_url=False, include_context=False, include_input=False)
        words = (f"{'.'.join(map(str, one['loc']))}: {one['msg']}".removeprefix(": ") for one in faults)
        raise WrongRuntimeSettings(f"{kind.section}: " + "; ".join(words)) from error


def secret_of(session: Session, name: str) -> str:
    """A secret that people wrote; empty when it is not set."""
    row = session.get(RuntimeSecret, name)
    return row.value if row else ""


def set_secret(session: Session, name: str, value: str, *, actor: str) -> None:
    """Keeps a secret, or forgets it when it is empty; the audit line says only whether it is set."""
    row = session.get(RuntimeSecret, name)
    before = row is not None
    if row is not None and not value:
        session.delete(row)
    elif value:
        session.merge(RuntimeSecret(name=name, value=value))
    words = {True: "set", False: "not set"}
    audit(
        session,
        actor=actor,
        action="settings.secret",
        outcome=Outcome.SUCCESS,
        subject=name,
        before=words[before],
        after=words[bool(value)],
    )
