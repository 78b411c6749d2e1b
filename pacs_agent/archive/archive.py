"""The archive: instances on disk under their digests, and their index."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Protocol

from pydicom import dcmread
from pydicom.dataset import Dataset, FileDataset
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.orm import Session

from pacs_agent.archive import index
from pacs_agent.archive.errors import ContentConflict, NotArchived, StorageFailure
from pacs_agent.archive.files import DigestFiles
from pacs_agent.archive.group import GroupCommit
from pacs_agent.archive.header import InstanceHeader, instance_header
from pacs_agent.archive.known_series import KnownSeries
from pacs_agent.archive.part10 import EncodedInstance, came, encode, part10_head, split_part10
from pacs_agent.archive.receipt import Receipt, Taken
from pacs_agent.archive.sop_classes import is_image
from pacs_agent.db import Database, Instance, Origin
from pacs_agent.ops import Outcome, audit

ATTEMPTS = 20
"""Each lost race means that another association indexed a row we need: the next attempt finds it."""


class Content(Protocol):
    """The bytes of a data set and the head of its file, wherever they lie."""

    @property
    def digest(self) -> str:
        """SHA-256 of the data set, in hexadecimal."""

    @property
    def size_bytes(self) -> int:
        """Of the data set."""

    def create_in(self, files: DigestFiles) -> bool:
        """Makes the file, durably; or tells that there is one already. Raises StorageFailure."""

    def replace_in(self, files: DigestFiles) -> None:
        """Makes the file, durably, whether there is one or not. Raises StorageFailure."""


class Archive:
    """The instances of one agent. Any number of threads and processes may share a database and a root folder."""

    def __init__(self, database: Database, root: Path) -> None:
        self.database = database
        self.files = DigestFiles(root)
        self.known_series = KnownSeries(database)
        self._group = GroupCommit(self.known_series.add)

    def store(
        self, encoded: EncodedInstance, header: InstanceHeader, *, source: str, origin: Origin = Origin.RECEIVED
    ) -> Receipt:
        """Archives an instance whose bytes are in memory, as `keep` does."""
        head = part10_head(
            header.sop_class_uid, header.sop_instance_uid, header.transfer_syntax_uid, came(origin, source)
        )
        return self.keep(_InMemory(encoded, head), header, source=source, origin=origin)

    def keep(
        self, content: Content, header: InstanceHeader, *, source: str, origin: Origin = Origin.RECEIVED
    ) -> Receipt:
        """Archives an instance. On return it is on disk, synced and indexed, in that order.

        `header` holds the facts of the same data set; its UIDs must have been checked. The same instance again changes
        nothing, but that a study which the agent fetched to compare with receives anew. Raises ContentConflict when its
        SOP Instance UID is archived with other content, StorageFailure when disk or database did not take it.
        """
        entry = _entry(content, header, source, origin)
        try:
            return self._keep(content, entry)
        except SQLAlchemyError as error:
            raise StorageFailure(f"the database did not take an instance: {type(error).__name__}") from error

    def store_result(self, result: Dataset | bytes | Path, *, source: str = "agent") -> Receipt:
        """Archives an object the agent made itself: a data set with `file_meta`, or a DICOM file as bytes or by path.

        It never moves the study's quiet time. Raises as `store` does, NotPart10 when it is no DICOM file.
        """
        encoded = encode(result) if isinstance(result, Dataset) else split_part10(_file_bytes(result))
        head = part10_head(encoded.sop_class_uid, encoded.sop_instance_uid, encoded.transfer_syntax_uid)
        data_set = dcmread(BytesIO(head + encoded.data_set), stop_before_pixels=True)
        header = instance_header(data_set, encoded.transfer_syntax_uid)
        return self.store(encoded, header, source=source, origin=Origin.RESULT)

    def path(self, digest: str) -> Path:
        """The DICOM file of a digest, whether it is there or not. Raises ValueError when it is not a digest."""
        return self.files.path(digest)

    def read(self, digest: str, *, stop_before_pixels: bool = False) -> FileDataset:
        """The data set of a digest. Raises NotArchived."""
        try:
            return dcmread(self.path(digest), stop_before_pixels=stop_before_pixels)
        except FileNotFoundError as error:
            raise NotArchived(f"no file of digest {digest} in the archive") from error

    def study_files(self, session: Session, study_instance_uid: str) -> Sequence[Instance]:
        """All instances of a study, series by series; `path(instance.digest)` is each one's file."""
        return index.instances_of_study(session, study_instance_uid)

    def headers(self, study_instance_uid: str) -> Iterator[FileDataset]:
        """The data sets of a study's instances without their pixels, read one by one."""
        with self.database.reading() as session:
            digests = [instance.digest for instance in self.study_files(session, study_instance_uid)]
        return (self.read(digest, stop_before_pixels=True) for digest in digests)

    def sweep(self) -> int:
        """Removes what died processes left half written; call it once at start. Returns how many files that were."""
        return self.files.sweep()

    def _keep(self, content: Content, entry: index.Entry) -> Receipt:
        """The rule first: a file that is new, of an image of a known series. Everything else is looked at closely."""
        if entry.origin is not Origin.RECEIVED or not content.create_in(self.files):
            return self._keep_carefully(content, entry, written=False)
        if self._group.submit(entry):
            return _receipt(entry, Taken.STORED)
        return self._keep_carefully(content, entry, written=True)

    def _keep_carefully(self, content: Content, entry: index.Entry, *, written: bool) -> Receipt:
        for _ in range(ATTEMPTS):
            receipt = self._receipt_of_known(entry, written=written)
            if receipt is not None:
                return receipt
            if not written:
                content.replace_in(self.files)
                written = True
            try:
                return self._index(entry)
            except IntegrityError:
                continue
        raise StorageFailure(f"{ATTEMPTS} attempts to index an instance lost against other associations; send it again")

    def _receipt_of_known(self, entry: index.Entry, *, written: bool) -> Receipt | None:
        """The receipt of an instance that came before; None when it is new."""
        received, uid = entry.origin is Origin.RECEIVED, entry.header.sop_instance_uid
        with self.database.reading() as session:
            known = index.known_instance(session, uid)
            own_result = received and (index.is_own_result(session, uid) if known is None else known.own_result)
            is_same = known is not None and _is_same(known, entry)
            study_uid = entry.header.study.study_instance_uid
            asleep = index.study_to_compare(session, study_uid) if is_same and entry.is_image else None
        if known is None and not own_result:
            return None
        if written and (known is None or known.digest != entry.digest):
            self.files.remove(entry.digest)
        if own_result or known is None:
            return _receipt(entry, Taken.OWN_RESULT)
        if asleep is not None:
            self._wake(asleep)
        if is_same:
            return _receipt(entry, Taken.DUPLICATE)
        raise ContentConflict(
            f"instance {uid} is archived with other content; give changed content a new SOP Instance UID"
        )

    def _wake(self, study_pk: int) -> None:
        """Who sends what the agent had fetched to compare with it means it to be read."""
        with self.database.writing() as session:
            index.receive_again(session, study_pk)

    def _index(self, entry: index.Entry) -> Receipt:
        with self.database.writing() as session:
            at = index.place(session, entry.header)
            if not at.contradiction:
                index.add(session, entry, at)
                return _receipt(entry, Taken.STORED)
            if not index.is_quarantined(session, entry.digest):
                index.quarantine(session, entry, at.contradiction)
                _audit_quarantine(session, entry, at.contradiction)
            return _receipt(entry, Taken.QUARANTINED)


@dataclass(frozen=True)
class _InMemory:
    """An instance whose data set is in memory as a whole."""

    encoded: EncodedInstance
    head: bytes

    @property
    def digest(self) -> str:
        return self.encoded.digest

    @property
    def size_bytes(self) -> int:
        return len(self.encoded.data_set)

    def create_in(self, files: DigestFiles) -> bool:
        return files.create(self.digest, (self.head, self.encoded.data_set))

    def replace_in(self, files: DigestFiles) -> None:
        files.replace(self.digest, (self.head, self.encoded.data_set))


def _is_same(known: index.Known, entry: index.Entry) -> bool:
    return (known.digest, known.transfer_syntax_uid) == (entry.digest, entry.header.transfer_syntax_uid)


def _entry(content: Content, header: InstanceHeader, source: str, origin: Origin) -> index.Entry:
    return index.Entry(
        header=header,
        digest=content.digest,
        size_bytes=content.size_bytes,
        origin=origin,
        source=source,
        is_image=origin is Origin.RECEIVED and is_image(header.sop_class_uid),
    )


def _receipt(entry: index.Entry, outcome: Taken) -> Receipt:
    header = entry.header
    return Receipt(
        outcome=outcome,
        digest=entry.digest,
        sop_instance_uid=header.sop_instance_uid,
        sop_class_uid=header.sop_class_uid,
        study_instance_uid=header.study.study_instance_uid,
        series_instance_uid=header.series.series_instance_uid,
    )


def _audit_quarantine(session: Session, entry: index.Entry, reason: str) -> None:
    audit(
        session,
        actor=entry.source or "agent",
        action="instance.quarantined",
        outcome=Outcome.MINOR_FAILURE,
        subject=entry.header.sop_instance_uid,
        study_instance_uid=entry.header.study.study_instance_uid,
        digest=entry.digest,
        reason=reason,
    )


def _file_bytes(file: bytes | Path) -> bytes:
    return file if isinstance(file, bytes) else file.read_bytes()
