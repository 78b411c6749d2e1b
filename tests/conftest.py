"""Fixtures every test may use."""

import os

if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # read by numpy and torch when they load; the workers share the cores

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from pacs_agent.db import Database, upgrade

REPOSITORY = Path(__file__).resolve().parent.parent
SHARED_DATA = REPOSITORY.parent / "shared" / "data"
os.environ["PATH"] = f"{Path(sys.executable).parent}:{os.environ['PATH']}"

# how long an example takes depends on what else the machine does
settings.register_profile("any machine", deadline=None)
settings.register_profile("quick", parent=settings.get_profile("any machine"), max_examples=20)
settings.load_profile("any machine")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skips what this machine cannot run, each with a message."""
    real_images = pytest.mark.skip(reason="the real images of ../shared/data are not on this machine")
    missing = [name for name in ("Orthanc", "dsrdump", "dciodvfy") if shutil.which(name) is None]
    peers = pytest.mark.skip(reason=f"no {', '.join(missing)} on this machine: deploy/peers.sh installs them as root")
    for item in items:
        if item.get_closest_marker("real_images") and not SHARED_DATA.is_dir():
            item.add_marker(real_images)
        if item.get_closest_marker("peers") and missing:
            item.add_marker(peers)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real images; skips where it is absent."""
    if not SHARED_DATA.is_dir():
        pytest.skip("the real images of ../shared/data are not on this machine")
    return SHARED_DATA


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of an empty database of this version: copied for each test, as the migrations take their time."""
    file = tmp_path_factory.mktemp("database") / "agent.sqlite"
    database = Database(f"sqlite:///{file}")
    upgrade(database)
    database.close()
    return file


@pytest.fixture
def database(tmp_path: Path, empty_database: Path) -> Iterator[Database]:
    """An empty SQLite database of this version."""
    shutil.copyfile(empty_database, tmp_path / "agent.sqlite")
    database = Database(f"sqlite:///{tmp_path / 'agent.sqlite'}")
    yield database
    database.close()
