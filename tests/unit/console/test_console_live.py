"""News of the console: the topics that changed, one look for all pages, few streams, and radiologists come first."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from people import app_of
from studies_read import add_job, add_study

from pacs_agent.console.frame import live
from pacs_agent.console.frame.live import LiveStream
from pacs_agent.console.frame.look import CONSOLE, TOPICS, ConsoleLook, marks_of
from pacs_agent.console.readings import events
from pacs_agent.console.readings.watch import Sight, Watch
from pacs_agent.db import Database, Job, JobState, ModelActivation, Study, utc_now
from pacs_agent.ops import Outcome, audit
from pacs_agent.ops.kept_log import KeptLog


class Seen:
    """What a watch finds when it looks."""

    def __init__(self) -> None:
        self.marks = dict.fromkeys(TOPICS, "0")

    def __call__(self, _asked: object) -> dict[str, Sight]:
        return {CONSOLE: Sight(json.dumps(self.marks))}

    def change(self, *topics: str) -> None:
        for topic in (*topics, "overview"):
            self.marks[topic] += "'"


class Clock:
    """A monotonic clock that a test moves."""

    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Seen, Clock, LiveStream]]:
    monkeypatch.setattr(events, "PATIENCE_S", 0.02)
    seen, clock = Seen(), Clock()
    watch = Watch(seen, 0.01)
    watch.enter(CONSOLE, 1)
    stream = LiveStream(watch, clock=clock)
    next(stream)
    while stream._told is None:
        stream._news(watch.sight(CONSOLE, None, 1))
    yield seen, clock, stream
    watch.close()


def topics(chunk: bytes) -> list[str]:
    event, content = chunk.decode().strip().split("\n")
    assert event == "event: changed"
    found: dict[str, Any] = json.loads(content.removeprefix("data: "))
    return list(found["topics"])


def test_topics_that_changed_are_told(watched: tuple[Seen, Clock, LiveStream]) -> None:
    seen, _, stream = watched
    seen.change("queue", "studies")
    assert sorted(topics(next(stream))) == ["queue", "studies"]


def test_the_overview_is_told_now_and_then(watched: tuple[Seen, Clock, LiveStream]) -> None:
    seen, clock, stream = watched
    seen.change("queue")
    assert topics(next(stream)) == ["queue"]
    clock.now_s = live.OVERVIEW_S
    assert topics(next(stream)) == ["overview"], "a change that came too early was never told"
    clock.now_s += live.BEAT_S
    assert topics(next(stream)) == ["overview"], "disks fill without a line in the database"


def changed_by(look: ConsoleLook, before: dict[str, str]) -> set[str]:
    after = marks_of(look(())[CONSOLE])
    return {topic for topic in after if after[topic] != before[topic]}


def test_every_change_is_seen_under_its_topic(database: Database, tmp_path: Path) -> None:
    look, uid = ConsoleLook(database, tmp_path), add_study(database)
    job = add_job(database, uid, JobState.RUNNING)

    def marks() -> dict[str, str]:
        return marks_of(look(())[CONSOLE])

    before = marks()
    assert changed_by(look, before) == set(), "nothing happened"
    with database.writing() as session:
        session.get_one(Job, job).progress = 0.5
    assert changed_by(look, before) == {"queue", "overview"}
    before = marks()
    with database.writing() as session:
        session.query(Study).one().last_received_at = utc_now()
    assert changed_by(look, before) == {"studies", "overview"}
    before = marks()
    with database.writing() as session:
        audit(session, actor="ada", action="peer.changed", outcome=Outcome.SUCCESS, subject="MODALITY")
    assert changed_by(look, before) == {"peers", "audit", "overview"}
    before = marks()
    with database.writing() as session:
        session.add(ModelActivation(name="msvlm", version="1", digest="0" * 64))
    assert changed_by(look, before) == {"models", "overview"}
    before = marks()
    KeptLog(tmp_path / "logs", "web").keep({"event": "a line"})
    assert changed_by(look, before) == {"logs"}


def test_a_queued_job_that_is_canceled_is_seen(database: Database, tmp_path: Path) -> None:
    look, uid = ConsoleLook(database, tmp_path), add_study(database)
    job = add_job(database, uid, JobState.QUEUED)
    before = marks_of(look(())[CONSOLE])
    with database.writing() as session:
        session.get_one(Job, job).state = JobState.CANCELED
    assert "queue" in changed_by(look, before)


def test_the_console_leaves_half_of_the_streams_to_the_viewer(database: Database, tmp_path: Path) -> None:
    client = app_of(database, tmp_path, events_max=4, threads=24).test_client()
    opened = [client.get("/console/events", buffered=False) for _ in range(3)]
    assert [one.status_code for one in opened] == [200, 200, 503]
    assert "every 10 s" in opened[2].text
    assert opened[2].headers["Retry-After"] == "10"
    studies = [client.get("/api/v1/studies/1.2.3/events", buffered=False) for _ in range(3)]
    assert [one.status_code for one in studies] == [200, 200, 503], "both kinds together are limited"
    for one in (*opened, *studies):
        one.close()
    with client.get("/console/events", buffered=False) as again:
        assert again.status_code == 200


def test_an_agent_without_streams_says_so(database: Database, tmp_path: Path) -> None:
    assert app_of(database, tmp_path, events_max=0).test_client().get("/console/events").status_code == 503
