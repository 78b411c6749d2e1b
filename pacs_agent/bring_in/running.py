"""One transfer from its claim to its end."""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from pacs_agent.archive import Archive
from pacs_agent.bring_in.errors import BringInError, Canceled, Lost
from pacs_agent.bring_in.files import Budget, FileRefused, count_of, instances_in
from pacs_agent.bring_in.folder import put_away, taken_folder
from pacs_agent.bring_in.peers import fetch_study
from pacs_agent.bring_in.spool import forget, spool_folder
from pacs_agent.bring_in.transfers import Progress, finish
from pacs_agent.config import Settings
from pacs_agent.db import Database, Destination, Transfer, TransferKind, TransferState
from pacs_agent.deliver import DeliveryError
from pacs_agent.receive import Intake, OutOfResources, Refusal

GIGABYTE = 10**9
NOT_DICOM = "no DICOM file"


class Transfers:
    """Runs claimed transfers. Safe for any number of threads."""

    def __init__(self, settings: Settings, database: Database, archive: Archive) -> None:
        self._settings = settings
        self._database = database
        self._intake = Intake(database, archive)

    def run(self, transfer: Transfer) -> None:
        """Brings in what a claimed transfer is about, and says in its row how it ended."""
        progress = Progress(self._database, transfer)
        try:
            if transfer.kind == TransferKind.UPLOAD:
                self._take_uploaded(transfer, progress)
            elif transfer.kind == TransferKind.FOLDER:
                self._take_from_folder(transfer, progress)
            else:
                self._fetch(transfer, progress)
            progress.write(now=True)
        except Lost:
            return
        except Canceled:
            finish(self._database, transfer.id, TransferState.CANCELED)
        except (BringInError, DeliveryError, OutOfResources) as error:
            self._fail(transfer, progress, str(error))
        else:
            self._end(transfer, progress)

    def _end(self, transfer: Transfer, progress: Progress) -> None:
        if progress.done:
            finish(self._database, transfer.id, TransferState.DONE)
            return
        words = f"nothing came: {progress.refused} refused, {progress.skipped} no DICOM files"
        if transfer.study_instance_uid and not progress.refused:
            words = f"nothing came: {transfer.source} has no images of this study for us"
        finish(self._database, transfer.id, TransferState.FAILED, words)

    def _fail(self, transfer: Transfer, progress: Progress, words: str) -> None:
        with suppress(Canceled):
            progress.write(now=True)
        finish(self._database, transfer.id, TransferState.FAILED, words)

    def _fetch(self, transfer: Transfer, progress: Progress) -> None:
        with self._database.reading() as session:
            row = session.get(Destination, transfer.source)
        if row is None:
            raise BringInError(f"there is no destination {transfer.source} any more")
        way = TransferKind(transfer.kind)
        fetch_study(row, way, transfer.study_instance_uid, self._settings, self._intake, progress)

    def _take_uploaded(self, transfer: Transfer, progress: Progress) -> None:
        folder = spool_folder(self._settings.data_dir, transfer.id)
        try:
            self._take_files(folder, transfer, progress, lambda file, _reason: file.unlink())
        except Lost:
            raise
        except Canceled:
            forget(folder)
            raise
        forget(folder)

    def _take_from_folder(self, transfer: Transfer, progress: Progress) -> None:
        watched = self._settings.bring_in.folder
        if watched is None:
            raise BringInError("bring_in.folder is not set any more; set it and start this again")
        folder = taken_folder(watched, transfer.id)
        try:
            self._take_files(folder, transfer, progress, lambda file, reason: put_away(file, watched, reason))
        except Lost:
            raise
        except Canceled:
            for file in folder.iterdir():
                put_away(file, watched, "canceled; move it into the folder again to take it in")
            folder.rmdir()
            raise
        folder.rmdir()

    def _take_files(
        self, folder: Path, transfer: Transfer, progress: Progress, put: Callable[[Path, str], None]
    ) -> None:
        """Takes every file in, in order; `put` has a file that was read to its end and why nothing of it was taken.

        What the disk or the database did not take raises OutOfResources: it stays where it is, to be started again.
        """
        if not folder.is_dir():
            raise BringInError("its files are gone; bring them in again")
        budget = Budget(int(self._settings.bring_in.max_unpacked_gb * GIGABYTE))
        files = sorted(folder.iterdir())
        progress.expect(progress.done + progress.refused + progress.skipped + sum(count_of(file) for file in files))
        for file in files:
            put(file, self._take_file(file, transfer, progress, budget))
        progress.expect(progress.done + progress.refused + progress.skipped)

    def _take_file(self, file: Path, transfer: Transfer, progress: Progress, budget: Budget) -> str:
        """Why nothing of a file, or not all of it, was taken; empty when all is well."""
        reason = ""
        try:
            for found in instances_in(file, budget):
                why = self._take_instance(found, transfer, progress)
                reason = reason or why
        except FileRefused as refused:
            progress.refuse(str(refused))
            reason = str(refused)
        return reason

    def _take_instance(self, found: bytes | FileRefused | None, transfer: Transfer, progress: Progress) -> str:
        if found is None:
            progress.skip()
            return NOT_DICOM
        if isinstance(found, FileRefused):
            progress.refuse(str(found))
            return str(found)
        try:
            self._intake.accept(found, source=f"{transfer.kind}@{transfer.who}"[:128])
        except OutOfResources:
            raise
        except Refusal as refusal:
            progress.refuse(str(refusal))
            return str(refusal)
        progress.took()
        return ""
