"""Tables of local accounts: who may log in, and which logins were ended before their time."""

from datetime import datetime

from sqlalchemy import String, Text
from sqlalchemy.orm import Mapped, mapped_column

from pacs_agent.db.models import Base, utc_now


class User(Base):
    """A local account. It is never removed, only disabled: reviews and audit lines name it."""

    __tablename__ = "users"

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


class EndedSession(Base):
    """A login that its person has ended: a copy of its cookie is worth nothing. Kept until the cookie is too old."""

    __tablename__ = "ended_sessions"

    id: Mapped[str] = mapped_column(String(43), primary_key=True)
    ended_at: Mapped[datetime] = mapped_column(default=utc_now, index=True)
