"""Where files wait to be taken in: one folder for each transfer, its files under numbers instead of names."""

import os
import shutil
import time
from collections.abc import Iterable
from pathlib import Path
from typing import IO

from pacs_agent.bring_in.errors import BringInError
from pacs_agent.bring_in.files import PIECE_BYTES
from pacs_agent.bring_in.transfers import begin_files, new_transfer_id
from pacs_agent.db import Database, Transfer, TransferKind

KEPT_S = 7 * 86400.0
BROKEN_OFF_S = 86400.0


def spool_folder(data_dir: Path, transfer_id: str) -> Path:
    """The folder of a transfer's uploaded files, whether it is there or not."""
    return data_dir / "incoming" / transfer_id


def begin_upload(database: Database, data_dir: Path, files: Iterable[IO[bytes]], *, actor: str) -> str:
    """Keeps what people upload and queues its intake; gives the transfer's id.

    Raises BringInError when there is nothing, OSError when the disk does not take it.
    """
    transfer_id = new_transfer_id()
    folder = spool_folder(data_dir, transfer_id)
    count = keep_uploaded(folder, files)
    if not count:
        forget(folder)
        raise BringInError("choose one file at least: DICOM files, or a ZIP of them")
    with database.writing() as session:
        begin_files(session, TransferKind.UPLOAD, "files", transfer_id, count, actor=actor)
    return transfer_id


def keep_uploaded(folder: Path, files: Iterable[IO[bytes]]) -> int:
    """Writes what people upload into a folder, synced; gives how many files that were. Nothing stays after an error."""
    folder.mkdir(parents=True)
    count = 0
    try:
        for file in files:
            with (folder / f"{count:06d}").open("xb") as kept:
                shutil.copyfileobj(file, kept, PIECE_BYTES)
                kept.flush()
                os.fsync(kept.fileno())
            count += 1
    except OSError:
        forget(folder)
        raise
    return count


def sweep(data_dir: Path, database: Database) -> None:
    """Removes folders that no transfer needs any more: uploads that broke off, and what ended badly a while ago."""
    root = data_dir / "incoming"
    for folder in root.iterdir() if root.is_dir() else ():
        age_s = time.time() - folder.stat().st_mtime
        with database.reading() as session:
            transfer = session.get(Transfer, folder.name)
        under_way = transfer is not None and transfer.finished_at is None
        if age_s > (KEPT_S if transfer else BROKEN_OFF_S) and not under_way:
            forget(folder)


def forget(folder: Path) -> None:
    """Removes a transfer's folder."""
    shutil.rmtree(folder, ignore_errors=True)
