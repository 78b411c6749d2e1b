"""Says how close a bundle that was trained again comes to the one it repeats.

python -m models.evaluation.reproduced models/bundles build/train-demo
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

SHOWN = (
    "macro_auroc",
    "worst_auroc",
    "macro_f1",
    "report_macro_f1",
    "evidence_pointing",
    "evidence_auprc",
    "ece",
    "false_findings_per_normal",
    "identical_reports",
)
"""The figures that are held against each other."""


@dataclass(frozen=True)
class NothingToCompare(Exception):
    """No bundle of one name with an evaluation lies in both folders."""

    before: Path
    again: Path

    def __str__(self) -> str:
        return f"no bundle with an evaluation.json lies in both {self.before} and {self.again}"


@dataclass(frozen=True)
class Repeated:
    """One figure of both bundles; None where it was not measured."""

    key: str
    before: float | None
    again: float | None
    low: float | None
    high: float | None

    @property
    def verdict(self) -> str:
        """Whether the new value lies in the 95 % interval of the old one."""
        if self.before is None or self.again is None or self.low is None or self.high is None:
            return "not measured"
        if self.before == self.again:
            return "the same"
        return "within its interval" if self.low <= self.again <= self.high else "outside its interval"


def repeated(before: dict[str, Any], again: dict[str, Any]) -> list[Repeated]:
    """The shown figures of two evaluations."""
    rows = []
    for key in SHOWN:
        old, new = before.get(key, {}), again.get(key, {})
        rows.append(Repeated(key, old.get("value"), new.get("value"), old.get("low"), old.get("high")))
    return rows


def both(before: Path, again: Path) -> list[tuple[str, dict[str, Any], dict[str, Any]]]:
    """Name and evaluations of every bundle that lies in both folders. Raises NothingToCompare."""
    pairs = [
        (
            path.parent.name,
            json.loads((before / path.parent.name / path.name).read_text()),
            json.loads(path.read_text()),
        )
        for path in sorted(again.glob("*/evaluation.json"))
        if (before / path.parent.name / path.name).is_file()
    ]
    if not pairs:
        raise NothingToCompare(before, again)
    return pairs


def _shown(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


@click.command()
@click.argument("before", type=click.Path(path_type=Path, exists=True))
@click.argument("again", type=click.Path(path_type=Path, exists=True))
def main(before: Path, again: Path) -> None:
    """Compares the bundles in AGAIN with those of the same name in BEFORE."""
    console = Console()
    for name, old, new in both(before, again):
        table = Table("figure", "shipped", "trained again", "verdict", title=name)
        for row in repeated(old, new):
            table.add_row(row.key, _shown(row.before), _shown(row.again), row.verdict)
        console.print(table)


if __name__ == "__main__":
    main()
