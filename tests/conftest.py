"""Fixtures every test may use."""

import os

if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # read by numpy and torch when they load; the workers share the cores

import gc
import shutil
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
from hypothesis import settings

from pacs_agent.db import Database, upgrade
from tests import passed_before

REPOSITORY = Path(__file__).resolve().parent.parent
SHARED_DATA = REPOSITORY.parent / "shared" / "data"
os.environ["PATH"] = f"{Path(sys.executable).parent}:{os.environ['PATH']}"

# Each run has a temporary folder of its own: from the one that runs share, pytest takes the right of others to enter
# whenever another run begins, and Postgres, which several tests start, is another user than root.
OWN_FOLDER = None
MEMORY = Path("/dev/shm")
ENOUGH_BYTES = int(os.environ.get("TESTS_IN_MEMORY", "0")) << 30
"""So many GiB must be free for the folder to be in memory; 0 leaves it on the disk."""


def _has_room(memory: Path) -> bool:
    return memory.is_dir() and min(shutil.disk_usage(memory).free, psutil.virtual_memory().available) > ENOUGH_BYTES


if not {"PYTEST_XDIST_WORKER", "PYTEST_DEBUG_TEMPROOT"} & set(os.environ):
    # every archive has 256 folders, whose making and removing takes a tenth of the time in memory
    in_memory = ENOUGH_BYTES > 0 and _has_room(MEMORY)
    OWN_FOLDER = tempfile.mkdtemp(prefix="pacs-agent-tests-", dir=MEMORY if in_memory else None)
    os.environ["PYTEST_DEBUG_TEMPROOT"] = OWN_FOLDER

# how long an example takes depends on what else the machine does
settings.register_profile("any machine", deadline=None)
settings.register_profile("quick", parent=settings.get_profile("any machine"), max_examples=20)
settings.load_profile("any machine")


def pytest_addoption(parser: pytest.Parser) -> None:
    """The option of `make check`."""
    parser.addoption(passed_before.OPTION, metavar="FILE", help="leave out test files that passed as they are now")


def pytest_configure(config: pytest.Config) -> None:
    """As root, Postgres needs a user of its own; processes that meet it first at once would both add it."""
    passed_before.register(config, REPOSITORY)
    if config.getoption("numprocesses", None) and os.geteuid() == 0:
        with suppress(ImportError), warnings.catch_warnings(action="ignore"):
            from pgserver.utils import ensure_user_exists

            ensure_user_exists("pgserver")


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


def pytest_collection_finish() -> None:
    """What was imported stays: the collector of garbage need not look through a million objects every few tests."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


def pytest_sessionfinish(exitstatus: int) -> None:
    """What a run wrote stays only where something failed, and somebody is there to look at it."""
    passed = exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED)
    if OWN_FOLDER is not None and (passed or "CI" in os.environ):
        shutil.rmtree(OWN_FOLDER, ignore_errors=True)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real images; skips where it is absent."""
    if not SHARED_DATA.is_dir():
        pytest.skip("the real images of ../shared/data are not on this machine")
    return SHARED_DATA


@pytest.fixture(scope="session")
def new_database(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Path], Database]:
    """Makes an empty SQLite database of this version in a folder: a copy of one, as the migrations take their time."""
    template = tmp_path_factory.mktemp("database") / "agent.sqlite"
    database = Database(f"sqlite:///{template}")
    upgrade(database)
    database.close()

    def make(folder: Path) -> Database:
        shutil.copyfile(template, folder / "agent.sqlite")
        return Database(f"sqlite:///{folder / 'agent.sqlite'}")

    return make


@pytest.fixture
def database(tmp_path: Path, new_database: Callable[[Path], Database]) -> Iterator[Database]:
    """An empty SQLite database of this version."""
    database = new_database(tmp_path)
    yield database
    database.close()


@pytest.fixture(autouse=True)
def _databases_are_closed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Closes each database that a test opened.

    A worker within the tests' process freezes what is loaded, so nothing collects the connections that are forgotten;
    and pynetdicom, which waits by select(2), takes each association beyond the 1024th descriptor for aborted.
    """
    opened: list[Database] = []
    connect = Database.__init__

    def connect_and_remember(self: Database, *arguments: Any, **named: Any) -> None:
        connect(self, *arguments, **named)
        opened.append(self)

    monkeypatch.setattr(Database, "__init__", connect_and_remember)
    yield
    for database in opened:
        database.close()
