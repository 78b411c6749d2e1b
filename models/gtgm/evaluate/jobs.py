"""Processes that take the next cell that nobody has: claims are locks of files, so a killed process leaves none."""

import fcntl
import logging
import multiprocessing
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep

import torch

from models.gtgm.evaluate.arms import Pretraining
from models.gtgm.evaluate.budget import Budget
from models.gtgm.evaluate.cells import Cell, keep, kept_rows, key_of, measure
from models.gtgm.evaluate.sets import SETS, EvaluationSet, SetMissing
from models.gtgm.pretrain.training import PretrainingRun

PATIENCE_S = 5.0
"""Between two looks for a cell, while another process pretrains what all that are left wait for."""
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Sitting:
    """What is to be measured, for how long, and where rows, volumes and encoders are kept."""

    budget: Budget
    cells: tuple[Cell, ...]
    rows: Path
    cache: Path
    minutes: float | None = None
    """No cell is started after so many."""

    def set_of(self, name: str) -> EvaluationSet:
        """A data set of this budget."""
        return SETS[name](self.budget.sizes, self.cache / "labelled")


def measure_all(sitting: Sitting, processes: int) -> None:
    """Measures what is not measured yet, in so many processes of one thread each."""
    until = None if sitting.minutes is None else monotonic() + 60.0 * sitting.minutes
    if processes == 1:
        work(sitting, until)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, context, _quietly) as pool:  # whose processes may start those of a pretraining
        list(pool.map(work, [sitting] * processes, [until] * processes))


def _quietly() -> None:
    torch.set_num_threads(1)
    logging.basicConfig(level=logging.INFO, format="%(message)s")


def work(sitting: Sitting, until: float | None) -> None:
    """Cell after cell, until none is left or the time is over (by the monotonic clock)."""
    sets = {name: sitting.set_of(name) for name in dict.fromkeys(cell.data for cell in sitting.cells)}
    left = [cell for cell in sitting.cells if _is_there(sets[cell.data])]
    while left:
        waiting = []
        for cell in left:
            if _nobody_waits() or (until is not None and monotonic() >= until):
                return
            if not _done(cell, sets[cell.data], sitting):
                waiting.append(cell)
        if len(waiting) == len(left):
            sleep(PATIENCE_S)
        left = waiting


def _nobody_waits() -> bool:
    """Whether the process that started this one was ended."""
    parent = multiprocessing.parent_process()
    return parent is not None and not parent.is_alive()


def _is_there(data: EvaluationSet) -> bool:
    try:
        data.check()
    except SetMissing as missing:
        _log.warning("%s is left out: %s", data.name, missing)
        return False
    return True


def _done(cell: Cell, data: EvaluationSet, sitting: Sitting) -> bool:
    """Whether the cell's row is there, measured now or before; False where another process is at what it needs."""
    key = key_of(cell, data, sitting.budget)
    with claimed(sitting.cache / "claims" / key) as free:
        if key in kept_rows(sitting.rows):
            return True
        run = Pretraining(sitting.budget, sitting.cache).run_of(cell.arm, data)
        if not free or (run is not None and not _pretrained(run, data, sitting.cache)):
            return False
        row = measure(cell, data, sitting.budget, run.encoder if run else None, sitting.cache / "runs")
        keep(row, sitting.rows)
    first = "arand" if data.output == "affinities" else "dice"
    scores = ", ".join("–" if one[first] is None else f"{one[first]:.3f}" for one in row.volumes)
    said = (data.name, cell.arm, 100.0 * cell.share, cell.seed, first, scores, row.cpu_s)
    _log.info("%s, %s, %g %% of the labels, seed %d: %s %s (%.0f s)", *said)
    return True


def _pretrained(run: PretrainingRun, data: EvaluationSet, cache: Path) -> bool:
    """Whether the encoder is there, made now or before; False while another process makes it."""
    with claimed(cache / "claims" / run.preset.name) as free:
        if free and not run.encoder.is_file():
            _log.info("pretraining for %s: %s, captions from %s", data.name, run.preset.loss, run.preset.captions)
            run.pretrain(data.unlabelled)
        return run.encoder.is_file()


@contextmanager
def claimed(path: Path) -> Iterator[bool]:
    """Within: whether this process alone has the claim."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True
