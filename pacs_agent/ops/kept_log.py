"""The last log lines, kept on disk: one family of files for each process, never larger than its share.

A process writes `<role>.jsonl`, one JSON object a line; a second process of the same role writes `<role>-2.jsonl`. A
full file becomes `<role>.jsonl.1` and so on, the oldest is dropped. Nothing but our own lines is kept, and these are
without patient data; what other people's libraries say goes to standard error alone.
"""

import fcntl
import heapq
import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from itertools import count
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any, TextIO

from pydantic import BaseModel, ConfigDict

FILE_BYTES = 2_000_000
FILES_BEHIND = 4
"""Full files kept of each process: five with the one that is written, 10 MB."""
FOLDER = "logs"
"""Below `data_dir`."""
SEVERITY = ("debug", "info", "warning", "error", "critical")
_COMMON = ("timestamp", "level", "room", "event")


class LogLine(BaseModel):
    """One line. `process` is the process that wrote it, `facts` what the line says besides its text."""

    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)

    at: datetime
    level: str
    process: str
    room: str
    text: str
    facts: dict[str, Any] = {}


class LinesWanted(BaseModel):
    """Which lines are wanted: at least as severe as `level`, of one room, holding a text, within a time."""

    model_config = ConfigDict(frozen=True)

    level: str = "debug"
    room: str = ""
    text: str = ""
    since: datetime | None = None
    before: datetime | None = None


class KeptLog(RotatingFileHandler):
    """Writes the lines of this process. What cannot be written is not kept: standard error has it all the same."""

    def __init__(self, folder: Path, role: str) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        name, self._claim = _claimed(folder, role)
        super().__init__(folder / f"{name}.jsonl", maxBytes=FILE_BYTES, backupCount=FILES_BEHIND, encoding="utf-8")

    def keep(self, line: Mapping[str, Any]) -> None:
        """Writes one line; called from any thread."""
        self.handle(logging.makeLogRecord({"msg": json.dumps(line, default=str)}))

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 (logging's own name)
        """A full disk must not end what is logged."""

    def close(self) -> None:
        """Gives the files back."""
        super().close()
        self._claim.close()


def kept_lines(folder: Path, wanted: LinesWanted) -> Iterator[LogLine]:
    """The lines wanted of all processes, newest first; as many are read as are asked for."""
    families = [_newest_first(file, wanted) for file in sorted(folder.glob("*.jsonl"))]
    return heapq.merge(*families, key=lambda line: line.at, reverse=True)


def kept_size(folder: Path) -> tuple[tuple[str, int], ...]:
    """Names and sizes of the files being written: they differ whenever a line came."""
    found = []
    for file in sorted(folder.glob("*.jsonl")):
        with suppress(FileNotFoundError):  # it was full, and has just got another name
            found.append((file.name, file.stat().st_size))
    return tuple(found)


def _claimed(folder: Path, role: str) -> tuple[str, TextIO]:
    """The first name of the role that no other process writes under, and the lock that says so."""
    for number in count(1):
        name = role if number == 1 else f"{role}-{number}"
        lock = (folder / f".{name}.lock").open("w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.close()
        else:
            return name, lock
    raise AssertionError("numbers do not end")


def _newest_first(file: Path, wanted: LinesWanted) -> Iterator[LogLine]:
    """Lines of one process. A line's bytes are looked at first: to read all as JSON would take seconds."""
    levels = tuple(f'"level": "{level}"'.encode() for level in SEVERITY[SEVERITY.index(wanted.level) :])
    text = json.dumps(wanted.text)[1:-1].lower().encode()
    for behind in range(FILES_BEHIND + 1):
        for raw in reversed(_lines(file if behind == 0 else file.with_name(f"{file.name}.{behind}"))):
            if not any(level in raw for level in levels) or text not in raw.lower():
                continue
            line = _read(raw, file.stem)
            if line is None or (wanted.room and line.room != wanted.room):
                continue
            if wanted.since is not None and line.at < wanted.since:
                return
            if wanted.before is None or line.at < wanted.before:
                yield line


def _lines(file: Path) -> list[bytes]:
    try:
        return file.read_bytes().splitlines()
    except FileNotFoundError:
        return []


def _read(raw: bytes, process: str) -> LogLine | None:
    """A line; None for what a process that was killed left half written."""
    try:
        said = json.loads(raw)
        return LogLine(
            at=datetime.fromisoformat(said["timestamp"]).astimezone(UTC),
            level=said["level"],
            process=process,
            room=str(said.get("room", "")),
            text=str(said["event"]),
            facts={name: value for name, value in said.items() if name not in _COMMON},
        )
    except (ValueError, KeyError, TypeError):
        return None
