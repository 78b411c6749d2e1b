"""The page of the log, and its JSON."""

from datetime import UTC, datetime
from itertools import islice
from typing import Annotated, Any, Literal

from flask import Blueprint
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from pacs_agent.archive import Archive
from pacs_agent.config import Settings
from pacs_agent.console.access import Role
from pacs_agent.console.frame import Room
from pacs_agent.db import Database
from pacs_agent.ops.kept_log import FOLDER, LinesWanted, LogLine, kept_lines

ROOMS = (
    *("ahead", "archive", "assemble", "commitment", "disk", "inference", "models", "notify", "ops", "pacs"),
    *("pipeline", "reaper", "receive", "retention", "supervise", "viewer", "web", "worker"),
)
"""Suggested on the page; any other may be asked for."""


def _with_zone(value: Any) -> Any:
    """A browser's date field says no zone: the agent's own is meant."""
    if not isinstance(value, str) or not value:
        return None
    at = datetime.fromisoformat(value)
    return (at if at.tzinfo else at.astimezone()).astimezone(UTC)


Moment = Annotated[datetime | None, BeforeValidator(_with_zone)]


class LinesAsked(BaseModel):
    """Which lines are asked for."""

    level: Literal["debug", "info", "warning", "error"] = Field("info", description="least severe that is shown")
    room: str = Field("", max_length=64, description="room that wrote the line")
    text: str = Field("", max_length=200, description="anywhere in the line")
    since: Moment = Field(None, description="not before this time, ISO 8601")
    before: Moment = Field(None, description="before this time, ISO 8601; `older` of the answer before")
    limit: int = Field(200, ge=1, le=1000)


class Lines(BaseModel):
    """Log lines, newest first."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    lines: list[LogLine]
    older: datetime | None = None
    """`before` of the next request, which gives older lines; null when there are none."""


def logs_blueprint(settings: Settings, _database: Database, _archive: Archive) -> Blueprint:
    """`/console/logs`."""
    room = Room("logs", __name__)
    folder = settings.data_dir / FOLDER
    room.record_once(lambda state: state.app.jinja_env.globals.update(log_rooms=ROOMS))

    @room.page(
        "/logs",
        needs_role=Role.OPERATOR,
        template="logs.html",
        answer=Lines,
        summary="The last log lines of every process, without patient data",
        asked=LinesAsked,
    )
    def logs(asked: LinesAsked) -> Lines:
        wanted = LinesWanted.model_validate(asked.model_dump(exclude={"limit"}))
        found = list(islice(kept_lines(folder, wanted), asked.limit + 1))
        shown = found[: asked.limit]
        return Lines(lines=shown, older=shown[-1].at if len(found) > asked.limit else None)

    return room
