"""Tables of accounts: who may log in, which logins were ended before their time, and the tokens of programs."""

from datetime import datetime

from sqlalchemy import Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from pacs_agent.db.models import Base, utc_now


class User(Base):
    """An account. It is never removed, only disabled: reviews and audit lines name it.

    One of an identity provider has `provider` (its issuer) and `provider_subject` (`sub`, OpenID Connect Core 2), and
    no password here: its hash is empty.
    """

    __tablename__ = "users"
    __table_args__ = (
        Index("ix_users_provider_subject", "provider", "provider_subject", unique=True),
        Index("ix_users_created_login", "created_at", "login"),
    )

    login: Mapped[str] = mapped_column(String(64), primary_key=True)
    name: Mapped[str] = mapped_column(String(128))
    """As colleagues read it: Dr. Ada Lovelace."""
    person_name: Mapped[str] = mapped_column(String(324))
    """VR PN, as DICOM documents name the person: Lovelace^Ada^^Dr."""
    password_hash: Mapped[str] = mapped_column(Text)
    """Argon2id in PHC string form, with its parameters and salt."""
    roles: Mapped[list[str]] = mapped_column(default=list)
    enabled: Mapped[bool] = mapped_column(default=True)
    session_generation: Mapped[int] = mapped_column(default=1)
    """Counts up when the account is disabled or its password or roles change: logins of an earlier one have ended."""
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    last_login_at: Mapped[datetime | None]
    provider: Mapped[str | None] = mapped_column(String(255))
    provider_subject: Mapped[str | None] = mapped_column(String(255))


class EndedSession(Base):
    """A login that its person has ended: a copy of its cookie is worth nothing. Kept until the cookie is too old."""

    __tablename__ = "ended_sessions"

    id: Mapped[str] = mapped_column(String(43), primary_key=True)
    ended_at: Mapped[datetime] = mapped_column(default=utc_now, index=True)


class ApiToken(Base):
    """A token of a program. Only its digest is kept; `last_used_at` is true to a minute."""

    __tablename__ = "api_tokens"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(64))
    digest: Mapped[str] = mapped_column(String(64), unique=True)
    """SHA-256 of the token, which has 256 random bits: nothing slower is needed."""
    roles: Mapped[list[str]] = mapped_column(default=list)
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    created_by: Mapped[str] = mapped_column(String(128))
    expires_at: Mapped[datetime]
    last_used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
