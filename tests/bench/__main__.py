"""`python -m tests.bench`: takes the figures, prints them, writes build/bench.json."""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from tests.bench.machine import machine, own_versions
from tests.bench.parts import PARTS, Asked, Bench
from tests.bench.report import Report, show
from tests.peers import Missing
from tests.peers.studies import CHEST_CT, phantom_study, real_study

REPOSITORY = Path(__file__).resolve().parents[2]
BUSY = 0.5
"""Load average above which others disturb the figures."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the parts asked for."""
    given = _arguments(arguments)
    out = Console(highlight=False, width=None if sys.stdout.isatty() else 130)
    with tempfile.TemporaryDirectory(prefix="bench-", dir=given.folder) as name:
        folder = Path(name)
        report, files = _report(folder)
        bench = Bench(report, files, folder, _asked(given), out.print)
        for part in given.only:
            try:
                PARTS[part](bench)
            except Missing as missing:
                report.notes.append(f"{part} was left out: {missing}")
            report.write(given.output)  # so that a later part that fails loses nothing
    if given.quick:
        report.notes.append("quick mode: few images, one round; not figures to report")
    show(report, out)
    report.write(given.output)
    out.print(f"written to {given.output}")


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few images, one round: does it work?")
    parser.add_argument("--images", type=int, help="images of reception and TLS (600; quick: 60)")
    parser.add_argument("--rounds", type=int, help="rounds whose median is shown (5; quick: 1)")
    parser.add_argument("--jobs", type=int, help="jobs of the console part, ten to a study (1,000,000; quick: 20,000)")
    parser.add_argument("--asks", type=int, help="requests of each page of the console part (40; quick: 10)")
    parser.add_argument("--only", choices=tuple(PARTS), nargs="+", default=tuple(PARTS), help="parts to run")
    parser.add_argument("--folder", type=Path, help="where receivers write; default is the system's temporary folder")
    parser.add_argument("--output", type=Path, default=REPOSITORY / "build" / "bench.json")
    return parser.parse_args(arguments)


def _asked(given: argparse.Namespace) -> Asked:
    plain = Asked.quick() if given.quick else Asked()
    changed = {name: getattr(given, name) for name in ("images", "rounds", "jobs", "asks") if getattr(given, name)}
    return plain.with_(**changed)


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
