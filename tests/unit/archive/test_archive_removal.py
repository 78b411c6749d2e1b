"""A study goes out of the archive whole: rows first, files after, and never while work on it is under way."""

import os
import time
from datetime import timedelta
from pathlib import Path

import pytest
from made_instances import ct_slice, encoded, text_report
from sqlalchemy import func, select

from pacs_agent.archive import Archive, NotArchived, StudyInUse, removal, remove_study, sweep_removed
from pacs_agent.db import (
    AuditEvent,
    Base,
    Database,
    Delivery,
    DeliveryState,
    Instance,
    Job,
    JobState,
    JobStep,
    ResultObject,
    Series,
    StepState,
    Study,
    StudyState,
    utc_now,
)
from pacs_agent.inference.segmented_store import SegmentedStore
from pacs_agent.inference.tokens import TokenCache
from pacs_agent.receive import Intake

STUDY = "1.2.3"


@pytest.fixture
def received(intake: Intake, archive: Archive) -> list[Path]:
    """The files of a study that came yesterday."""
    receipts = [intake.accept(encoded(ct_slice(number, study=STUDY)), source="PACS@127.0.0.1") for number in (1, 2)]
    paths = [archive.path(receipt.digest) for receipt in receipts]
    for path in paths:
        make_old(path)
    return paths


def make_old(path: Path, age_s: float = 86400) -> None:
    os.utime(path, (time.time() - age_s,) * 2)


def add_job(database: Database, state: JobState, delivery: DeliveryState | None = None, **values: object) -> None:
    with database.writing() as session:
        study = session.scalars(select(Study)).one()
        job = Job(id=f"j{state}", study=study, rule="r", pipeline="msvlm", input_digest="", state=state, **values)
        session.add(job)
        if delivery is not None:
            result = ResultObject(
                job=job, kind="ai_result", sop_instance_uid="1.9", sop_class_uid="1", series_instance_uid="1", digest=""
            )
            session.add(Delivery(result_object=result, destination="pacs", state=delivery))


def rows(database: Database) -> dict[str, int]:
    """How many rows each table has."""
    with database.reading() as session:
        counts = {t.name: session.scalar(select(func.count()).select_from(t)) for t in Base.metadata.sorted_tables}
    return {name: count for name, count in counts.items() if count}


def test_nothing_of_a_removed_study_is_left(database: Database, archive: Archive, received: list[Path]) -> None:
    tokens = archive.files.root.parent / "tokens"
    token = tokens / "e" / "ab" / "abc.npz"
    assert TokenCache(tokens, "e", 1, (1, 1, 1))._path("abc") == token
    token.parent.mkdir(parents=True)
    token.touch()
    reading = {"tokens": {"encoder_digest": "e", "keys": ["abc"]}}
    add_job(database, JobState.DONE, DeliveryState.CONFIRMED, reading=reading)
    removed = remove_study(archive, STUDY, actor="ada", reason="asked for")
    assert (removed.instances, removed.results) == (2, 0)
    assert rows(database).keys() <= {"audit_events", "audit_chain"}
    assert not any(path.exists() for path in (*received, token))
    with database.reading() as session:
        line = session.scalars(select(AuditEvent)).one()
    assert (line.action, line.subject, line.detail["reason"]) == ("study.removed", STUDY, "asked for")


@pytest.mark.parametrize("keep_results", [False, True])
def test_regions_of_its_series_go_at_once_and_no_others(
    archive: Archive, database: Database, received: list[Path], keep_results: bool
) -> None:
    """Also those of a job that broke off between segmenting and composing: no row names them."""
    store = SegmentedStore(archive.files.root.parent / removal.SEGMENTED)
    with database.reading() as session:
        (series,) = session.scalars(select(Series.series_instance_uid))
    own, other = store.keep(series, ()), store.keep(f"{series}.1", ())
    remove_study(archive, STUDY, actor="ada", keep_results=keep_results)
    assert store.load(series, own, {}) is None
    assert store.load(f"{series}.1", other, {}) == ()
    assert "removed_files" not in rows(database)


def test_results_may_stay(database: Database, archive: Archive, received: list[Path]) -> None:
    result = archive.store_result(text_report(study=STUDY))
    make_old(archive.path(result.digest))
    add_job(database, JobState.DONE, DeliveryState.CONFIRMED)
    assert remove_study(archive, STUDY, actor="ada", keep_results=True).instances == 2
    assert not any(path.exists() for path in received)
    with database.reading() as session:
        assert [one.digest for one in session.scalars(select(Instance))] == [result.digest]
        assert session.scalars(select(Study.state)).one() == StudyState.IGNORED
        assert session.scalars(select(ResultObject)).one()
    assert archive.path(result.digest).exists()


@pytest.mark.parametrize("state", [JobState.QUEUED, JobState.RUNNING, JobState.DELIVERING])
def test_a_study_with_work_under_way_stays(
    database: Database, archive: Archive, received: list[Path], state: JobState
) -> None:
    add_job(database, state)
    with pytest.raises(StudyInUse, match="cancel"):
        remove_study(archive, STUDY, actor="ada", even_undelivered=True)
    assert all(path.exists() for path in received)


def test_a_canceled_job_is_waited_for(database: Database, archive: Archive, received: list[Path]) -> None:
    add_job(database, JobState.CANCELED)
    with database.writing() as session:
        session.add(JobStep(job_id="jcanceled", name="read_study", state=StepState.RUNNING))
    with pytest.raises(StudyInUse, match="moment"):
        remove_study(archive, STUDY, actor="ada")


def test_undelivered_results_stay_unless_asked(database: Database, archive: Archive, received: list[Path]) -> None:
    add_job(database, JobState.FAILED, DeliveryState.REFUSED)
    with pytest.raises(StudyInUse, match="destination"):
        remove_study(archive, STUDY, actor="ada")
    remove_study(archive, STUDY, actor="ada", even_undelivered=True)
    assert "studies" not in rows(database)


def test_what_a_destination_does_without_keeps_no_study(
    database: Database, archive: Archive, received: list[Path]
) -> None:
    add_job(database, JobState.DONE, DeliveryState.LEFT_OUT)
    remove_study(archive, STUDY, actor="ada")
    assert "studies" not in rows(database)


def test_an_unknown_study_is_told(archive: Archive) -> None:
    with pytest.raises(NotArchived):
        remove_study(archive, "9.9", actor="ada")


def test_an_image_that_arrives_again_meanwhile_keeps_its_file(
    database: Database, archive: Archive, intake: Intake, received: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    rename = Path.rename

    def arrives_first(path: Path, target: Path) -> Path:
        """The same image is stored again between the look at its file's age and the removal."""
        if target.suffix == ".gone" and path == received[0]:
            monkeypatch.setattr(Path, "rename", rename)
            intake.accept(encoded(ct_slice(1, study=STUDY)), source="PACS@127.0.0.1")
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", arrives_first)
    remove_study(archive, STUDY, actor="ada")
    assert received[0].exists()
    assert not received[1].exists()
    assert rows(database)["instances"] == 1


def test_a_file_that_arrived_just_now_goes_later(database: Database, archive: Archive, received: list[Path]) -> None:
    make_old(received[0], age_s=0)
    remove_study(archive, STUDY, actor="ada")
    assert [path.exists() for path in received] == [True, False]
    assert sweep_removed(archive) == 0
    make_old(received[0])
    assert sweep_removed(archive) == 1
    assert not received[0].exists()
    assert "removed_files" not in rows(database)


def test_the_files_of_a_remover_that_died_are_swept(
    database: Database, archive: Archive, intake: Intake, received: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(removal, "_take_away", lambda *_: 0)
        remove_study(archive, STUDY, actor="ada")
    assert all(path.exists() for path in received)
    intake.accept(encoded(ct_slice(1, study=STUDY)), source="PACS@127.0.0.1")
    make_old(received[0])
    assert sweep_removed(archive) == 2
    assert [path.exists() for path in received] == [True, False], "the first has come again"


def test_a_study_that_grew_meanwhile_stays(archive: Archive, received: list[Path]) -> None:
    with pytest.raises(StudyInUse, match="grown"):
        remove_study(archive, STUDY, actor="ada", received_before=utc_now() - timedelta(days=1))


def test_a_file_moved_aside_by_one_that_died_comes_back(archive: Archive, received: list[Path]) -> None:
    received[0].rename(archive.files.root / "incoming" / f"{received[0].stem}.gone")
    archive.sweep()
    assert received[0].exists()
    assert list((archive.files.root / "incoming").iterdir()) == []
