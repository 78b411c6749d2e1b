"""Fixtures of the tests of what people bring in."""

from collections.abc import Callable
from pathlib import Path

import pytest

from pacs_agent.archive import Archive
from pacs_agent.bring_in import BringIn
from pacs_agent.config import Settings
from pacs_agent.db import Database, Transfer

Begin = Callable[..., BringIn]


@pytest.fixture
def process(database: Database, tmp_path: Path) -> Begin:
    """Makes the process that brings in, with these settings of `bring_in`."""

    def make(**settings: object) -> BringIn:
        whole = Settings.model_validate({"data_dir": tmp_path, "bring_in": settings})
        return BringIn(whole, database, Archive(database, tmp_path / "archive"))

    return make


@pytest.fixture
def transfer_of(database: Database) -> Callable[[str], Transfer]:
    """The row of a transfer as it is now."""

    def read(transfer_id: str) -> Transfer:
        with database.reading() as session:
            found = session.get(Transfer, transfer_id)
        assert found is not None
        return found

    return read
