"""Transfers: every one a row that survives, counts, can be stopped and started again."""

import zipfile
from collections.abc import Callable
from datetime import timedelta
from io import BytesIO
from pathlib import Path

import pytest
from sqlalchemy import func, select

from pacs_agent import bring_in
from pacs_agent.bring_in import transfers
from pacs_agent.bring_in.errors import Canceled, Lost
from pacs_agent.bring_in.folder import WatchedFolder
from pacs_agent.bring_in.transfers import Progress, claim, take_over
from pacs_agent.db import AuditEvent, Database, Destination, Instance, Transfer, TransferKind, TransferState, utc_now
from tests.unit.archive.made_instances import ct_slice, part10

TransferOf = Callable[[str], Transfer]
Process = Callable[..., bring_in.BringIn]


def run(process: bring_in.BringIn) -> None:
    process.step()
    process.wait()


def upload(database: Database, folder: Path, *files: bytes) -> str:
    return bring_in.begin_upload(database, folder, [BytesIO(file) for file in files], actor="ada@127.0.0.1")


def stored(database: Database) -> int:
    with database.reading() as session:
        return session.scalar(select(func.count()).select_from(Instance)) or 0


def zipped(*files: bytes) -> bytes:
    stream = BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for number, file in enumerate(files):
            archive.writestr(f"../{number}", file)
    return stream.getvalue()


def test_dropped_files_come_in_by_the_same_door(
    database: Database, tmp_path: Path, process: Process, transfer_of: TransferOf
) -> None:
    archive = zipped(part10(ct_slice(2)), b"a note", part10(ct_slice(3))[:-9])
    transfer_id = upload(database, tmp_path, part10(ct_slice()), archive)
    run(process())
    transfer = transfer_of(transfer_id)
    assert (transfer.state, transfer.done, transfer.refused, transfer.skipped) == (TransferState.DONE, 2, 1, 1)
    assert transfer.expected == 4
    assert transfer.refusals and "cut off" in transfer.refusals[0]
    assert stored(database) == 2
    assert not any((tmp_path / "incoming").iterdir())
    with database.reading() as session:
        actions = list(session.scalars(select(AuditEvent.action).order_by(AuditEvent.id)))
        sources = set(session.scalars(select(Instance.source)))
    assert actions == ["transfer.started", "instance.refused", "transfer.done"]
    assert sources == {"upload@ada@127.0.0.1"}


def test_files_without_any_image_fail_in_words(
    database: Database, tmp_path: Path, process: Process, transfer_of: TransferOf
) -> None:
    transfer_id = upload(database, tmp_path, b"a letter")
    run(process())
    assert transfer_of(transfer_id).state == TransferState.FAILED
    assert "no DICOM files" in transfer_of(transfer_id).error


def test_nothing_dropped_is_refused(database: Database, tmp_path: Path) -> None:
    with pytest.raises(bring_in.BringInError, match="choose"):
        upload(database, tmp_path)


def test_a_transfer_whose_process_died_goes_on_and_nothing_comes_twice(
    database: Database, tmp_path: Path, process: Process, transfer_of: TransferOf
) -> None:
    transfer_id = upload(database, tmp_path, part10(ct_slice()), part10(ct_slice(2)))
    assert claim(database) is not None  # by a process that is killed now
    with database.writing() as session:
        session.get_one(Transfer, transfer_id).changed_at = utc_now() - timedelta(seconds=transfers.SILENCE_S + 1)
    run(process())
    assert transfer_of(transfer_id).state == TransferState.DONE
    assert (transfer_of(transfer_id).attempts, stored(database)) == (2, 2)


def test_a_transfer_that_ends_the_process_each_time_waits_for_a_person(
    database: Database, tmp_path: Path, process: Process, transfer_of: TransferOf
) -> None:
    transfer_id = upload(database, tmp_path, part10(ct_slice()))
    for _ in range(transfers.MOST_ATTEMPTS):
        assert claim(database) is not None
        with database.writing() as session:
            session.get_one(Transfer, transfer_id).changed_at = utc_now() - timedelta(hours=1)
        take_over(database)
    assert claim(database) is None
    assert transfer_of(transfer_id).state == TransferState.INTERRUPTED
    with database.writing() as session:
        bring_in.start_again(session, transfer_id, actor="ada")
    run(process())
    assert transfer_of(transfer_id).state == TransferState.DONE


def test_a_running_transfer_is_stopped_and_what_came_stays(database: Database, tmp_path: Path) -> None:
    transfer_id = upload(database, tmp_path, part10(ct_slice()))
    transfer = claim(database)
    assert transfer is not None
    progress = Progress(database, transfer)
    with database.writing() as session:
        bring_in.cancel(session, transfer_id, actor="ada")
    with pytest.raises(Canceled):
        progress.write(now=True)


def test_a_queued_transfer_is_canceled_at_once_and_only_once(database: Database, tmp_path: Path) -> None:
    transfer_id = upload(database, tmp_path, part10(ct_slice()))
    with database.writing() as session:
        bring_in.cancel(session, transfer_id, actor="ada")
    assert claim(database) is None
    with database.writing() as session, pytest.raises(bring_in.BringInError, match="canceled already"):
        bring_in.cancel(session, transfer_id, actor="ada")


def test_a_transfer_that_another_process_took_is_left_alone(database: Database, tmp_path: Path) -> None:
    upload(database, tmp_path, part10(ct_slice()))
    transfer = claim(database)
    assert transfer is not None
    transfers.give_back(database, [transfer.id])
    with pytest.raises(Lost):
        Progress(database, transfer).write(now=True)


def test_a_study_is_not_fetched_twice_at_a_time(database: Database) -> None:
    pacs = Destination(name="pacs", kind="dimse", settings={}, enabled=True)
    with database.writing() as session:
        assert bring_in.begin_pull(session, pacs, "1.2.3", None, actor="ada").kind == TransferKind.C_MOVE
        with pytest.raises(bring_in.BringInError, match="already"):
            bring_in.begin_pull(session, pacs, "1.2.3", TransferKind.C_GET, actor="ada")
        with pytest.raises(bring_in.BringInError, match="offers c-move and c-get"):
            bring_in.begin_pull(session, pacs, "1.2.4", TransferKind.WADO, actor="ada")
        with pytest.raises(bring_in.BringInError, match="UID"):
            bring_in.begin_pull(session, pacs, "../1", None, actor="ada")


def test_a_peer_that_is_gone_fails_in_words(database: Database, process: Process, transfer_of: TransferOf) -> None:
    settings = {"host": "127.0.0.1", "port": 9, "called_ae": "PACS"}
    with database.writing() as session:
        session.add(Destination(name="pacs", kind="dimse", settings=settings))
        transfer = bring_in.begin_pull(
            session, Destination(name="pacs", kind="dimse", enabled=True), "1.2.3", None, actor="ada"
        )
    run(process())
    assert transfer_of(transfer.id).state == TransferState.FAILED
    assert "did not accept an association" in transfer_of(transfer.id).error


def test_what_is_moved_into_the_folder_is_taken_in_once_it_stands_still(
    database: Database, tmp_path: Path, process: Process
) -> None:
    folder = tmp_path / "watched"
    (folder / "study").mkdir(parents=True)
    good, bad = part10(ct_slice()), b"a letter"
    (folder / "study" / "a.dcm").write_bytes(good)
    (folder / "letter.txt").write_bytes(bad)
    (folder / "coming.part").write_bytes(good)
    (folder / "link").symlink_to("/etc/passwd")
    watching = process(folder=folder, folder_poll_s=1e-9)
    run(watching)
    assert stored(database) == 0, "a file that has just come may still grow"
    run(watching)
    assert stored(database) == 1
    assert (folder / "done" / "a.dcm").read_bytes() == good
    assert (folder / "refused" / "letter.txt").read_bytes() == bad
    assert "no DICOM file" in (folder / "refused" / "letter.txt.reason.txt").read_text()
    assert {path.name for path in folder.iterdir()} >= {"coming.part", "link", "done", "refused"}
    assert not any((folder / ".taken").iterdir())
    (folder / "a.dcm").write_bytes(good)
    run(watching)
    run(watching)
    assert (folder / "done" / "1-a.dcm").exists()


def test_files_that_were_taken_by_an_agent_that_died_are_taken_up(
    database: Database, tmp_path: Path, process: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pacs_agent.bring_in.folder.UNSAID_S", -1.0)
    taken = tmp_path / "watched" / ".taken" / transfers.new_transfer_id()
    taken.mkdir(parents=True)
    (taken / "000000_a.dcm").write_bytes(part10(ct_slice()))
    WatchedFolder(tmp_path / "watched").take_up(database)
    run(process(folder=tmp_path / "watched"))
    assert stored(database) == 1
    assert (tmp_path / "watched" / "done" / "a.dcm").exists()
