"""The process that brings in, ended in the midst of a transfer: it goes on at the next start, and nothing is lost."""

import os
import sys
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest
from sqlalchemy import func, select

from pacs_agent import bring_in
from pacs_agent.bring_in import transfers
from pacs_agent.db import Database, Instance, Transfer, TransferState
from tests.peers.running import RunningProcess, until
from tests.peers.studies import write_plain_ct

pytestmark = [pytest.mark.slow]

SLICES = 300


class Agent:
    """A process `bring-in` over the database of a test."""

    def __init__(self, folder: Path, database: Database) -> None:
        self.folder = folder
        self.database = database
        self._running: RunningProcess | None = None

    def start(self) -> None:
        environment = {
            **os.environ,
            "PACS_AGENT_DATA_DIR": str(self.folder),
            "PACS_AGENT_DATABASE_URL": self.database.url,
            "PACS_AGENT_BRING_IN__FOLDER": str(self.folder / "watched"),
            "PACS_AGENT_BRING_IN__FOLDER_POLL_S": "0.2",
        }
        command = [sys.executable, "-m", "pacs_agent", "bring-in"]
        self._running = RunningProcess("bring-in", command, self.folder / "log", environment=environment)

    def end(self, *, abruptly: bool) -> None:
        assert self._running is not None
        self._running.kill() if abruptly else self._running.stop()

    def transfer(self, transfer_id: str) -> Transfer:
        with self.database.reading() as session:
            return session.get_one(Transfer, transfer_id)

    def stored(self) -> int:
        with self.database.reading() as session:
            return session.scalar(select(func.count()).select_from(Instance)) or 0


@pytest.fixture
def agent(tmp_path: Path, database: Database) -> Iterator[Agent]:
    (tmp_path / "watched").mkdir()
    agent = Agent(tmp_path, database)
    agent.start()
    yield agent
    agent.end(abruptly=True)


@pytest.mark.parametrize("abruptly", [True, False])
def test_an_upload_goes_on_after_the_process_ended(agent: Agent, tmp_path: Path, abruptly: bool) -> None:
    files = [BytesIO(file.read_bytes()) for file in write_plain_ct(tmp_path / "study", SLICES)]
    transfer_id = bring_in.begin_upload(agent.database, tmp_path, files, actor="ada@127.0.0.1")
    until(lambda: agent.stored() > 10, timeout_s=60, what="the first images")
    agent.end(abruptly=abruptly)
    assert agent.stored() < SLICES
    assert agent.transfer(transfer_id).state == (TransferState.RUNNING if abruptly else TransferState.QUEUED)
    agent.start()
    patience_s = 60 + (transfers.SILENCE_S if abruptly else 0)
    ended = lambda: agent.transfer(transfer_id).state == TransferState.DONE  # noqa: E731
    until(ended, timeout_s=patience_s, what="the end of the transfer")
    assert agent.stored() == SLICES
    assert not list((tmp_path / "incoming").iterdir())


def test_a_study_moved_into_the_watched_folder_is_taken_in(agent: Agent, tmp_path: Path) -> None:
    write_plain_ct(tmp_path / "study", 5)
    (tmp_path / "study").rename(tmp_path / "watched" / "study")
    until(lambda: agent.stored() == 5, timeout_s=60, what="the images of the folder")
    until(lambda: len(list((tmp_path / "watched" / "done").iterdir())) == 5, timeout_s=10, what="all in done/")
