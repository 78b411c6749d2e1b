"""The watched folder: what is moved into it is taken in, and then lies in `done/`, or in `refused/` beside the reason.

A file is taken when its size and time have stood still between two looks. Taking it is one renaming within the folder,
so of several agents that watch it one gets it.
"""

import os
import stat
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from pacs_agent.bring_in.transfers import begin_files, new_transfer_id
from pacs_agent.db import Database, Transfer, TransferKind
from pacs_agent.ops import get_log

TAKEN, DONE, REFUSED = ".taken", "done", "refused"
ACTOR = "watched folder"
MOST_FILES = 20_000
"""Of one look; what is more comes with the next."""
UNSAID_S = 60.0
_UNFINISHED = (".part", ".tmp", ".filepart", ".crdownload")

log = get_log("bring in")

Look = dict[Path, tuple[int, int]]


class WatchedFolder:
    """One folder, looked into now and then."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._last: Look = {}

    def look(self, database: Database) -> str | None:
        """Begins a transfer of what stood still since the last look; gives its id. Raises OSError."""
        now = dict(_files_in(self.folder))
        still = [path for path, state in now.items() if self._last.get(path) == state]
        self._last = now
        if not still:
            return None
        transfer_id = new_transfer_id()
        count = _take(still, taken_folder(self.folder, transfer_id))
        if not count:
            return None
        with database.writing() as session:
            begin_files(session, TransferKind.FOLDER, "watched folder", transfer_id, count, actor=ACTOR)
        return transfer_id

    def take_up(self, database: Database) -> None:
        """Begins the transfers of files that were taken by an agent which ended before it could say so."""
        for taken in _children(self.folder / TAKEN):
            with suppress(FileNotFoundError):
                if time.time() - taken.stat().st_mtime < UNSAID_S:
                    continue
            with database.writing() as session:
                if session.get(Transfer, taken.name) is None:
                    count = len(_children(taken))
                    begin_files(session, TransferKind.FOLDER, "watched folder", taken.name, count, actor=ACTOR)


def taken_folder(folder: Path, transfer_id: str) -> Path:
    """Where the files of a transfer lie while they are taken in."""
    return folder / TAKEN / transfer_id


def put_away(file: Path, folder: Path, reason: str) -> None:
    """Moves a taken file to `done/`, or with a reason to `refused/`, under a name that is free there."""
    place = folder / (REFUSED if reason else DONE)
    place.mkdir(exist_ok=True)
    target = _free_name(place, file.name.partition("_")[2] or file.name)
    file.rename(target)
    if reason:
        target.with_name(f"{target.name}.reason.txt").write_text(f"{reason}\n", encoding="utf-8")


def _children(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except FileNotFoundError:
        return []


def _files_in(folder: Path) -> Iterator[tuple[Path, tuple[int, int]]]:
    """Regular files of the folder and those below it, each with size and time. Links are not followed."""
    count = 0
    for where, below, names in os.walk(folder):
        here = Path(where)
        ours = (DONE, REFUSED) if here == folder else ()
        below[:] = [name for name in below if not name.startswith(".") and name not in ours]
        for name in names:
            if name.startswith(".") or name.lower().endswith(_UNFINISHED):
                continue
            with suppress(FileNotFoundError):
                found = (here / name).lstat()
                if stat.S_ISREG(found.st_mode):
                    yield here / name, (found.st_size, found.st_mtime_ns)
                    count += 1
            if count >= MOST_FILES:
                return


def _take(files: list[Path], target: Path) -> int:
    """Renames the files into the folder of a transfer, numbered; gives how many were still there."""
    target.mkdir(parents=True)
    count = 0
    for file in files:
        with suppress(FileNotFoundError):
            file.rename(target / f"{count:06d}_{file.name[-200:]}")
            count += 1
    if not count:
        target.rmdir()
    return count


def _free_name(place: Path, name: str) -> Path:
    target, number = place / name, 1
    while target.exists():
        target, number = place / f"{number}-{name}", number + 1
    return target
