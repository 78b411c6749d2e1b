"""`python -m tests.bench`: takes the figures, prints them, writes build/bench.json."""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from tests.bench import console, panel, reception, turnaround
from tests.bench.machine import machine, own_versions
from tests.bench.report import Report, show
from tests.peers import Missing
from tests.peers.studies import CHEST_CT, phantom_study, real_study

REPOSITORY = Path(__file__).resolve().parents[2]
BUSY = 0.5
"""Load average above which others disturb the figures."""
PARTS = ("reception", "turnaround", "panel", "console")


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the parts asked for."""
    asked = _arguments(arguments)
    out = Console(highlight=False, width=None if sys.stdout.isatty() else 130)
    with tempfile.TemporaryDirectory(prefix="bench-", dir=asked.folder) as name:
        folder = Path(name)
        report, files = _report(folder)
        if "reception" in asked.only:
            load = reception.load(files, folder / "load", asked.images)
            report.data["reception"] = (
                f"{load.images} images, {load.megabytes:.0f} MB, median of {asked.rounds} round(s)"
            )
            reception.run(report, load, asked.rounds, folder / "run", out.print)
        if "turnaround" in asked.only:
            report.data["turnaround"] = f"{len(files)} images a study, median of {asked.rounds} round(s)"
            turnaround.run(report, files, asked.rounds, folder / "turnaround", out.print)
        if "panel" in asked.only:
            _panel(report, asked, folder / "panel", out)
        if "console" in asked.only:
            _console(report, asked, folder / "console", out)
    if asked.quick:
        report.notes.append("quick mode: few images, one round; not figures to report")
    show(report, out)
    report.write(asked.output)
    out.print(f"written to {asked.output}")


def _panel(report: Report, asked: argparse.Namespace, folder: Path, out: Console) -> None:
    folder.mkdir()
    slices, switches = (96, 10) if asked.quick else (panel.SLICES, panel.SWITCHES)
    report.data["panel"] = f"phantom of {slices} slices of 512 × 512, {switches} switches"
    try:
        panel.run(report, asked.rounds, slices, switches, folder, out.print)
    except Missing as missing:
        report.notes.append(f"the panel was left out: {missing}")


def _console(report: Report, asked: argparse.Namespace, folder: Path, out: Console) -> None:
    size = console.QUICK if asked.quick else console.FULL
    if asked.jobs:
        size = console.Size(studies=max(1, asked.jobs // 10), jobs=asked.jobs)
    report.data["console"] = f"{size.jobs:,} jobs, {size.studies:,} studies, {asked.asks} requests of each kind"
    console.run(report, size, asked.asks, folder, out.print)


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="60 images, one round: does it work?")
    parser.add_argument("--images", type=int, help="images of the reception part (600; quick: 60)")
    parser.add_argument("--rounds", type=int, help="rounds whose median is shown (3; quick: 1)")
    parser.add_argument("--jobs", type=int, help="jobs of the console part, ten to a study (1,000,000; quick: 20,000)")
    parser.add_argument("--asks", type=int, help="requests of each page of the console part (40; quick: 10)")
    parser.add_argument("--only", choices=PARTS, nargs="+", default=PARTS, help="parts to run")
    parser.add_argument("--folder", type=Path, help="where receivers write; default is the system's temporary folder")
    parser.add_argument("--output", type=Path, default=REPOSITORY / "build" / "bench.json")
    asked = parser.parse_args(arguments)
    asked.images = asked.images or (60 if asked.quick else 600)
    asked.asks = asked.asks or (10 if asked.quick else 40)
    asked.rounds = asked.rounds or (1 if asked.quick else 3)
    return asked


def _report(folder: Path) -> tuple[Report, list[Path]]:
    """An empty report that says on what it is taken, and the files of the study."""
    try:
        files, name = real_study(CHEST_CT, folder / "study"), "LIDC-IDRI-0001 (CC BY 3.0, TCIA), chest CT, 512×512"
    except Missing:
        files, name = phantom_study(folder / "study", slices=133), "phantom chest CT"
    started = time.strftime("%Y-%m-%d %H:%M:%S%z")
    report = Report(machine(folder) | {"at": started}, own_versions(), {"study": name})
    if os.getloadavg()[0] > BUSY:
        report.notes.append(f"the machine was busy before the start (load {os.getloadavg()[0]:.1f}): trust ratios only")
    return report, files


if __name__ == "__main__":
    main()
