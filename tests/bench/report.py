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

    @property
    def ratio(self) -> float | None:
        """Ours divided by the peer's."""
        return self.ours / self.peer_value if self.ours is not None and self.peer_value else None


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
        rows = [{**asdict(row), "ratio": row.ratio} for row in self.rows]
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
    for note in report.notes:
        out.print(f"[yellow]{note}[/]")


def _table(rows: Sequence[Row]) -> Table:
    table = Table(header_style="bold")
    for column in ("figure", "unit", "ours", "peer", "peer's", "ours / peer", "ceiling"):
        table.add_column(column, justify="left" if column in ("figure", "unit", "peer") else "right")
    for row in rows:
        ratio = "–" if row.ratio is None else f"[{_style(row)}]{row.ratio:.2f}×[/]"
        unit = f"{row.unit} {'↑' if row.better == 'higher' else '↓'}"
        table.add_row(
            row.label, unit, _number(row.ours), row.peer, _number(row.peer_value), ratio, _number(row.ceiling)
        )
    return table


def _style(row: Row) -> str:
    ahead = (row.ratio or 0) >= 1 if row.better == "higher" else (row.ratio or 0) <= 1
    return "green" if ahead else "red"


def _number(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"
