"""The log lines that are kept: found again newest first, never more than their share, whatever happens to the files."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import structlog

from pacs_agent.ops import configure_log, get_log, kept_log
from pacs_agent.ops.kept_log import KeptLog, LinesWanted, kept_lines, kept_size

START = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def log_as_before() -> Iterator[None]:
    yield
    structlog.reset_defaults()


def line(number: int, level: str = "info", room: str = "web") -> dict[str, object]:
    at = START + timedelta(seconds=number)
    return {"room": room, "event": f"line {number}", "number": number, "level": level, "timestamp": at.isoformat()}


def numbers(folder: Path, **wanted: object) -> list[int]:
    return [found.facts["number"] for found in kept_lines(folder, LinesWanted.model_validate(wanted))]


def test_what_a_room_logs_is_kept(tmp_path: Path) -> None:
    configure_log(readable=True, keep_in=tmp_path, role="work")
    get_log("deliver").warning("destination does not answer", destination="pacs", wait_s=4.0)
    (kept,) = kept_lines(tmp_path / "logs", LinesWanted())
    assert (kept.process, kept.room, kept.level, kept.text) == (
        "work",
        "deliver",
        "warning",
        "destination does not answer",
    )
    assert kept.facts == {"destination": "pacs", "wait_s": 4.0}


def test_lines_of_all_processes_come_in_the_order_of_time(tmp_path: Path) -> None:
    one, other = KeptLog(tmp_path, "work"), KeptLog(tmp_path, "web")
    for number in range(6):
        (one if number % 2 else other).keep(line(number))
    assert numbers(tmp_path) == [5, 4, 3, 2, 1, 0]


def test_two_processes_of_one_role_write_two_files(tmp_path: Path) -> None:
    both = [KeptLog(tmp_path, "work") for _ in range(2)]
    for number, kept in enumerate(both):
        kept.keep(line(number))
    assert [name for name, _ in kept_size(tmp_path)] == ["work-2.jsonl", "work.jsonl"]


def test_a_full_file_that_just_gets_another_name_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "work.jsonl").write_text("{}")
    (tmp_path / "web.jsonl").symlink_to(tmp_path / "gone")
    assert kept_size(tmp_path) == (("work.jsonl", 2),)


def test_files_stay_within_their_share(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_log, "FILE_BYTES", 1000)
    kept = KeptLog(tmp_path, "web")
    for number in range(500):
        kept.keep(line(number))
    assert sum(file.stat().st_size for file in tmp_path.glob("web.jsonl*")) <= 5000
    found = numbers(tmp_path)
    assert found == sorted(found, reverse=True)
    assert found[0] == 499
    assert len(found) > 20


def test_lines_are_chosen(tmp_path: Path) -> None:
    kept = KeptLog(tmp_path, "web")
    for number, level in enumerate(("debug", "info", "warning", "error")):
        kept.keep(line(number, level, room="web" if number % 2 else "receive"))
    assert numbers(tmp_path, level="warning") == [3, 2]
    assert numbers(tmp_path, room="receive") == [2, 0]
    assert numbers(tmp_path, text="LINE 1") == [1]
    assert numbers(tmp_path, since=START + timedelta(seconds=1), before=START + timedelta(seconds=3)) == [2, 1]


@pytest.mark.parametrize("text", ['a "quoted" word', "back\\slash", "två"])
def test_any_text_is_found(tmp_path: Path, text: str) -> None:
    KeptLog(tmp_path, "web").keep(line(1) | {"event": f"so: {text}!"})
    assert numbers(tmp_path, text=text) == [1]


def test_half_a_line_is_left_out(tmp_path: Path) -> None:
    KeptLog(tmp_path, "web").keep(line(1))
    with (tmp_path / "web.jsonl").open("a") as file:
        file.write(json.dumps(line(2))[:-9] + "\n[1]\n")
    assert numbers(tmp_path) == [1]


def test_a_full_disk_ends_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kept = KeptLog(tmp_path, "web")
    kept.stream.close()
    kept.keep(line(1))
    assert capsys.readouterr().err == ""
