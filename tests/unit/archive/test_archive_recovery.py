"""After a loss of power: what was acknowledged is in the index again, and nothing else is."""

import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, select

from pacs_agent.archive import Archive, Taken, part10_head, recover, relying_on_files
from pacs_agent.archive.part10 import came, read_file_head
from pacs_agent.db import (
    AuditEvent,
    Database,
    Instance,
    Origin,
    Patient,
    QuarantinedInstance,
    RemovedFile,
    Series,
    Study,
    StudyState,
)
from pacs_agent.receive import Announced, Intake
from tests.unit.archive.made_instances import ct_slice, encoded, text_report

SOURCE = "CT ROOM 1@10.0.0.1"


def rows(database: Database, mapped: type[Any]) -> Sequence[Any]:
    with database.reading() as session:
        return session.scalars(select(mapped)).all()


def lose(database: Database, *tables: type[Any]) -> None:
    """What a loss of power does to the newest commits."""
    with database.writing() as session:
        for table in tables:
            session.execute(delete(table))


def marks(archive: Archive) -> list[Path]:
    return list(archive.files.incoming.glob("*.mark"))


def test_rows_that_were_lost_come_back_from_the_files(intake: Intake, archive: Archive, database: Database) -> None:
    sent = [encoded(ct_slice(number, PatientName="Müller^Jürgen")) for number in range(3)]
    for each in sent:
        intake.accept(each, source=SOURCE)
    before = {one.sop_instance_uid: said(one) for one in rows(database, Instance)}
    named = rows(database, Patient)[0].name
    lose(database, Instance, Series, Study, Patient)
    assert recover(archive).indexed == 3
    assert {one.sop_instance_uid: said(one) for one in rows(database, Instance)} == before
    assert rows(database, Patient)[0].name == named == "Müller^Jürgen"
    assert rows(database, Study)[0].state == StudyState.RECEIVING
    assert [intake.accept(each, source="B@2").outcome for each in sent] == [Taken.DUPLICATE] * 3
    assert recover(archive) == type(recover(archive))()


def said(instance: Instance) -> dict[str, Any]:
    columns = instance.__table__.columns.keys()
    return {name: getattr(instance, name) for name in columns if name not in ("id", "series_pk", "received_at")}


def test_one_audit_line_says_how_many(intake: Intake, archive: Archive, database: Database) -> None:
    for number in range(2):
        intake.accept(encoded(ct_slice(number)), source=SOURCE)
    lose(database, Instance)
    recover(archive)
    (line,) = [line for line in rows(database, AuditEvent) if line.action == "archive.recovered"]
    assert line.detail == {"indexed": 2, "removed": 0, "left": 0}


def test_a_study_that_was_complete_receives_again(intake: Intake, archive: Archive, database: Database) -> None:
    for number in range(2):
        intake.accept(encoded(ct_slice(number)), source=SOURCE)
    with database.writing() as session:
        session.scalars(select(Study)).one().state = StudyState.COMPLETE
        session.delete(session.scalars(select(Instance).where(Instance.number == 1)).one())
    recover(archive)
    assert rows(database, Study)[0].state == StudyState.RECEIVING


def test_contradictions_are_judged_anew(intake: Intake, archive: Archive, database: Database) -> None:
    intake.accept(encoded(ct_slice(1)), source=SOURCE)
    stray = encoded(ct_slice(2, PatientID="P2"))
    intake.accept(stray, source=SOURCE)
    lose(database, QuarantinedInstance)
    assert recover(archive).indexed == 1
    (apart,) = rows(database, QuarantinedInstance)
    assert (apart.digest, apart.source) == (stray.digest, SOURCE)


def test_content_that_was_refused_goes(intake: Intake, archive: Archive, database: Database) -> None:
    """Its file was written, its sender was told nothing, and the UID is archived with other content."""
    first, other = encoded(ct_slice()), encoded(ct_slice(PatientSex="M"))
    intake.accept(first, source=SOURCE)
    archive.files.create(
        other.digest, (part10_head(other.sop_class_uid, "1.2", other.transfer_syntax_uid), other.data_set)
    )
    assert recover(archive).removed == 1
    assert archive.path(first.digest).exists()
    assert not archive.path(other.digest).exists()


def test_own_results_stay_results(archive: Archive, database: Database) -> None:
    archive.store_result(text_report())
    lose(database, Instance)
    assert recover(archive).indexed == 1
    (instance,) = rows(database, Instance)
    assert (instance.origin, instance.source) == (Origin.RESULT, "agent")


def test_files_begun_and_never_ended_go_when_nobody_can_be_writing_them(archive: Archive) -> None:
    sent = encoded(ct_slice())
    path = archive.path(sent.digest)
    for content in (b"", b"half a story", part10_head("1.2", "1.3", "1.2.840.10008.1.2.1") + sent.data_set[:-2]):
        path.write_bytes(content)
        assert (recover(archive).left, path.exists()) == (1, True)
        os.utime(path, (time.time() - 7200,) * 2)
        assert (recover(archive).removed, path.exists()) == (1, False)


def test_files_that_are_being_removed_do_not_come_back(intake: Intake, archive: Archive, database: Database) -> None:
    receipt = intake.accept(encoded(ct_slice()), source=SOURCE)
    lose(database, Instance)
    with database.writing() as session:
        session.add(RemovedFile(path=f"archive/{receipt.digest[:2]}/{receipt.digest}.dcm"))
    assert recover(archive).indexed == 0


def test_nothing_is_looked_for_after_an_end_in_order(intake: Intake, archive: Archive, database: Database) -> None:
    with relying_on_files(archive):
        assert len(marks(archive)) == 1
        intake.accept(encoded(ct_slice(1)), source=SOURCE)
        intake.accept(encoded(ct_slice(2)), source=SOURCE)
    assert not marks(archive)
    lose(database, Instance)
    with relying_on_files(archive):
        assert not rows(database, Instance)


def test_a_mark_of_a_dead_process_starts_the_search(intake: Intake, archive: Archive, database: Database) -> None:
    intake.accept(encoded(ct_slice()), source=SOURCE)
    lose(database, Instance)
    (archive.files.incoming / "dead.mark").touch()
    with relying_on_files(archive), relying_on_files(Archive(database, archive.files.root)):
        assert len(rows(database, Instance)) == 1
        assert len(marks(archive)) == 2
        assert not (archive.files.incoming / "dead.mark").exists()
    assert not marks(archive)


def test_a_mark_stays_while_a_file_cannot_be_judged(archive: Archive) -> None:
    archive.path("0" * 64).write_bytes(b"begun")
    (archive.files.incoming / "dead.mark").touch()
    with relying_on_files(archive):
        pass
    assert [mark.name for mark in marks(archive)] == ["dead.mark"]


def test_commits_of_known_series_are_not_synced_within(intake: Intake, archive: Archive, database: Database) -> None:
    intake.accept(encoded(ct_slice(1)), source=SOURCE)
    with relying_on_files(archive), database.driver_transaction(synced=False) as cursor:
        assert cursor.execute("PRAGMA synchronous").fetchone() == (1,)
    with database.driver_transaction(synced=True) as cursor:
        assert cursor.execute("PRAGMA synchronous").fetchone() == (2,)
    with database.writing() as session:
        assert session.connection().exec_driver_sql("PRAGMA synchronous").scalar() == 2


@pytest.mark.parametrize(
    ("origin", "source"),
    [("received", "AE TITLE@10.0.0.1"), ("received", "someone with a name@::1"), ("result", "agent")],
)
def test_file_says_how_it_came(tmp_path: Path, origin: str, source: str) -> None:
    (tmp_path / "x").write_bytes(part10_head("1.2", "1.3", "1.2.840.10008.1.2.1", came(origin, source)) + b"data set")
    with (tmp_path / "x").open("rb") as file:
        head = read_file_head(file)
    assert head.how_it_came == f"{origin} {source}"
    assert (tmp_path / "x").read_bytes()[head.size_bytes :] == b"data set"


def test_announced_instances_come_back_with_their_source(intake: Intake, archive: Archive, database: Database) -> None:
    sent = encoded(ct_slice())
    incoming = intake.begin(Announced(sent.sop_class_uid, sent.sop_instance_uid, sent.transfer_syntax_uid, SOURCE))
    incoming.room(len(sent.data_set))[:] = sent.data_set
    incoming.advance(len(sent.data_set))
    intake.finish(incoming)
    lose(database, Instance)
    recover(archive)
    assert rows(database, Instance)[0].source == SOURCE
