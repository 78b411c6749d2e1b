"""The doctor sees the disk as the receiver does."""

from pathlib import Path

import pytest
from sqlalchemy import text

from pacs_agent.config import Settings
from pacs_agent.db import Database
from pacs_agent.ops.doctor import Grade, at_a_glance
from pacs_agent.ops.runtime import Watermark, change_runtime_settings


@pytest.mark.parametrize(
    ("warn_gb", "refuse_gb", "grade"), [(0, 0, Grade.GOOD), (1e9, 0, Grade.WARNING), (1e9, 1e9, Grade.BAD)]
)
def test_it_warns_by_the_watermark(
    database: Database, tmp_path: Path, warn_gb: float, refuse_gb: float, grade: Grade
) -> None:
    with database.writing() as session:
        change_runtime_settings(session, Watermark(warn_free_gb=warn_gb, refuse_free_gb=refuse_gb), actor="test")
    disk = next(at_a_glance(Settings(data_dir=tmp_path / "not there yet"), database))
    assert (disk.name, disk.grade) == ("disk", grade)
    assert ("0xA700" in disk.found) == (grade is Grade.BAD)


def test_a_database_that_does_not_answer_is_not_the_disks_fault(database: Database, tmp_path: Path) -> None:
    with database.engine.begin() as connection:
        connection.execute(text("DROP TABLE runtime_settings"))
    assert next(at_a_glance(Settings(data_dir=tmp_path), database)).name == "disk"
