"""What the archive does with an instance: on disk first, then indexed, never mixed."""

import errno
import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pydicom
import pytest
from sqlalchemy import select

from pacs_agent.archive import (
    Archive,
    ContentConflict,
    EncodedInstance,
    InstanceHeader,
    NotArchived,
    StorageFailure,
    Taken,
    part10_head,
    parts,
)
from pacs_agent.db import (
    AuditEvent,
    Database,
    Instance,
    Job,
    Origin,
    Patient,
    QuarantinedInstance,
    ResultObject,
    Series,
    Study,
    StudyState,
)
from pacs_agent.receive import Intake
from pacs_agent.receive.identity import checked_header
from tests.unit.archive.made_instances import ct_slice, encoded, part10, text_report


def rows(database: Database, mapped: type[Any]) -> Sequence[Any]:
    with database.reading() as session:
        return session.scalars(select(mapped)).all()


def files_of(archive: Archive) -> set[str]:
    return {path.stem for path in archive.files.root.rglob("*.dcm")}


def temporary_files(archive: Archive) -> list[Path]:
    return list((archive.files.root / "incoming").iterdir())


def test_file_holds_the_data_set_byte_for_byte_under_its_digest(intake: Intake, archive: Archive) -> None:
    sent = encoded(ct_slice())
    receipt = intake.accept(sent, source="PACS@10.0.0.1")
    stored = archive.path(receipt.digest).read_bytes()
    assert receipt.outcome is Taken.STORED
    assert receipt.digest == hashlib.sha256(sent.data_set).hexdigest()
    assert stored.endswith(sent.data_set)
    assert encoded(pydicom.dcmread(archive.path(receipt.digest))).data_set == sent.data_set


def test_index_says_what_the_file_holds(intake: Intake, database: Database) -> None:
    intake.accept(encoded(ct_slice(7)), source="PACS@10.0.0.1")
    (instance,), (series,), (study,), (patient,) = (rows(database, m) for m in (Instance, Series, Study, Patient))
    assert (instance.number, instance.rows, instance.columns, instance.frames) == (7, 16, 16, 1)
    assert (instance.origin, instance.source) == (Origin.RECEIVED, "PACS@10.0.0.1")
    assert (series.modality, series.number, series.description) == ("CT", 2, "thin")
    assert (study.study_date, study.accession_number, study.state) == ("20260102", "A1", StudyState.RECEIVING)
    assert (patient.patient_id, patient.name, patient.birth_date) == ("P1", "Doe^Jane", "19500101")


def test_same_instance_again_changes_nothing(intake: Intake, database: Database) -> None:
    intake.accept(encoded(ct_slice()), source="A@1")
    (before,) = rows(database, Study)
    assert intake.accept(encoded(ct_slice()), source="B@2").outcome is Taken.DUPLICATE
    (after,), (instance,) = rows(database, Study), rows(database, Instance)
    assert after.last_received_at == before.last_received_at
    assert instance.source == "A@1"


def test_reused_uid_is_refused_and_leaves_no_file(archive: Archive, database: Database) -> None:
    first, other = encoded(ct_slice()), encoded(ct_slice(PatientSex="M"))
    archive.store(first, header_of(first), source="A@1")
    with pytest.raises(ContentConflict, match="new SOP Instance UID"):
        archive.store(other, header_of(other), source="A@1")
    assert files_of(archive) == {first.digest}
    assert len(rows(database, Instance)) == 1


def test_same_bytes_announced_in_another_transfer_syntax_are_refused(archive: Archive) -> None:
    first = encoded(ct_slice())
    header = header_of(first)
    archive.store(first, header, source="A@1")
    other = type(header)(**{**vars(header), "transfer_syntax_uid": "1.2.840.10008.1.2.4.70"})
    with pytest.raises(ContentConflict):
        archive.store(first, other, source="A@1")
    assert files_of(archive) == {first.digest}


def test_other_patient_in_a_study_is_quarantined(intake: Intake, archive: Archive, database: Database) -> None:
    intake.accept(encoded(ct_slice(1)), source="A@1")
    stray = encoded(ct_slice(2, PatientID="P2"))
    receipts = [intake.accept(stray, source="A@1") for _ in range(2)]
    assert [receipt.outcome for receipt in receipts] == [Taken.QUARANTINED] * 2
    (kept,), (event,) = rows(database, QuarantinedInstance), rows(database, AuditEvent)
    assert archive.path(kept.digest).read_bytes().endswith(stray.data_set)
    assert (event.action, event.subject) == ("instance.quarantined", stray.sop_instance_uid)
    assert "P2" not in str(event.detail)
    assert len(rows(database, Instance)) == len(rows(database, Patient)) == 1


def test_same_patient_id_of_another_issuer_is_another_patient(intake: Intake) -> None:
    intake.accept(encoded(ct_slice(1, IssuerOfPatientID="North")), source="A@1")
    south = intake.accept(encoded(ct_slice(2, IssuerOfPatientID="South")), source="A@1")
    assert south.outcome is Taken.QUARANTINED


def test_series_in_two_studies_is_quarantined(intake: Intake, database: Database) -> None:
    intake.accept(encoded(ct_slice(1, study="1.2.3")), source="A@1")
    stray = intake.accept(encoded(ct_slice(2, study="1.2.99")), source="A@1")
    assert stray.outcome is Taken.QUARANTINED
    assert [study.study_instance_uid for study in rows(database, Study)] == ["1.2.3"]


def test_patients_without_an_id_stay_apart(intake: Intake, database: Database) -> None:
    one = ct_slice(1, study="1.1", series="1.1.1", PatientID="", PatientName="One")
    two = ct_slice(1, study="1.2", series="1.2.1", PatientID="", PatientName="Two")
    strays = ct_slice(2, study="1.1", series="1.1.1", PatientID="", PatientName="Two")
    outcomes = [intake.accept(encoded(each), source="A@1").outcome for each in (one, two, strays)]
    assert outcomes == [Taken.STORED, Taken.STORED, Taken.QUARANTINED]
    assert {(patient.patient_id, patient.name) for patient in rows(database, Patient)} == {("", "One"), ("", "Two")}


def test_late_image_makes_a_complete_study_receive_again(intake: Intake, database: Database) -> None:
    intake.accept(encoded(ct_slice(1)), source="A@1")
    complete(database)
    (before,) = rows(database, Study)
    intake.accept(encoded(ct_slice(2)), source="A@1")
    (after,) = rows(database, Study)
    assert (after.state, after.state_reason) == (StudyState.RECEIVING, "")
    assert after.last_received_at > before.last_received_at


def test_documents_and_own_results_do_not_touch_a_complete_study(
    intake: Intake, archive: Archive, database: Database
) -> None:
    intake.accept(encoded(ct_slice(1)), source="A@1")
    complete(database)
    (before,) = rows(database, Study)
    intake.accept(encoded(text_report(1)), source="A@1")
    archive.store_result(text_report(2, series="1.2.3.10"))
    (after,) = rows(database, Study)
    assert (after.state, after.last_received_at) == (StudyState.COMPLETE, before.last_received_at)
    assert len(rows(database, Instance)) == 3


def test_study_of_documents_alone_waits_for_an_image(intake: Intake, database: Database) -> None:
    intake.accept(encoded(text_report()), source="A@1")
    assert [study.state for study in rows(database, Study)] == [StudyState.IGNORED]
    intake.accept(encoded(ct_slice()), source="A@1")
    assert [study.state for study in rows(database, Study)] == [StudyState.RECEIVING]


@pytest.mark.parametrize("form", ["data set", "bytes", "path"])
def test_result_is_stored_from_every_form(archive: Archive, database: Database, tmp_path: Path, form: str) -> None:
    report = text_report()
    (tmp_path / "r.dcm").write_bytes(part10(report))
    forms = {"data set": report, "bytes": part10(report), "path": tmp_path / "r.dcm"}
    receipt = archive.store_result(forms[form])
    assert receipt.outcome is Taken.STORED
    assert encoded(archive.read(receipt.digest)).data_set == encoded(report).data_set
    assert archive.store_result(forms[form]).outcome is Taken.DUPLICATE
    assert [instance.origin for instance in rows(database, Instance)] == [Origin.RESULT]


def test_own_result_routed_back_is_recognised_even_if_the_pacs_changed_it(
    intake: Intake, archive: Archive, database: Database
) -> None:
    own = archive.store_result(text_report())
    coerced = encoded(text_report(PatientName="DOE^JANE", PatientID="CHANGED"))
    assert intake.accept(coerced, source="PACS@1").outcome is Taken.OWN_RESULT
    assert files_of(archive) == {own.digest}
    assert not rows(database, QuarantinedInstance)


def test_own_result_is_recognised_by_its_job_when_the_archive_lost_it(intake: Intake, database: Database) -> None:
    intake.accept(encoded(ct_slice()), source="A@1")
    report = text_report()
    with database.writing() as session:
        session.add(Job(id="j", study_pk=1, rule="r", pipeline="p", input_digest="0" * 64))
        session.flush()
        uids = {"sop_instance_uid": report.SOPInstanceUID, "sop_class_uid": report.SOPClassUID}
        session.add(ResultObject(job_id="j", kind="k", series_instance_uid="1.2", digest="0" * 64, **uids))
    assert intake.accept(encoded(report), source="PACS@1").outcome is Taken.OWN_RESULT
    assert len(rows(database, Instance)) == 1


@pytest.fixture
def steps(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is done to make an instance durable, in its order."""
    taken: list[str] = []
    fsync, rename, index, add = os.fsync, Path.rename, archive._index, archive._group._commit

    def recorded_fsync(descriptor: int) -> None:
        taken.append("sync folder" if os.fstat(descriptor).st_mode & 0o040000 else "sync file")
        fsync(descriptor)

    def recorded_rename(path: Path, target: Path) -> Path:
        taken.append("rename")
        return rename(path, target)

    monkeypatch.setattr(os, "fsync", recorded_fsync)
    monkeypatch.setattr(Path, "rename", recorded_rename)
    monkeypatch.setattr(archive, "_index", lambda entry: (taken.append("index"), index(entry))[1])
    monkeypatch.setattr(archive._group, "_commit", lambda entries: (taken.append("index together"), add(entries))[1])
    return taken


@pytest.mark.parametrize("name_goes_along", [True, False])
def test_bytes_and_name_are_synced_before_the_index_row(
    archive: Archive, steps: list[str], monkeypatch: pytest.MonkeyPatch, name_goes_along: bool
) -> None:
    monkeypatch.setattr(archive.files, "_name_goes_along", name_goes_along)
    synced = ["sync file"] if name_goes_along else ["sync file", "sync folder"]
    for number in (1, 2):
        sent = encoded(ct_slice(number))
        archive.store(sent, header_of(sent), source="A@1")
    assert steps == [*synced, "index together", "index", *synced, "index together"]


def test_a_file_that_is_there_is_replaced_by_a_whole_and_synced_one(archive: Archive, steps: list[str]) -> None:
    sent = encoded(ct_slice())
    archive.path(sent.digest).write_bytes(b"half a story")
    archive.store(sent, header_of(sent), source="A@1")
    assert steps == ["sync file", "rename", "sync folder", "index"]
    assert encoded(archive.read(sent.digest)).data_set == sent.data_set


@pytest.mark.parametrize("step", ["fsync", "writev"])
def test_full_disk_leaves_no_trace_and_the_instance_may_come_again(
    archive: Archive, database: Database, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    sent = encoded(ct_slice())
    with monkeypatch.context() as patch:
        patch.setattr(os, step, full)
        with pytest.raises(StorageFailure, match="No space left"):
            archive.store(sent, header_of(sent), source="A@1")
    assert not rows(database, Instance)
    assert not files_of(archive)
    assert not temporary_files(archive)
    assert archive.store(sent, header_of(sent), source="A@1").outcome is Taken.STORED


def test_failed_write_leaves_the_file_that_another_association_put_there(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = encoded(ct_slice())
    fsync = os.fsync

    def fail_after_the_other(_descriptor: int) -> None:
        monkeypatch.setattr(os, "fsync", fsync)
        assert archive.store(sent, header_of(sent), source="B@2").outcome is Taken.STORED
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fsync", fail_after_the_other)
    with pytest.raises(StorageFailure, match="Input/output"):
        archive.store(sent, header_of(sent), source="A@1")
    assert encoded(archive.read(sent.digest)).data_set == sent.data_set
    assert not temporary_files(archive)


@pytest.mark.parametrize(("written", "expected"), [(0, [b"ab", b"cde"]), (2, [b"cde"]), (3, [b"de"]), (5, [])])
def test_what_one_write_left_is_written_by_the_next(written: int, expected: list[bytes]) -> None:
    assert parts._behind([memoryview(b"ab"), memoryview(b"cde")], written) == expected


def part_of(archive: Archive, content: bytes) -> parts.Part:
    part = archive.files.begin()
    part.write([content[:5], content[5:]])
    return part


@pytest.mark.parametrize("can_rename", [True, False])
@pytest.mark.parametrize("name_goes_along", [True, False])
def test_a_part_gets_its_place_once_and_is_synced_there(
    archive: Archive, steps: list[str], monkeypatch: pytest.MonkeyPatch, can_rename: bool, name_goes_along: bool
) -> None:
    monkeypatch.setattr(archive.files, "_name_goes_along", name_goes_along)
    if not can_rename:
        monkeypatch.setattr(parts, "_renameat2", None)
    digest, content = "ab" * 32, b"the whole story"
    first, second = part_of(archive, content), part_of(archive, content)
    assert archive.files.place(digest, first)
    assert steps == (["sync file"] if can_rename and name_goes_along else ["sync file", "rename", "sync folder"])
    assert not archive.files.place(digest, second)
    first.close()
    second.close()
    second.close()
    assert archive.path(digest).read_bytes() == content
    assert not temporary_files(archive)


def test_a_part_that_cannot_be_synced_leaves_nothing(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_descriptor: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    part = part_of(archive, b"the whole story")
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", broken)
        with pytest.raises(StorageFailure, match="Input/output"):
            archive.files.place("ab" * 32, part)
    part.close()
    assert not files_of(archive)
    assert not temporary_files(archive)


def test_what_the_system_refuses_of_a_rename_is_told(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        parts.rename_new(str(tmp_path / "missing"), str(tmp_path / "new"))


def test_database_that_is_gone_is_a_storage_failure(archive: Archive, database: Database) -> None:
    with database.writing() as session:
        session.connection().exec_driver_sql("ALTER TABLE instances RENAME TO lost")
    sent = encoded(ct_slice())
    with pytest.raises(StorageFailure, match="database"):
        archive.store(sent, header_of(sent), source="A@1")


def test_sweep_takes_only_what_no_living_process_writes(archive: Archive) -> None:
    incoming = archive.files.root / "incoming"
    (incoming / "old.part").write_bytes(b"x")
    os.utime(incoming / "old.part", (0, 0))
    (incoming / "young.part").write_bytes(b"x")
    assert archive.sweep() == 1
    assert [path.name for path in temporary_files(archive)] == ["young.part"]


@pytest.mark.parametrize("digest", ["", "../../etc/passwd", "A" * 64, "0" * 63, "0" * 65])
def test_path_is_made_of_digests_only(archive: Archive, digest: str) -> None:
    with pytest.raises(ValueError, match="digest"):
        archive.path(digest)


def test_reading_what_is_not_there(archive: Archive) -> None:
    with pytest.raises(NotArchived):
        archive.read("0" * 64)


def test_study_files_and_headers(intake: Intake, archive: Archive, database: Database) -> None:
    for number in (2, 1):
        intake.accept(encoded(ct_slice(number)), source="A@1")
    with database.reading() as session:
        assert [instance.number for instance in archive.study_files(session, "1.2.3")] == [2, 1]
    headers = list(archive.headers("1.2.3"))
    assert [header.InstanceNumber for header in headers] == [2, 1]
    assert all("PixelData" not in header for header in headers)


def test_file_meta_is_what_pydicom_writes() -> None:
    head = part10_head("1.2.840.10008.5.1.4.1.1.2", "1.2.3", "1.2.840.10008.1.2.1")
    meta = pydicom.dcmread(pydicom.filebase.DicomBytesIO(head)).file_meta
    assert meta.FileMetaInformationGroupLength == len(head) - 132 - 12
    assert (meta.MediaStorageSOPInstanceUID, meta.TransferSyntaxUID) == ("1.2.3", "1.2.840.10008.1.2.1")
    assert meta.FileMetaInformationVersion == b"\0\1"
    assert meta.ImplementationClassUID.is_valid


def header_of(sent: EncodedInstance) -> InstanceHeader:
    return checked_header(sent.data_set, sent)


def complete(database: Database) -> None:
    with database.writing() as session:
        session.scalars(select(Study)).one().state = StudyState.COMPLETE
