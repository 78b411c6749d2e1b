"""Structured log lines, one JSON object a line on standard error, without patient data; the last are kept on disk."""

import logging
import sys
import traceback
from collections.abc import Callable, MutableMapping
from pathlib import Path
from typing import Any

import structlog
from structlog.typing import ExcInfo

from pacs_agent.ops.kept_log import FOLDER, KeptLog

MOST_CAUSES = 10
LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


def configure_log(
    level: str = "info", *, readable: bool | None = None, keep_in: Path | None = None, role: str = ""
) -> None:
    """Sets the format of all log lines: JSON, or readable columns on a terminal.

    `keep_in` is the data directory, in whose `logs` the last lines of a process of this role are kept.
    """
    readable = sys.stderr.isatty() if readable is None else readable
    renderer: Any = structlog.dev.ConsoleRenderer() if readable else structlog.processors.JSONRenderer()
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.ExceptionRenderer(_without_words),
            *([_keeping(KeptLog(keep_in / FOLDER, role))] if keep_in else []),
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, force=True)
    logging.getLogger("pynetdicom").setLevel(logging.CRITICAL)  # rooms say in their own words what failed


def _without_words(exc_info: ExcInfo) -> str:
    """Where errors were raised and of which kinds, the cause first; what they say may be of a patient."""
    told: list[str] = []
    cause: BaseException | None = exc_info[1]
    while cause is not None and len(told) < MOST_CAUSES:
        place = "".join(traceback.format_tb(cause.__traceback__))
        told.append(f"{place}{type(cause).__module__}.{type(cause).__qualname__}")
        cause = cause.__cause__ or (None if cause.__suppress_context__ else cause.__context__)
    return "\nled to\n".join(reversed(told))


def _keeping(kept: KeptLog) -> Callable[[Any, str, MutableMapping[str, Any]], MutableMapping[str, Any]]:
    def keep(_logger: Any, _method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        kept.keep(line)
        return line

    return keep


def get_log(room: str) -> Any:
    """The log of one room."""
    return structlog.get_logger(room=room)
