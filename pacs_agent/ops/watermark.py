"""Room on the archive's disk: a warning first, then no more images, and on again when there is room."""

import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from pacs_agent.db import Database
from pacs_agent.ops.log import get_log
from pacs_agent.ops.runtime import GIGABYTE, Watermark, runtime_settings

LOOK_EVERY_S = 1.0
SETTINGS_EVERY_S = 5.0
RESUME_OVER = 1.1
"""Images are taken again with this much more free than they were refused with, so that it does not flicker."""

log = get_log("disk")


@dataclass(frozen=True)
class DiskState:
    """What is free on the archive's disk, and what that means."""

    free_bytes: int
    total_bytes: int
    warns: bool
    refuses: bool


def disk_state(folder: Path, watermark: Watermark) -> DiskState:
    """The state of a folder's disk now. Raises OSError when the folder is gone."""
    found = os.statvfs(folder)
    free = found.f_bavail * found.f_frsize
    return DiskState(
        free_bytes=free,
        total_bytes=found.f_blocks * found.f_frsize,
        warns=free < watermark.warn_free_gb * GIGABYTE,
        refuses=free < watermark.refuse_free_gb * GIGABYTE,
    )


class DiskGuard:
    """Says before each instance whether there is room for it. It asks the disk at most once a second."""

    def __init__(self, database: Database, folder: Path, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._folder = folder
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._watermark = Watermark()
        self._settings_until_s = self._looked_until_s = -1.0
        self._free_bytes = 0
        self._refusing = False

    def objection(self, size_bytes: int) -> str:
        """Why an instance of this size is not taken now, and what to do; empty when there is room."""
        with self._lock:
            now_s = self._monotonic()
            self._read_settings(now_s)
            try:
                self._look(now_s)
            except OSError as error:
                return f"the archive's disk does not say what is free: {error.strerror or type(error).__name__}"
            limit = self._watermark.refuse_free_gb * GIGABYTE * (RESUME_OVER if self._refusing else 1)
            refuses = self._free_bytes - size_bytes < limit
            self._tell(refuses)
            self._free_bytes -= 0 if refuses else size_bytes
        if not refuses:
            return ""
        return f"{self._free_bytes / GIGABYTE:.1f} GB free, {self._watermark.refuse_free_gb:g} are kept free: make room"

    def _read_settings(self, now_s: float) -> None:
        """A database that is gone is told by what follows; the last settings known hold."""
        if now_s < self._settings_until_s:
            return
        self._settings_until_s = now_s + SETTINGS_EVERY_S
        try:
            with self._database.reading() as session:
                self._watermark = runtime_settings(session, Watermark)
        except SQLAlchemyError as error:
            log.error("watermark cannot be read", error=type(error).__name__)

    def _look(self, now_s: float) -> None:
        if now_s < self._looked_until_s:
            return
        self._free_bytes = disk_state(self._folder, self._watermark).free_bytes
        self._looked_until_s = now_s + LOOK_EVERY_S

    def _tell(self, refuses: bool) -> None:
        if refuses != self._refusing:
            self._refusing = refuses
            log.warning("images are refused" if refuses else "images are taken again", free_bytes=self._free_bytes)
