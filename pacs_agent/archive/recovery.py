"""The index after a loss of power: files whose rows are gone are indexed again, from what they say themselves.

A receiver does not wait for its rows to be synced, only for its files (decision 14). As long as it lives it holds a
lock on a mark beside them. A mark that nobody holds was left by a process that could not end in order, perhaps with
the power: whoever begins next looks for files without a row, before it takes anything. A restored backup leaves one
too: files that came after it may have been put back beside it.
"""

import fcntl
import hashlib
import mmap
import os
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pydicom import dcmread
from sqlalchemy import select

from pacs_agent.archive.archive import Archive
from pacs_agent.archive.errors import ContentConflict
from pacs_agent.archive.files import STALE_AFTER_S, DigestFiles
from pacs_agent.archive.header import INDEXED_TAGS, UNREADABLE_FILE, instance_header
from pacs_agent.archive.part10 import FileHead, NotPart10, read_file_head
from pacs_agent.archive.receipt import Taken
from pacs_agent.archive.removal import FILES
from pacs_agent.db import Database, Instance, Origin, QuarantinedInstance, RemovedFile
from pacs_agent.ops import Outcome, audit, get_log

FOLDERS = 256
LOCK = "recovery.lock"
SAID_AT_ONCE = 500
"""Paths of one query; a statement takes only so many values."""

log = get_log("archive")


@dataclass
class Recovered:
    """What a look at all files found."""

    indexed: int = 0
    """Instances whose rows were gone; quarantined ones too."""
    removed: int = 0
    """Files that were begun and never ended, or that contradict what is archived: no sender was told Success."""
    left: int = 0
    """Files that cannot be judged yet: somebody may be writing them now."""


@contextmanager
def relying_on_files(archive: Archive) -> Iterator[None]:
    """Within, commits of the index need not be synced. First what an earlier process may have lost is indexed again.

    Any number of processes may be within at once. On Postgres commits stay synced: its server can fail alone. There
    only a restored backup has left a mark.
    """
    if archive.database.engine.dialect.name != "sqlite":
        with _alone(archive.files.incoming / LOCK):
            _recover_what_was_left(archive)
        yield
        return
    mark, descriptor = _recovered_and_marked(archive)
    archive.known_series.sync(False)
    try:
        yield
    finally:
        archive.known_series.sync(True)
        _take_mark_away(archive.database, mark)
        os.close(descriptor)


def recover(archive: Archive) -> Recovered:
    """Indexes every whole file that no row names, as if it came again; takes away those that were never acknowledged.

    Only names are compared for files that have their row: a million of them take seconds. One audit line says how many.
    """
    found = Recovered()
    for folder in range(FOLDERS):
        for digest in _without_row(archive, folder):
            _index_again(archive, digest, found)
    if found.indexed or found.removed:
        with archive.database.writing() as session:
            audit(session, actor="agent", action="archive.recovered", outcome=Outcome.SUCCESS, **vars(found))
        log.warning("files without a row were found", **vars(found))
    return found


def _recovered_and_marked(archive: Archive) -> tuple[Path, int]:
    """A new mark, held; marks of dead processes are gone, and what they may have lost is indexed."""
    with _alone(archive.files.incoming / LOCK):
        _recover_what_was_left(archive)
        return _new_mark(archive.files)


def _recover_what_was_left(archive: Archive) -> None:
    left_behind = _left_behind(archive.files.incoming)
    if left_behind and recover(archive).left == 0:
        for mark in left_behind:
            mark.unlink(missing_ok=True)


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    """One process at a time."""
    with lock.open("wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _left_behind(folder: Path) -> list[Path]:
    """Marks whose processes are gone: a lock ends with its process, however that ends."""
    return [mark for mark in folder.glob("*.mark") if not _is_held(mark)]


def _is_held(mark: Path) -> bool:
    with mark.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def _new_mark(files: DigestFiles) -> tuple[Path, int]:
    """A mark that is durable, and held as long as its descriptor is open."""
    mark = files.incoming / f"{uuid.uuid4().hex}.mark"
    descriptor = os.open(mark, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    os.fsync(descriptor)
    files.sync_incoming()
    return mark, descriptor


def _take_mark_away(database: Database, mark: Path) -> None:
    """The end in order: what was committed is made durable. Where that fails the mark stays, and the next one looks."""
    try:
        is_durable = database.checkpoint()
    except database.engine.dialect.loaded_dbapi.Error as error:
        log.error("the index could not be synced at the end", error=type(error).__name__)
        return
    if is_durable:
        mark.unlink(missing_ok=True)


def _without_row(archive: Archive, folder: int) -> Sequence[str]:
    """Digests of a folder's files that nothing in the database speaks of."""
    begin, end = f"{folder:02x}", f"{folder:02x}g"  # g comes after every hexadecimal digit
    there = set(archive.files.digests(folder))
    with archive.database.reading() as session:
        for column in (Instance.digest, QuarantinedInstance.digest):
            there.difference_update(session.scalars(select(column).where(column.between(begin, end))))
        paths = {f"{FILES}/{begin}/{digest}.dcm": digest for digest in sorted(there)}
        for start in range(0, len(paths), SAID_AT_ONCE):
            some = list(paths)[start : start + SAID_AT_ONCE]
            going = session.scalars(select(RemovedFile.path).where(RemovedFile.path.in_(some)))
            there.difference_update(paths[path] for path in going)
    return sorted(there)


def _index_again(archive: Archive, digest: str, found: Recovered) -> None:
    path = archive.path(digest)
    try:
        head = _head_of_whole(path, digest)
    except FileNotFoundError:
        return
    if head is not None:
        _take_again(archive, _InPlace(digest, path.stat().st_size - head.size_bytes), head, found)
    elif path.stat().st_mtime < time.time() - STALE_AFTER_S:
        archive.files.remove(digest)
        found.removed += 1
    else:
        found.left += 1


def _head_of_whole(path: Path, digest: str) -> FileHead | None:
    """The head of a file whose data set has this digest; None when it has another, or is no DICOM file at all."""
    with path.open("rb") as file:
        try:
            head = read_file_head(file)
            with mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as mapped, memoryview(mapped) as whole:
                found = hashlib.sha256(whole[head.size_bytes :]).hexdigest()
        except (NotPart10, ValueError):  # ValueError: an empty file cannot be mapped
            return None
    return head if found == digest else None


def _take_again(archive: Archive, content: "_InPlace", head: FileHead, found: Recovered) -> None:
    """Indexes a file that is where it belongs. It was whole when it came, or it would not be there."""
    try:
        data_set = dcmread(archive.path(content.digest), stop_before_pixels=True, specific_tags=list(INDEXED_TAGS))
        header = instance_header(data_set, head.transfer_syntax_uid)
    except UNREADABLE_FILE as error:
        log.error("a file without a row cannot be read", digest=content.digest, error=type(error).__name__)
        return
    origin, _, source = head.how_it_came.partition(" ")
    try:
        receipt = archive.keep(
            content, header, source=source, origin=Origin.RESULT if origin == Origin.RESULT else Origin.RECEIVED
        )
    except ContentConflict:
        outcome = None
    else:
        outcome = receipt.outcome
    if outcome in (Taken.STORED, Taken.QUARANTINED):
        found.indexed += 1
    elif outcome is not Taken.DUPLICATE:
        archive.files.remove(content.digest)
        found.removed += 1


@dataclass(frozen=True)
class _InPlace:
    """An instance whose file is where it belongs."""

    digest: str
    size_bytes: int

    def create_in(self, files: DigestFiles) -> bool:
        return False

    def replace_in(self, files: DigestFiles) -> None:
        files.confirm(self.digest)
