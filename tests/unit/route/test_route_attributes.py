"""Attributes of files and studies."""

from pathlib import Path

import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

from pacs_agent.archive import Archive, instance_header, split_part10
from pacs_agent.db import AuditEvent, Database, RuleSet
from pacs_agent.results import write_bytes
from pacs_agent.route import (
    NoAttributes,
    WrongRules,
    attributes_of_file,
    attributes_of_study,
    put_rules,
    rules_in_force,
    rules_text,
)

RULES = "rules:\n- {name: every CT, pipeline: msvlm, when: {attribute: Modality, equals: CT}}"


def _image(number: int, **elements: object) -> Dataset:
    image = Dataset()
    image.SOPClassUID, image.SOPInstanceUID = CTImageStorage, f"1.2.3.{number}"
    image.StudyInstanceUID, image.SeriesInstanceUID = "1.2.1", f"1.2.2.{number % 2}"
    image.PatientID, image.PatientName, image.Modality = "P1", "Doe^Jane", "CT"
    for keyword, value in elements.items():
        setattr(image, keyword, value)
    image.file_meta = FileMetaDataset()
    image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return image


@pytest.fixture
def archive(database: Database, tmp_path: Path) -> Archive:
    archive = Archive(database, tmp_path / "archive")
    for number, thickness in enumerate((2.5, 2.5, 5)):
        image = _image(
            number, SliceThickness=thickness, ImageType=["ORIGINAL", "PRIMARY"], SeriesDescription=f"s{number}"
        )
        archive.store(split_part10(write_bytes(image)), instance_header(image, ExplicitVRLittleEndian), source="test")
    return archive


def test_a_study_has_the_distinct_values_of_all_its_images(database: Database, archive: Archive) -> None:
    with database.reading() as session:
        attributes = attributes_of_study(session, archive, "1.2.1")
    assert attributes["Modality"] == ("CT",)
    assert attributes["SliceThickness"] == (2.5, 5.0)
    assert attributes["ImageType"] == ("ORIGINAL", "PRIMARY")
    assert attributes["PatientAge"] == ()
    assert len(attributes["SOPInstanceUID"]) == 3


def test_what_the_index_knows_is_not_read_from_files(database: Database, archive: Archive) -> None:
    with database.reading() as session:
        attributes = attributes_of_study(session, archive, "1.2.1")
        for instance in archive.study_files(session, "1.2.1"):
            archive.path(instance.digest).unlink()
    assert attributes["Modality"] == ("CT",)
    with pytest.raises(NoAttributes):
        attributes.fetch(["SliceThickness"])


def test_an_unknown_study_has_none(database: Database, archive: Archive) -> None:
    with database.reading() as session, pytest.raises(NoAttributes, match=r"9\.9"):
        attributes_of_study(session, archive, "9.9")


def test_a_file_is_taken_for_a_whole_study(tmp_path: Path) -> None:
    path = tmp_path / "one.dcm"
    path.write_bytes(write_bytes(_image(1, PatientAge="064Y")))
    assert attributes_of_file(path)["PatientAge"] == ("064Y",)
    assert attributes_of_file(path)["PatientName"] == ("Doe^Jane",)


@pytest.mark.parametrize("content", [b"", b"no DICOM", b"\0" * 128 + b"DICM", b"\0" * 128 + b"DICM" + b"\xff" * 40])
def test_what_is_not_dicom_has_no_attributes(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken"
    path.write_bytes(content)
    with pytest.raises(NoAttributes, match="broken"):
        attributes_of_file(path)


def test_the_newest_rules_are_in_force_and_each_change_is_audited(database: Database) -> None:
    with database.reading() as session:
        assert rules_in_force(session).rules == ()
        assert rules_text(session) == ""
    for name in ("first", "second"):
        with database.writing() as session:
            put_rules(session, RULES.replace("every CT", name), actor="tester")
    with database.reading() as session:
        assert rules_in_force(session).rules[0].name == "second"
        assert [event.actor for event in session.query(AuditEvent).filter_by(action="rules.changed")] == ["tester"] * 2


def test_wrong_rules_change_nothing(database: Database) -> None:
    with pytest.raises(WrongRules), database.writing() as session:
        put_rules(session, "rules: 7", actor="tester")
    with database.reading() as session:
        assert session.query(RuleSet).count() == session.query(AuditEvent).count() == 0
