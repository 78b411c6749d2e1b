"""The one door: who an instance says it is, and what its sender is told when that is not so."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataelem import RawDataElement
from pydicom.tag import BaseTag
from sqlalchemy import select

from pacs_agent.archive import Archive, EncodedInstance, Taken
from pacs_agent.db import AuditEvent, Database, Instance
from pacs_agent.receive import Intake, OutOfResources, Refusal, elements, is_uid
from tests.unit.archive.made_instances import ct_slice, encoded, part10, text_report


def status_of(intake: Intake, sent: EncodedInstance | bytes) -> int:
    with pytest.raises(Refusal) as refused:
        intake.accept(sent, source="PACS@10.0.0.1")
    return refused.value.status


def replaced(old: str, new: bytes) -> EncodedInstance:
    """A slice in which one UID's bytes are others of the same length; the command announces the old instance."""
    sent = encoded(ct_slice(study="1.2.3.4.5.6.7.8", series="1.2.3.4.5.6.7.9"))
    assert len(new) == len(old)
    return EncodedInstance(sent.data_set.replace(old.encode(), new), sent.transfer_syntax_uid, sent.sop_class_uid)


@pytest.mark.parametrize("as_file", [False, True])
def test_a_valid_instance_is_taken(intake: Intake, as_file: bool) -> None:
    sent = part10(ct_slice()) if as_file else encoded(ct_slice())
    assert intake.accept(sent, source="A@1").outcome is Taken.STORED


@pytest.mark.parametrize(
    "uid",
    [
        b"../../../etc/pw",
        b"..\\..\\..\\win.i",
        b"/etc/passwd\0 cd",
        b"1.2.3/4.5.6.7.8",
        b"1.2.3..5.6.7.8.",
        b"1.2.\xd9\xa3.5.6.7.8",
    ],
)
def test_uids_that_are_none_are_refused_and_touch_no_path(
    intake: Intake, archive: Archive, uid: bytes, tmp_path: Path
) -> None:
    assert status_of(intake, replaced("1.2.3.4.5.6.7.8", uid.ljust(15, b"x"))) == 0xA900
    assert not list(archive.files.root.rglob("*.dcm"))


def test_missing_and_empty_uids_are_refused(intake: Intake) -> None:
    for keyword in ("StudyInstanceUID", "SeriesInstanceUID"):
        for value in (None, ""):
            assert status_of(intake, encoded(ct_slice(**{keyword: value}))) == 0xA900


@pytest.mark.parametrize("announced", [{"sop_instance_uid": "1.9.9"}, {"sop_class_uid": "1.2.840.10008.5.1.4.1.1.4"}])
def test_another_instance_than_announced_is_refused(intake: Intake, announced: dict[str, str]) -> None:
    assert status_of(intake, EncodedInstance(**{**vars(bare(encoded(ct_slice()))), **announced})) == 0xA900


def bare(sent: EncodedInstance) -> EncodedInstance:
    return EncodedInstance(sent.data_set, sent.transfer_syntax_uid, sent.sop_class_uid, sent.sop_instance_uid)


def test_header_values_that_would_fill_the_memory_are_refused(intake: Intake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(elements, "LARGEST_VALUES_BYTES", 70)
    assert status_of(intake, encoded(ct_slice(StudyDescription="x" * 64))) == 0xC000


def test_class_and_transfer_syntax_that_are_not_supported(intake: Intake) -> None:
    ultrasound = ct_slice(SOPClassUID="1.2.840.10008.5.1.4.1.1.6.1")
    assert status_of(intake, encoded(ultrasound)) == 0x0122
    sent = encoded(ct_slice())
    assert status_of(intake, EncodedInstance(sent.data_set, "1.2.840.10008.1.2.4.100")) == 0x0122


@pytest.mark.parametrize(
    "damage", [lambda b: b[:-10], lambda b: b[: len(b) // 2], lambda b: b"", lambda b: b"PK\3\4" * 99]
)
def test_what_cannot_be_understood(intake: Intake, damage: object) -> None:
    sent = encoded(ct_slice())
    assert status_of(intake, EncodedInstance(damage(sent.data_set), sent.transfer_syntax_uid)) == 0xC000


def test_what_is_no_dicom_file(intake: Intake) -> None:
    assert status_of(intake, b"%PDF-1.7 not DICOM") == 0xC000


def test_other_content_under_a_known_uid(intake: Intake) -> None:
    intake.accept(encoded(ct_slice()), source="A@1")
    assert status_of(intake, encoded(ct_slice(WindowCenter=50))) == 0xA901


def test_disk_that_takes_no_more(intake: Intake, archive: Archive) -> None:
    sent = encoded(ct_slice())
    folder = archive.path(sent.digest).parent
    folder.rmdir()
    folder.write_text("not a folder")
    with pytest.raises(OutOfResources, match="disk"):
        intake.accept(sent, source="A@1")


def test_refusal_is_told_even_when_it_cannot_be_audited(intake: Intake, database: Database) -> None:
    with database.writing() as session:
        session.connection().exec_driver_sql("DROP TABLE audit_events")
        session.connection().exec_driver_sql("DROP TABLE instances")
    assert status_of(intake, encoded(ct_slice())) == 0xA700


def test_values_that_only_a_reader_minds_are_stored(intake: Intake) -> None:
    """A NaN slope is valid DICOM of a kind; whoever reads the image refuses it, with its reason."""
    data_set = ct_slice()
    data_set.add(RawDataElement(BaseTag(0x00281053), "DS", 4, b"NaN ", 0, False, True))
    assert intake.accept(encoded(data_set), source="A@1").outcome is Taken.STORED


def test_only_instances_of_the_named_study_are_taken(intake: Intake) -> None:
    with pytest.raises(Refusal, match="not the one asked for"):
        intake.accept(encoded(ct_slice()), source="A@1", study_instance_uid="1.9")
    assert intake.accept(encoded(ct_slice()), source="A@1", study_instance_uid="1.2.3").outcome is Taken.STORED


def test_each_refusal_has_its_audit_line_without_patient_data(intake: Intake, database: Database) -> None:
    sent = encoded(ct_slice(PatientID="SECRET", PatientName="Secret^Name"))
    status_of(intake, EncodedInstance(sent.data_set[:-10], sent.transfer_syntax_uid, sop_instance_uid="1.2.7"))
    status_of(intake, EncodedInstance(sent.data_set[:-10], sent.transfer_syntax_uid, sop_instance_uid="../x"))
    with database.reading() as session:
        first, second = session.scalars(select(AuditEvent)).all()
        assert not session.scalars(select(Instance)).all()
    assert (first.actor, first.action, first.subject) == ("PACS@10.0.0.1", "instance.refused", "1.2.7")
    assert (first.detail["status"], first.detail["reason"]) == ("C000", "cannot-understand")
    assert second.subject == ""
    assert "secret" not in f"{first.detail}{second.detail}".lower()


def test_reports_need_no_pixels(intake: Intake) -> None:
    assert intake.accept(encoded(text_report()), source="A@1").outcome is Taken.STORED


@given(st.text(max_size=80))
def test_only_digits_and_dots_make_a_uid(text: str) -> None:
    if is_uid(text):
        assert 1 <= len(text) <= 64
        assert set(text) <= set("0123456789.")
        assert ".." not in text


@pytest.mark.parametrize("uid", ["1", "1.2.840.10008.1.2", "2.25." + "9" * 39, "1.02.3", "1." + "2" * 62])
def test_uids_as_peers_send_them(uid: str) -> None:
    assert is_uid(uid)


@pytest.mark.parametrize("text", ["", ".", "1.", ".1", "1..2", "1.2 ", "1.2\n", "1.2a", "٣.١", "1." + "2" * 63])
def test_what_is_no_uid(text: str) -> None:
    assert not is_uid(text)
