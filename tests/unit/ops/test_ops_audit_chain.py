"""The audit trail's chain: what is changed afterwards is refused, and found where it was done all the same."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pgserver
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from pacs_agent.db import Database, upgrade
from pacs_agent.ops import Outcome, audit
from pacs_agent.ops.audit_chain import SEALED_AT_ONCE, Seal, seal_waiting, verify

WRITER = """
import sys
from pacs_agent.db import Database
from pacs_agent.ops import Outcome, audit
from pacs_agent.ops.audit_chain import seal_waiting
database = Database(sys.argv[1])
for number in range(int(sys.argv[3])):
    with database.writing() as session:
        audit(session, actor=sys.argv[2], action="test", outcome=Outcome.SUCCESS, number=number)
    if number % 5 == 0:
        seal_waiting(database)
"""


def write(database: Database, count: int, **detail: object) -> None:
    with database.writing() as session:
        for number in range(count):
            audit(session, actor="ada@192.0.2.1", action="test", outcome=Outcome.SUCCESS, number=number, **detail)


def tamper(database: Database, *statements: str) -> None:
    """Does as somebody who owns the database: without its guards."""
    with database.engine.begin() as connection:
        for name in ("events_unchanged", "events_undeleted", "chain_forward", "chain_undeleted"):
            connection.execute(text(f"DROP TRIGGER audit_{name}"))
        for statement in statements:
            connection.execute(text(statement))


def test_new_rows_are_sealed_and_hold(database: Database) -> None:
    write(database, 3, before={"roles": ["viewer"], "π": 1.5}, after=None)
    assert (verify(database).sealed, verify(database).unsealed) == (0, 3)
    assert seal_waiting(database) == 3
    assert seal_waiting(database) == 0
    write(database, SEALED_AT_ONCE + 1)
    seal_waiting(database)
    verdict = verify(database)
    assert (verdict.sealed, verdict.unsealed, verdict.fault) == (SEALED_AT_ONCE + 4, 0, "")
    assert verify(database, known=Seal.parse(str(verdict.newest))) == verdict


INSERTED = (
    "INSERT INTO audit_events (at, actor, action, outcome, subject, detail, position, digest) "
    "SELECT at, actor, action, outcome, subject, detail, {position}, digest FROM audit_events WHERE position = 3"
)


@pytest.mark.parametrize(
    ("done", "first"),
    [
        (["UPDATE audit_events SET actor = 'eve' WHERE position = 3"], "row 3 "),
        (["UPDATE audit_events SET at = '2020-01-01 00:00:00.000000' WHERE position = 2"], "row 2 "),
        (["UPDATE audit_events SET detail = '{}' WHERE position = 4"], "row 4 "),
        (["DELETE FROM audit_events WHERE position = 1"], "row 1 is missing"),
        (["DELETE FROM audit_events WHERE position = 3"], "row 3 is missing"),
        (["DELETE FROM audit_events WHERE position >= 4"], "row 4 is missing"),
        (["DELETE FROM audit_events"], "row 1 is missing"),
        (["DELETE FROM audit_chain"], "row 1 was inserted"),
        ([INSERTED.format(position=6)], "row 6 "),
        (["DROP INDEX ix_audit_events_position", INSERTED.format(position=3)], "row 3 "),
        (
            [
                f"UPDATE audit_events SET position = {after} WHERE position = {before}"
                for before, after in ((2, 9), (3, 2), (9, 3))
            ],
            "row 2 ",
        ),
    ],
)
def test_the_first_row_that_is_not_as_it_was_is_named(database: Database, done: list[str], first: str) -> None:
    write(database, 5)
    seal_waiting(database)
    tamper(database, *done)
    assert verify(database).fault.startswith(first)


def test_a_chain_made_anew_is_found_by_a_seal_kept_elsewhere(database: Database) -> None:
    write(database, 3)
    seal_waiting(database)
    kept = verify(database).newest
    tamper(
        database,
        "UPDATE audit_events SET actor = 'eve', position = NULL, digest = NULL",
        "UPDATE audit_chain SET position = 0, digest = ''",
    )
    seal_waiting(database)
    assert verify(database).fault == ""
    assert verify(database, known=kept).fault.startswith("row 3 has another digest")
    assert verify(database, known=Seal(4, "0" * 64)).fault.startswith("row 4 is missing")


@pytest.mark.parametrize(
    "done",
    [
        "UPDATE audit_events SET actor = 'eve' WHERE position = 1",
        "UPDATE audit_events SET digest = NULL, position = NULL WHERE position = 1",
        "UPDATE audit_events SET actor = 'eve' WHERE position IS NULL",
        "DELETE FROM audit_events WHERE position = 1",
        "UPDATE audit_chain SET position = 0",
        "DELETE FROM audit_chain",
    ],
)
def test_the_database_refuses_to_change_the_trail(database: Database, done: str) -> None:
    refuses(database, done)


def refuses(database: Database, done: str) -> None:
    write(database, 2)
    seal_waiting(database)
    write(database, 1)
    with pytest.raises(DBAPIError, match="not changed afterwards"), database.engine.begin() as connection:
        connection.execute(text(done))


@pytest.mark.slow
def test_several_processes_write_one_chain(database: Database) -> None:
    several_write(database)


def several_write(database: Database) -> None:
    url = database.engine.url.render_as_string(hide_password=False)
    command = [sys.executable, "-c", WRITER, url]
    writers = [subprocess.Popen([*command, f"writer{number}", "60"]) for number in range(3)]
    while any(writer.poll() is None for writer in writers):
        seal_waiting(database)
    assert [writer.returncode for writer in writers] == [0, 0, 0]
    seal_waiting(database)
    verdict = verify(database)
    assert (verdict.sealed, verdict.unsealed, verdict.fault) == (180, 0, "")


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    server = pgserver.get_server(tmp_path_factory.mktemp("postgres"))
    database = Database(server.get_uri())
    upgrade(database)
    yield database
    database.close()
    server.cleanup()


@pytest.mark.slow
def test_postgres_does_the_same(postgres: Database) -> None:
    several_write(postgres)
    for done in (
        "UPDATE audit_events SET detail = '{}' WHERE position = 1",
        "DELETE FROM audit_events WHERE position = 1",
        "UPDATE audit_events SET actor = 'eve' WHERE position IS NULL",
        "TRUNCATE audit_events",
        "UPDATE audit_chain SET position = 0",
    ):
        refuses(postgres, done)
    seal_waiting(postgres)
    assert verify(postgres).fault == ""
    with postgres.engine.begin() as connection:
        connection.execute(text("ALTER TABLE audit_events DISABLE TRIGGER ALL"))
        connection.execute(text("UPDATE audit_events SET actor = 'eve' WHERE position = 7"))
    assert verify(postgres).fault.startswith("row 7 ")


def test_rows_of_before_are_chained_by_the_migration(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'old.sqlite'}")
    upgrade(database, "0004")
    with database.engine.begin() as connection:
        for number in range(3):
            connection.execute(
                text(
                    "INSERT INTO audit_events (at, actor, action, outcome, subject, detail) VALUES "
                    f"('2026-01-0{number + 1} 10:00:00.000000', 'a', 'b', 'success', '', '{{\"n\": {number}}}')"
                )
            )
    upgrade(database)
    assert (verify(database).sealed, verify(database).fault) == (3, "")
    database.close()
