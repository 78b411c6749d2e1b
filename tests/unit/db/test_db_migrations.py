"""The migrations make exactly the tables that the models describe, on both databases."""

from pathlib import Path

import pgserver
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text

from pacs_agent.db import Base, Database, upgrade
from pacs_agent.db.engine import MIGRATIONS, DatabaseTooNew
from pacs_agent.ops.audit_chain import verify


def differences(database: Database) -> list[object]:
    with database.engine.connect() as connection:
        return compare_metadata(MigrationContext.configure(connection), Base.metadata)


def test_sqlite_has_the_tables_of_the_models(database: Database) -> None:
    assert differences(database) == []


@pytest.mark.slow
def test_postgres_has_the_tables_of_the_models(tmp_path: Path) -> None:
    server = pgserver.get_server(tmp_path / "postgres")
    try:
        database = Database(server.get_uri())
        upgrade(database)
        assert differences(database) == []
        database.close()
    finally:
        server.cleanup()


def test_upgrade_of_an_upgraded_database_changes_nothing(database: Database) -> None:
    upgrade(database)
    assert differences(database) == []


def test_lines_from_before_the_chain_are_sealed_as_today(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'old.sqlite'}")
    upgrade(database, "0004")
    with database.engine.begin() as connection:
        for number in range(1, 503):  # more than are sealed at once
            detail = '{"z": 1, "a": ["\u00e9", null]}' if number % 2 else "{}"
            line = {"at": f"2026-01-02 03:04:05.{number:06}", "detail": detail}
            connection.execute(
                text(
                    "INSERT INTO audit_events (at, actor, action, outcome, subject, detail) "
                    "VALUES (:at, 'ada@192.0.2.7', 'study.viewed', 'success', '1.2.3', :detail)"
                ),
                line,
            )
    upgrade(database)
    verdict = verify(database)
    database.close()
    assert (verdict.fault, verdict.sealed, verdict.unsealed) == ("", 502, 0)


def test_no_migration_calls_the_code_of_today() -> None:
    """What an old revision does must not change with the code."""
    calling = [
        path.name for path in (MIGRATIONS / "versions").glob("*.py") if "pacs_agent" in path.read_text(encoding="utf-8")
    ]
    assert calling == []


def test_a_database_newer_than_the_code_is_refused(database: Database) -> None:
    with database.engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = 'from-the-future'"))
    with pytest.raises(DatabaseTooNew, match="from-the-future"):
        upgrade(database)
