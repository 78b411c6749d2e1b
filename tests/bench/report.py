"""Rows of figures, as a table for people and as JSON for programs."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True)
class Row:
    """One figure of ours beside a peer's. `label` names it; `what` says exactly what was timed, for both.

    `ours` and `peer_value` are medians over rounds; `ceiling` is what this machine can do at best, None where unknown.
    """

    id: str
    label: str
    what: str
    unit: str
    better: str
    ours: float | None
    peer: str
    peer_value: float | None
    ceiling: float | None = None
    rounds: dict[str, list[float]] = field(default_factory=dict)
    goal: float | None = None
    """What the ratio should be: at least where higher is better, else at most. None where nothing is promised."""

    @property
    def ratio(self) -> float | None:
        """Ours divided by the peer's."""
        return self.ours / self.peer_value if self.ours is not None and self.peer_value else None

    @property
    def is_reached(self) -> bool | None:
        """Whether the ratio is what it should be; None without a goal or a ratio."""
        if self.goal is None or self.ratio is None:
            return None
        return self.ratio >= self.goal if self.better == "higher" else self.ratio <= self.goal


@dataclass
class Report:
    """Everything one run found out."""

    machine: dict[str, str]
    versions: dict[str, str]
    data: dict[str, str]
    rows: list[Row] = field(default_factory=list)
    steps: dict[str, dict[str, float]] = field(default_factory=dict)
    """Seconds of each step inside a contender's turnaround, medians."""
    notes: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        rows = [{**asdict(row), "ratio": row.ratio, "is_reached": row.is_reached} for row in self.rows]
        return {**asdict(self), "rows": rows}

    def write(self, path: Path) -> None:
        """Writes the report as JSON."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(self.as_json(), indent=1) + "\n", encoding="utf-8")


def show(report: Report, out: Console) -> None:
    """Prints the report."""
    for title, facts in (("machine", report.machine), ("versions", report.versions), ("data", report.data)):
        out.print(f"[bold]{title}[/]  " + ", ".join(f"{name} {value}" for name, value in facts.items()))
    out.print(_table(report.rows))
    for what in dict.fromkeys(row.what for row in report.rows):
        out.print(f"[bold]timed[/]  {what}")
    for contender, steps in report.steps.items():
        listed = ", ".join(f"{name} {seconds:.2f}" for name, seconds in steps.items())
        out.print(f"[bold]steps of {contender}, seconds[/]  {listed}")
    for row in report.rows:
        if row.is_reached is False:
            out.print(f"[red]not reached[/]  {row.label}: {row.ratio:.2f} × {row.peer}, the goal is {row.goal:.2f} ×")
    for note in report.notes:
        out.print(f"[yellow]{note}[/]")


def _table(rows: Sequence[Row]) -> Table:
    table = Table(header_style="bold")
    for column in ("figure", "unit", "ours", "peer", "peer's", "ours / peer", "goal", "ceiling"):
        table.add_column(column, justify="left" if column in ("figure", "unit", "peer") else "right")
    for row in rows:
        ratio = "–" if row.ratio is None else f"[{_style(row)}]{row.ratio:.2f}×[/]"
        unit = f"{row.unit} {'↑' if row.better == 'higher' else '↓'}"
        goal = "" if row.goal is None else f"{'≥' if row.better == 'higher' else '≤'} {row.goal:.2f}×"
        ours, theirs, ceiling = map(_number, (row.ours, row.peer_value, row.ceiling))
        table.add_row(row.label, unit, ours, row.peer, theirs, ratio, goal, ceiling)
    return table


def _style(row: Row) -> str:
    if row.is_reached is not None:
        return "green" if row.is_reached else "red"
    ahead = (row.ratio or 0) >= 1 if row.better == "higher" else (row.ratio or 0) <= 1
    return "green" if ahead else "red"


def _number(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"
