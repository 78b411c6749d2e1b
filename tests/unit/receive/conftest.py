from pathlib import Path

import pytest

from pacs_agent.archive import Archive
from pacs_agent.db import Database
from pacs_agent.receive import Intake


@pytest.fixture
def archive(database: Database, tmp_path: Path) -> Archive:
    return Archive(database, tmp_path / "archive")


@pytest.fixture
def intake(database: Database, archive: Archive) -> Intake:
    return Intake(database, archive)
