"""News of a study while it is open: told at once, to few at a time, and never in the way of the server's end."""

import json
import threading
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests
from people import app_of
from sqlalchemy.exc import OperationalError
from studies_read import READING, add_job, add_study

from pacs_agent.archive import Archive
from pacs_agent.config import Settings
from pacs_agent.console.readings import events
from pacs_agent.console.readings.events import EventStream
from pacs_agent.console.readings.watch import Sight, Watch
from pacs_agent.console.server import WebServer
from pacs_agent.db import Database, Job, JobState, ReviewerHere, utc_now


class Clock:
    """A monotonic clock that a test moves."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


class Seen:
    """What a watch finds when it looks; counts its looks."""

    def __init__(self, **sights: Sight) -> None:
        self.sights = {name.replace("_", "."): sight for name, sight in sights.items()}
        self.looks = 0
        self.asked: Collection[str] = ()
        self.fault: Exception | None = None

    def __call__(self, studies: Collection[str]) -> dict[str, Sight]:
        self.looks += 1
        self.asked = studies
        if self.fault is not None:
            raise self.fault
        return {study: self.sights.get(study, Sight("none")) for study in studies}


@contextmanager
def watching(look: Seen, every_s: float = 0.02) -> Iterator[Watch]:
    watch = Watch(look, every_s)
    yield watch
    watch.close()


def _parsed(chunk: bytes) -> list[tuple[str, Any]]:
    """The events in a chunk: name and content."""
    found = []
    for block in chunk.decode().strip().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.split("\n"))
        found.append((fields["event"], json.loads(fields["data"])))
    return found


def _until(true: Callable[[], bool], timeout_s: float = 20) -> None:
    deadline = time.monotonic() + timeout_s
    while not true():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)


@pytest.fixture(autouse=True)
def little_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "PATIENCE_S", 0.05)


def test_the_first_sight_is_told_and_then_what_changes() -> None:
    look = Seen(s=Sight("one"))
    with watching(look) as watch:
        assert watch.enter("s", 9)
        stream = EventStream(watch, "s", "ada")
        assert next(stream) == b"retry: 5000\n\n"
        assert _parsed(next(stream)) == [("changed", {"etag": '"one"'})]
        look.sights["s"] = Sight("two", (("ada", "Dr. Ada"), ("bob", "Dr. Bob")))
        assert _parsed(next(stream)) == [("changed", {"etag": '"two"'}), ("reviewers", {"others": ["Dr. Bob"]})]
        look.sights["s"] = Sight("two", (("ada", "Dr. Ada"),))
        assert _parsed(next(stream)) == [("reviewers", {"others": []})]
        stream.close()
        assert watch.watchers == 0


def test_a_name_cannot_break_out_of_its_event() -> None:
    name = 'Eve\n\nevent: changed\ndata: {"etag": "x"}\n\n'
    with watching(Seen(s=Sight("one", (("eve", name),)))) as watch:
        watch.enter("s", 9)
        stream = EventStream(watch, "s", "ada")
        next(stream)
        assert _parsed(next(stream))[1] == ("reviewers", {"others": [name]})


def test_a_silent_stream_says_that_it_lives_and_ends_in_time() -> None:
    clock = Clock()
    with watching(Seen()) as watch:
        watch.enter("s", 9)
        stream = EventStream(watch, "s", "ada", clock=clock)
        next(stream), next(stream)
        clock.now_s = events.KEEP_ALIVE_S
        assert next(stream).startswith(b":")
        clock.now_s = events.LONGEST_S + 1
        with pytest.raises(StopIteration):
            next(stream)


def test_a_viewer_that_has_gone_is_let_go() -> None:
    gone = threading.Event()
    with watching(Seen()) as watch:
        watch.enter("s", 9)
        stream = EventStream(watch, "s", "ada", gone=gone.is_set)
        next(stream), next(stream)
        gone.set()
        with pytest.raises(StopIteration):
            next(stream)


def test_many_streams_of_many_studies_cost_one_look() -> None:
    look = Seen()
    with watching(look, every_s=30) as watch:
        for number in range(12):
            assert watch.enter(f"s{number % 3}", 12)
        assert not watch.enter("s0", 12)
        _until(lambda: set(look.asked) == {"s0", "s1", "s2"})
        assert look.looks <= 4  # a first look for each study, then one a period
        for number in range(12):
            watch.leave(f"s{number % 3}")
        _until(lambda: watch._thread is None)
        looks = look.looks
        assert watch.enter("s9", 12)
        _until(lambda: look.looks > looks)


@pytest.mark.parametrize("fault", [OperationalError("SELECT", {}, Exception("locked")), FileNotFoundError("log")])
def test_a_look_that_fails_ends_no_stream_and_is_not_repeated_without_pause(fault: Exception) -> None:
    look = Seen(s=Sight("one"))
    look.fault = fault
    with watching(look, every_s=0.1) as watch:
        watch.enter("s", 9)
        time.sleep(0.35)
        assert 1 <= look.looks <= 5
        look.fault = None
        stream = EventStream(watch, "s", "ada")
        next(stream)
        assert _parsed(next(stream))[0][0] == "changed"


@pytest.mark.alone
def test_a_closed_watch_lets_all_go_and_nobody_in() -> None:
    with watching(Seen(), every_s=30) as watch:
        watch.enter("s", 9)
        stream = EventStream(watch, "s", "ada")
        next(stream), next(stream)
        begun_s = time.monotonic()
        threading.Timer(0.1, watch.close).start()
        with pytest.raises(StopIteration):
            while True:
                next(stream)
        assert time.monotonic() - begun_s < 5
        assert not watch.enter("s", 9)


def test_a_request_for_the_head_holds_no_place(database: Database, tmp_path: Path) -> None:
    client = app_of(database, tmp_path, events_max=1).test_client()
    for _ in range(3):
        with client.head("/api/v1/studies/1.2.3/events") as response:
            assert response.status_code == 200
            assert response.headers["Content-Type"].startswith("text/event-stream")


@contextmanager
def _serving(database: Database, folder: Path, **web: Any) -> Iterator[tuple[WebServer, str]]:
    settings = Settings(data_dir=folder, web={"port": 0, **web})
    server = WebServer(settings, database, Archive(database, folder / "archive"))
    server.start()
    try:
        yield server, f"http://127.0.0.1:{server.port}/api/v1/studies"
    finally:
        server.stop()


@contextmanager
def _stream(url: str) -> Iterator[Iterator[bytes]]:
    with requests.get(f"{url}/events", stream=True, timeout=20) as response:
        assert response.status_code == 200
        assert response.headers["Content-Type"].startswith("text/event-stream")
        yield response.iter_lines(chunk_size=1)


def _next_event(lines: Iterator[bytes]) -> tuple[str, Any]:
    for line in lines:
        if line.startswith(b"event: "):
            return line.decode()[7:], json.loads(next(lines)[6:])
    raise AssertionError("the stream ended")


def test_a_result_that_arrives_is_told_at_once(database: Database, tmp_path: Path) -> None:
    study = add_study(database)
    job_id = add_job(database, study, JobState.RUNNING)
    with _serving(database, tmp_path) as (_, url), _stream(f"{url}/{study}") as lines:
        name, content = _next_event(lines)
        asked = requests.get(f"{url}/{study}/result", timeout=20)
        assert (name, content["etag"]) == ("changed", asked.headers["ETag"])
        with database.writing() as session:
            job = session.get_one(Job, job_id)
            job.state, job.reading = JobState.DELIVERING, READING
        assert _next_event(lines)[0] == "changed"
        with database.writing() as session:
            session.add(ReviewerHere(study_instance_uid=study, login="bob", name="Dr. Bob", seen_at=utc_now()))
        assert _next_event(lines) == ("reviewers", {"others": ["Dr. Bob"]})


def test_streams_are_few_and_the_place_of_one_that_left_is_free(database: Database, tmp_path: Path) -> None:
    with _serving(database, tmp_path, threads=4, events_max=16) as (_, url):
        with _stream(f"{url}/1.2.3") as one, _stream(f"{url}/1.2.4") as other:
            _next_event(one), _next_event(other)
            refused = requests.get(f"{url}/1.2.5/events", timeout=20)
            assert (refused.status_code, refused.headers["Retry-After"]) == (503, "10")
            assert "watched already" in refused.json()["error"]
            assert requests.get(f"{url}/1.2.5/result", timeout=20).status_code == 200
        _until(lambda: requests.head(f"{url}/1.2.5/events", timeout=20).status_code == 200)


@pytest.mark.alone
@pytest.mark.filterwarnings("error::pytest.PytestUnhandledThreadExceptionWarning")
def test_the_server_stops_at_once_though_studies_are_open(database: Database, tmp_path: Path) -> None:
    with _serving(database, tmp_path) as (server, url), _stream(f"{url}/1.2.3") as lines:
        _next_event(lines)
        begun_s = time.monotonic()
        server.stop()
        assert time.monotonic() - begun_s < 4  # waitress would wait 5 s for a stream that does not end
        assert not [line for line in lines if line.startswith(b"event")]
