"""Table of suspended work."""

from datetime import datetime

from sqlalchemy import String, Text
from sqlalchemy.orm import Mapped, mapped_column

from pacs_agent.db.models import Base, utc_now


class Suspension(Base):
    """While its one row is there, no worker begins a job. What is being read or delivered goes on to its end."""

    __tablename__ = "suspensions"

    id: Mapped[int] = mapped_column(primary_key=True)
    since: Mapped[datetime] = mapped_column(default=utc_now)
    by: Mapped[str] = mapped_column(String(128))
    reason: Mapped[str] = mapped_column(Text, default="")
