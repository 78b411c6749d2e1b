"""Retention, removal and the tasks that workers share, in Postgres as in SQLite."""

from datetime import timedelta
from pathlib import Path

import pgserver
import pytest
from made_instances import ct_slice, encoded
from sqlalchemy import select, update

from pacs_agent.archive import Archive, keep_archive
from pacs_agent.archive.retention import apply_retention
from pacs_agent.db import AuditEvent, Database, RemovedFile, Study, StudyState, upgrade, utc_now
from pacs_agent.ops.runtime import Retention, change_runtime_settings
from pacs_agent.receive import Intake


@pytest.mark.slow
def test_studies_go_from_postgres(tmp_path: Path) -> None:
    server = pgserver.get_server(tmp_path / "postgres")
    try:
        database = Database(server.get_uri())
        upgrade(database)
        archive = Archive(database, tmp_path / "archive")
        for uid in ("1.1", "1.2"):
            Intake(database, archive).accept(encoded(ct_slice(study=uid, series=f"{uid}.1")), source="PACS@127.0.0.1")
        old = utc_now() - timedelta(days=9)
        with database.writing() as session:
            session.execute(update(Study).values(last_received_at=old, state=StudyState.COMPLETE))
            change_runtime_settings(session, Retention(images_days=8, results_days=8), actor="ada")
        assert len(apply_retention(archive, Retention(archive_gb=1.5e-6)).leaving) == 1
        keep_archive(archive)
        keep_archive(archive)
        with database.reading() as session:
            assert session.scalars(select(Study)).all() == []
            assert len(session.scalars(select(RemovedFile)).all()) == 2, "files of this hour wait"
            gone = session.scalars(select(AuditEvent.subject).where(AuditEvent.action == "study.removed")).all()
        assert sorted(gone) == ["1.1", "1.2"]
        database.close()
    finally:
        server.cleanup()
