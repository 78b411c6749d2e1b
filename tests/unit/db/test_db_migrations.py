"""The migrations make exactly the tables that the models describe, on both databases."""

from pathlib import Path

import pgserver
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text

from pacs_agent.db import Base, Database, upgrade
from pacs_agent.db.engine import DatabaseTooNew


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


def test_a_database_newer_than_the_code_is_refused(database: Database) -> None:
    with database.engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = 'from-the-future'"))
    with pytest.raises(DatabaseTooNew, match="from-the-future"):
        upgrade(database)
