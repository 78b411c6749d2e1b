"""Several associations storing into the same new study at once: each instance is indexed, none is refused."""

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pgserver
import pytest
from sqlalchemy import func, select

from pacs_agent.archive import Archive, Taken
from pacs_agent.db import Database, Instance, Patient, Series, Study, express, upgrade
from pacs_agent.receive import Intake, OutOfResources
from tests.unit.archive.made_instances import ct_slice, encoded

REPOSITORY = Path(__file__).resolve().parents[3]
STUDIES, SLICES = 3, 12

PROCESS = """
import sys
from pathlib import Path
from pacs_agent.archive import Archive
from pacs_agent.db import Database
from pacs_agent.receive import Intake
from tests.unit.archive.made_instances import ct_slice, encoded

url, root, first = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
database = Database(url)
intake = Intake(database, Archive(database, root))
sys.stdin.readline()
for number in range(first, first + 10):
    assert intake.accept(encoded(ct_slice(number)), source=f"P{first}@1").outcome == "stored"
"""


@pytest.fixture(scope="module")
def postgres_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    server = pgserver.get_server(tmp_path_factory.mktemp("postgres"), cleanup_mode="stop")
    yield server.get_uri()
    server.cleanup()


@pytest.fixture(params=["sqlite", "postgres"])
def shared_database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    of_postgres = request.param == "postgres"
    url = request.getfixturevalue("postgres_url") if of_postgres else f"sqlite:///{tmp_path / 'agent.sqlite'}"
    database = Database(url)
    upgrade(database)
    yield database
    with database.writing() as session:
        for table in ("instances", "series", "studies", "patients"):
            session.connection().exec_driver_sql(f"DELETE FROM {table}")
    database.close()


def counts(database: Database) -> tuple[int | None, ...]:
    with database.reading() as session:
        return tuple(session.scalar(select(func.count(m.id))) for m in (Patient, Study, Series, Instance))


def test_threads_share_new_studies(shared_database: Database, tmp_path: Path) -> None:
    intake = Intake(shared_database, Archive(shared_database, tmp_path / "archive"))
    sent = [
        encoded(ct_slice(number, study=f"1.{study}", series=f"1.{study}.1"))
        for number in range(SLICES)
        for study in range(STUDIES)
    ]
    with ThreadPoolExecutor(12) as associations:
        receipts = list(associations.map(lambda each: intake.accept(each, source="A@1"), sent))
    assert {receipt.outcome for receipt in receipts} == {Taken.STORED}
    assert counts(shared_database) == (1, STUDIES, STUDIES, STUDIES * SLICES)


def test_the_same_instance_over_several_associations_is_stored_once(shared_database: Database, tmp_path: Path) -> None:
    intake = Intake(shared_database, Archive(shared_database, tmp_path / "archive"))
    sent = encoded(ct_slice())
    with ThreadPoolExecutor(8) as associations:
        receipts = list(associations.map(lambda _: intake.accept(sent, source="A@1"), range(8)))
    assert sorted(receipt.outcome for receipt in receipts) == [Taken.DUPLICATE] * 7 + [Taken.STORED]
    assert counts(shared_database) == (1, 1, 1, 1)


@pytest.mark.slow
def test_processes_share_a_new_study(shared_database: Database, tmp_path: Path) -> None:
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", PROCESS, shared_database.url, str(tmp_path / "archive"), str(first)],
            stdin=subprocess.PIPE,
            cwd=REPOSITORY,
        )
        for first in (100, 200, 300)
    ]
    for process in processes:
        process.stdin.write(b"\n")
        process.stdin.flush()
    assert [process.wait(60) for process in processes] == [0, 0, 0]
    assert counts(shared_database) == (1, 1, 1, 30)


@contextmanager
def write_lock_held(database: Database) -> Iterator[None]:
    """Another process writes to the database for a while."""
    other = sqlite3.connect(database.url.removeprefix("sqlite:///"), isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        other.close()


def test_images_wait_while_another_process_writes(intake: Intake, database: Database) -> None:
    intake.accept(encoded(ct_slice(0)), source="A@1")
    with ThreadPoolExecutor(4) as associations:
        with write_lock_held(database):
            coming = [associations.submit(intake.accept, encoded(ct_slice(n)), source="A@1") for n in range(1, 5)]
            with pytest.raises(TimeoutError):
                coming[0].result(0.3)
        assert [one.result(30).outcome for one in coming] == [Taken.STORED] * 4


def test_images_may_come_again_when_another_process_never_ends(
    tmp_path: Path, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(express, "BUSY_WAIT_S", 0)
    impatient = Database(database.url)
    intake = Intake(impatient, Archive(impatient, tmp_path / "archive"))
    intake.accept(encoded(ct_slice(0)), source="A@1")
    sent = encoded(ct_slice(1))
    with write_lock_held(database), pytest.raises(OutOfResources, match="OperationalError"):
        intake.accept(sent, source="A@1")
    assert intake.accept(sent, source="A@1").outcome is Taken.STORED
    impatient.close()
