"""The benchmark's report: a ratio is ours divided by the peer's, and nothing is invented where nothing was measured."""

import json
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from tests.bench.report import Report, Row, show


def _row(ours: float | None, theirs: float | None) -> Row:
    return Row("reception.1.x", "reception", "what was timed", "images/s", "higher", ours, "a peer", theirs, 500.0)


def test_ratio_is_ours_by_the_peers() -> None:
    assert _row(50, 200).ratio == 0.25


def test_no_ratio_without_a_measurement() -> None:
    assert _row(None, 200).ratio is None
    assert _row(50, None).ratio is None


def test_written_json_names_machine_versions_and_every_row(tmp_path: Path) -> None:
    report = Report({"cores": "2"}, {"python": "3.11"}, {"study": "phantom"}, [_row(50, 200)])
    report.write(tmp_path / "build" / "bench.json")
    written = json.loads((tmp_path / "build" / "bench.json").read_text())
    assert (written["machine"], written["versions"]) == ({"cores": "2"}, {"python": "3.11"})
    expected = {"id": "reception.1.x", "what": "what was timed", "ours": 50, "peer": "a peer", "peer_value": 200}
    assert expected.items() <= written["rows"][0].items()
    assert (written["rows"][0]["ratio"], written["rows"][0]["ceiling"]) == (0.25, 500)


@pytest.mark.parametrize(
    ("better", "goal", "is_reached"),
    [("higher", 0.25, True), ("higher", 0.3, False), ("lower", 0.25, True), ("lower", 0.2, False)],
)
def test_a_goal_is_one_of_the_ratio(better: str, goal: float, is_reached: bool) -> None:
    row = Row("x", "reception", "what was timed", "ms", better, 50, "a peer", 200, goal=goal)
    assert row.is_reached is is_reached
    out = Console(file=StringIO(), width=120)
    show(Report({}, {}, {}, [row]), out)
    assert ("not reached" in out.file.getvalue()) is not is_reached  # type: ignore[attr-defined]


def test_without_a_ratio_or_a_goal_nothing_is_reached_or_missed() -> None:
    assert _row(50, 200).is_reached is None
    assert Row("x", "l", "w", "ms", "lower", None, "a peer", 200, goal=1.0).is_reached is None


def test_table_says_what_was_timed() -> None:
    out = Console(file=StringIO(), width=120)
    show(Report({}, {}, {}, [_row(50, 200)], notes=["one peer was left out"]), out)
    shown = out.file.getvalue()  # type: ignore[attr-defined]
    assert all(text in shown for text in ("what was timed", "0.25×", "a peer", "one peer was left out"))
