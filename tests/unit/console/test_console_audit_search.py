"""The audit trail is searched by its indexes, in SQLite and in Postgres."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import insert, text

from pacs_agent.console.audit_trail.models import Sought
from pacs_agent.console.audit_trail.search import sought_lines
from pacs_agent.db import AuditEvent, Database, upgrade, utc_now

LINES = 20_000
SEARCHES = {
    "outcome": Sought(outcome="serious-failure"),
    "actor": Sought(outcome="success", actor="ada"),
    "subject": Sought(outcome="success", subject="1.2.3"),
    "action": Sought(outcome="success", action="login"),
}


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    server = pytest.importorskip("pgserver").get_server(tmp_path_factory.mktemp("audit") / "postgres")
    database = Database(server.get_uri())
    upgrade(database)
    with database.engine.begin() as connection:
        line = {"at": utc_now(), "actor": "agent", "action": "login", "outcome": "success", "subject": "", "detail": {}}
        connection.execute(insert(AuditEvent), [line] * LINES)
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("ANALYZE audit_events"))
    yield database
    database.close()
    server.cleanup()


def plan(database: Database, sought: Sought) -> str:
    """How the database finds the newest lines that are sought."""
    query = sought_lines(database, sought).order_by(AuditEvent.at.desc(), AuditEvent.id.desc()).limit(50)
    sql = str(query.compile(database.engine, compile_kwargs={"literal_binds": True}))
    explain = "EXPLAIN QUERY PLAN" if database.engine.dialect.name == "sqlite" else "EXPLAIN"
    with database.engine.connect() as connection:
        return "\n".join(str(row[-1]) for row in connection.exec_driver_sql(f"{explain} {sql}"))


@pytest.mark.parametrize("field", SEARCHES)
def test_sqlite_takes_the_index_of_the_field_that_says_most(database: Database, field: str) -> None:
    lines = plan(database, SEARCHES[field])
    assert f"ix_audit_events_{field}_at" in lines
    assert "TEMP B-TREE" not in lines


@pytest.mark.slow
def test_postgres_finds_a_rare_outcome_by_its_index(postgres: Database) -> None:
    assert "ix_audit_events_outcome_at" in plan(postgres, SEARCHES["outcome"])


def test_the_index_goes_with_its_migration(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'old.sqlite'}")
    upgrade(database, "0014")
    assert "SCAN" in plan(database, SEARCHES["outcome"])
    upgrade(database)
    assert "SCAN" not in plan(database, SEARCHES["outcome"])
    database.close()
