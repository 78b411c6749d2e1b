"""Fixtures of the review's tests."""

from pathlib import Path

import pytest

from pacs_agent.archive import Archive
from pacs_agent.db import Database
from tests.unit.review.read_studies import ReadStudy


@pytest.fixture
def study(database: Database, tmp_path: Path) -> ReadStudy:
    """A study that was read."""
    return ReadStudy(database, Archive(database, tmp_path / "archive"), "pacs")
