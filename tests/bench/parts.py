"""The parts of the benchmark, in the order in which they run, and how much each measures."""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from tests.bench import (
    attack,
    console,
    encoder,
    memory,
    panel,
    reception,
    segmentation,
    senders,
    several_series,
    streaming,
    tls,
    turnaround,
)
from tests.bench.console_seed import Size
from tests.bench.report import Report


@dataclass(frozen=True)
class Asked:
    """How much is measured. Rounds are those whose medians are shown."""

    rounds: int = 5
    images: int = 600
    """Of reception and TLS."""
    images_of_sender: int = 100
    images_under_attack: int = 200
    images_of_memory: int = 10_000
    long_study: int = 600
    studies_of_p95: int = streaming.P95_STUDIES
    segmented_slices: int = segmentation.SLICES
    panel_slices: int = panel.SLICES
    panel_switches: int = panel.SWITCHES
    jobs: int = console.FULL.jobs
    asks: int = 40

    @classmethod
    def quick(cls) -> "Asked":
        """Enough to see that it works."""
        return cls(
            rounds=1,
            images=60,
            images_of_sender=8,
            images_under_attack=40,
            images_of_memory=memory.BATCH,
            long_study=120,
            studies_of_p95=2,
            segmented_slices=96,
            panel_slices=96,
            panel_switches=10,
            jobs=console.QUICK.jobs,
            asks=10,
        )

    def with_(self, **changed: int) -> "Asked":
        """The same but for what is given."""
        return replace(self, **changed)


@dataclass
class Bench:
    """One run: where its figures go, what is sent, and where receivers write."""

    report: Report
    files: Sequence[Path]
    folder: Path
    asked: Asked
    say: Callable[[str], None]

    @cached_property
    def load(self) -> reception.Load:
        """The images of reception and TLS."""
        return reception.load(self.files, self.folder / "load", self.asked.images)


def _reception(bench: Bench) -> None:
    load, rounds = bench.load, bench.asked.rounds
    bench.report.data["reception"] = f"{load.images} images, {load.megabytes:.0f} MB, median of {rounds} round(s)"
    reception.run(bench.report, load, rounds, bench.folder / "reception", bench.say)


def _tls(bench: Bench) -> None:
    bench.report.data["tls"] = f"{bench.load.images} images, median of {bench.asked.rounds} round(s)"
    tls.run(bench.report, bench.load, bench.asked.rounds, bench.folder / "tls", bench.say)


def _senders(bench: Bench) -> None:
    asked, folder = bench.asked, bench.folder / "senders"
    senders.run(bench.report, bench.files, asked.images_of_sender, asked.rounds, folder, bench.say)
    shutil.rmtree(folder, ignore_errors=True)


def _memory(bench: Bench) -> None:
    memory.run(bench.report, bench.files, bench.asked.images_of_memory, bench.folder / "memory", bench.say)


def _attack(bench: Bench) -> None:
    asked, folder = bench.asked, bench.folder / "attack"
    bench.report.data["attack"] = f"{asked.images_under_attack} images, median of {asked.rounds} round(s)"
    bench.report.rows += attack.measure(folder, bench.files, bench.say, asked.rounds, asked.images_under_attack)


def _stream(bench: Bench) -> None:
    asked, folder = bench.asked, bench.folder / "stream"
    streaming.run(
        bench.report,
        bench.files,
        asked.rounds,
        folder,
        bench.say,
        long=asked.long_study,
        p95_studies=asked.studies_of_p95,
    )


def _several_series(bench: Bench) -> None:
    several_series.run(bench.report, bench.files, bench.asked.rounds, bench.folder / "series", bench.say)


def _encoder(bench: Bench) -> None:
    encoder.run(bench.report, bench.files, bench.asked.rounds, bench.folder / "encoder", bench.say)


def _segmentation(bench: Bench) -> None:
    asked, folder = bench.asked, bench.folder / "segmentation"
    segmentation.run(bench.report, asked.rounds, asked.segmented_slices, folder, bench.say)


def _turnaround(bench: Bench) -> None:
    rounds = bench.asked.rounds
    bench.report.data["turnaround"] = f"{len(bench.files)} images a study, median of {rounds} round(s)"
    turnaround.run(bench.report, bench.files, rounds, bench.folder / "turnaround", bench.say)


def _panel(bench: Bench) -> None:
    asked, folder = bench.asked, bench.folder / "panel"
    folder.mkdir()
    bench.report.data["panel"] = f"phantom of {asked.panel_slices} slices of 512 × 512, {asked.panel_switches} switches"
    panel.run(bench.report, asked.rounds, asked.panel_slices, asked.panel_switches, folder, bench.say)


def _console(bench: Bench) -> None:
    size = Size(studies=max(1, bench.asked.jobs // 10), jobs=bench.asked.jobs)
    bench.report.data["console"] = f"{size.jobs:,} jobs, {size.studies:,} studies, {bench.asked.asks} requests of each"
    console.run(bench.report, size, bench.asked.asks, bench.folder / "console", bench.say)


PARTS: dict[str, Callable[[Bench], None]] = {
    "reception": _reception,
    "tls": _tls,
    "senders": _senders,
    "memory": _memory,
    "attack": _attack,
    "stream": _stream,
    "series": _several_series,
    "encoder": _encoder,
    "segmentation": _segmentation,
    "turnaround": _turnaround,
    "panel": _panel,
    "console": _console,
}
