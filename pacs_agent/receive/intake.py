"""The one door by which instances come in, for C-STORE and STOW-RS: identity, wholeness, then the archive."""

from collections import Counter
from collections.abc import Sequence
from typing import Any, NoReturn

from sqlalchemy.exc import SQLAlchemyError

from pacs_agent.archive import (
    STORAGE_SOP_CLASSES,
    TRANSFER_SYNTAXES,
    Archive,
    ContentConflict,
    EncodedInstance,
    InstanceHeader,
    NotPart10,
    Receipt,
    StorageFailure,
    split_part10,
)
from pacs_agent.db import Database
from pacs_agent.ops import Outcome, audit, get_log
from pacs_agent.ops.watermark import DiskGuard
from pacs_agent.receive.audit_book import REFUSED, AuditBook
from pacs_agent.receive.identity import LONGEST_UID, checked_header, is_uid
from pacs_agent.receive.incoming import Announced, Incoming, Spool, no_room
from pacs_agent.receive.refusal import (
    CannotUnderstand,
    ClassNotSupported,
    IdentityMismatch,
    OutOfResources,
    Refusal,
    ReusedUID,
)

log = get_log("receive")


class Intake:
    """Takes instances from peers. Safe for any number of threads. With a `book` floods of refusals are summed up."""

    def __init__(self, database: Database, archive: Archive, book: AuditBook | None = None) -> None:
        self._database = database
        self._book = book
        self._archive = archive
        self._disk = DiskGuard(database, archive.files.root)
        self._spool = Spool(archive.files)

    def begin(self, announced: Announced) -> Incoming:
        """Where the bytes of an announced instance go; `finish` archives them, `discard` ends it otherwise.

        Raises a Refusal, audited by then, of what need not be received at all: another transfer syntax or SOP class
        than ours, a UID that is none, a disk or a memory without room.
        """
        try:
            _check_announced(announced)
            self._check_room(0)
            return self._spool.begin(announced)
        except Refusal as refusal:
            self._refuse(refusal, announced.sop_instance_uid, announced.source)

    def refuse(self, refusal: Refusal, announced: Announced) -> NoReturn:
        """Audits and raises a refusal for which the announced instance need not be looked at."""
        self._refuse(refusal, announced.sop_instance_uid, announced.source)

    def finish(self, incoming: Incoming) -> Receipt:
        """Checks an instance whose last byte came, and archives it: on return it is safe on disk.

        Raises a Refusal, audited by then. Either way nothing more can be done with `incoming`.
        """
        announced = incoming.announced
        try:
            incoming.complete()
            with incoming.content() as data_set:
                header = checked_header(data_set, announced)
            self._check_room(incoming.size_bytes)
            return self._archive.keep(incoming, header, source=announced.source)
        except ContentConflict as error:
            self._refuse(ReusedUID(str(error)), announced.sop_instance_uid, announced.source)
        except StorageFailure as error:
            self._refuse(OutOfResources(str(error)), announced.sop_instance_uid, announced.source)
        except (OSError, MemoryError) as error:
            self._refuse(no_room(error), announced.sop_instance_uid, announced.source)
        except Refusal as refusal:
            self._refuse(refusal, announced.sop_instance_uid, announced.source)
        finally:
            discard(incoming)

    def accept(self, sent: EncodedInstance | bytes, *, source: str, study_instance_uid: str | None = None) -> Receipt:
        """Checks an instance (or a whole DICOM file) and archives it; `source` names the peer, "AE@address".

        With `study_instance_uid` only instances of that study are taken (PS3.18 10.5.1.1). On return the instance
        is safe on disk. Raises a Refusal, whose audit line is written by then.
        """
        try:
            encoded = sent if isinstance(sent, EncodedInstance) else split_part10(sent)
        except NotPart10 as error:
            self._refuse(CannotUnderstand(str(error)), "", source)
        try:
            self._check_room(len(encoded.data_set))
            header = checked_header(encoded.data_set, encoded)
            _check_study(header, study_instance_uid)
            return self._archive.store(encoded, header, source=source)
        except ContentConflict as error:
            self._refuse(ReusedUID(str(error)), encoded.sop_instance_uid, source)
        except StorageFailure as error:
            self._refuse(OutOfResources(str(error)), encoded.sop_instance_uid, source)
        except (OSError, MemoryError) as error:
            self._refuse(no_room(error), encoded.sop_instance_uid, source)
        except Refusal as refusal:
            self._refuse(refusal, encoded.sop_instance_uid, source)

    def audit_request(self, source: str, receipts: Sequence[Receipt], refused: int) -> None:
        """Writes the one audit line of a STOW-RS request, as an association has one."""
        counts = Counter(receipt.outcome.value for receipt in receipts)
        detail: dict[str, Any] = {"instances": len(receipts), "refused": refused, **counts}
        outcome = Outcome.MINOR_FAILURE if refused else Outcome.SUCCESS
        with self._database.writing() as session:
            audit(session, actor=source, action="stow", outcome=outcome, **detail)

    def _check_room(self, size_bytes: int) -> None:
        """Raises OutOfResources before the disk is full: the sender tries again, and nothing is lost."""
        if objection := self._disk.objection(size_bytes):
            raise OutOfResources(objection)

    def _refuse(self, refusal: Refusal, subject: str, source: str) -> NoReturn:
        """Audits and raises a refusal. A database that is gone is why some are refused: that must still be told."""
        try:
            if self._book is None or self._book.has_room(source.rpartition("@")[2], REFUSED, str(refusal)):
                self._audit(refusal, subject, source)
        except SQLAlchemyError as error:
            log.error("refusal not audited", source=source, reason=refusal.reason, error=type(error).__name__)
        raise refusal

    def _audit(self, refusal: Refusal, subject: str, source: str) -> None:
        with self._database.writing() as session:
            audit(
                session,
                actor=source,
                action=REFUSED,
                outcome=Outcome.SERIOUS_FAILURE,
                subject=subject if is_uid(subject) else "",
                status=f"{refusal.status:04X}",
                reason=refusal.reason,
                text=str(refusal),
            )


def discard(incoming: Incoming) -> None:
    """Gives back memory and file; a file that cannot be removed is left to the archive's sweep, and costs no answer."""
    try:
        incoming.discard()
    except OSError as error:
        log.error("a temporary file is left", error=error.strerror or type(error).__name__)


def _check_announced(announced: Announced) -> None:
    """Raises ClassNotSupported or IdentityMismatch by what the command says alone."""
    if announced.transfer_syntax_uid not in TRANSFER_SYNTAXES:
        raise ClassNotSupported(f"transfer syntax {announced.transfer_syntax_uid[:LONGEST_UID]!r} is not supported")
    for name, uid in (("SOPClassUID", announced.sop_class_uid), ("SOPInstanceUID", announced.sop_instance_uid)):
        if not is_uid(uid):
            raise IdentityMismatch(f"{name} {uid[:LONGEST_UID]!r} is not a UID: digits and dots, at most {LONGEST_UID}")
    if announced.sop_class_uid not in STORAGE_SOP_CLASSES:
        raise ClassNotSupported(f"SOP class {announced.sop_class_uid} is not supported")


def _check_study(header: InstanceHeader, demanded: str | None) -> None:
    if demanded is not None and header.study.study_instance_uid != demanded:
        raise IdentityMismatch(
            f"the instance is of study {header.study.study_instance_uid}, not the one asked for, {demanded}"
        )
