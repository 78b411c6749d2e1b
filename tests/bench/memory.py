"""How much the listener's memory grows while it receives ten thousand instances."""

import shutil
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from statistics import median

import psutil

from tests.bench.reception import CALLING_AE, OURS, NotStored, Receiver
from tests.bench.report import Report, Row
from tests.peers import storescu_each
from tests.peers.studies import copies

BATCH = 500
SENDERS = 4
GOAL_MB = 20.0


def run(report: Report, files: Sequence[Path], images: int, folder: Path, say: Callable[[str], None]) -> None:
    """Sends `images` in batches over four associations each and adds the row: growth after the first batch.

    The first batch is not counted: it fills the buffers, which then stay. Raises NotStored.
    """
    sizes_mb: list[float] = []
    with OURS.start(folder / "receiver") as receiver:
        for number in range(-(-images // BATCH) + 1):
            _send(files, folder / "sent", number, receiver)
            sizes_mb.append(_resident_mb(receiver))
            say(f"{(number + 1) * BATCH} instances received, {sizes_mb[-1]:.1f} MB resident")
        stored = receiver.count()
    shutil.rmtree(folder / "receiver")
    sent = len(sizes_mb) * BATCH
    if stored != sent:
        raise NotStored(f"of {sent} images {stored} are stored")
    counted = sent - BATCH
    what = f"resident memory of the listener and its processes, from {BATCH} instances on over {counted} more "
    what += (
        f"(CT, four associations at a time): the largest after a batch less that after the first; goal {GOAL_MB:g} MB"
    )
    grown = max(sizes_mb) - sizes_mb[0]
    rounds = {"resident after each batch": sizes_mb}
    report.data["memory"] = f"{counted} instances; resident {median(sizes_mb):.0f} MB"
    report.rows.append(
        Row(
            "receive.rss_growth_mb",
            f"memory grown over {counted}",
            what,
            "MB",
            "lower",
            grown,
            "goal",
            GOAL_MB,
            None,
            rounds,
            goal=1.0,
        )
    )


def _send(files: Sequence[Path], folder: Path, number: int, receiver: Receiver) -> None:
    folders = [folder / str(sender) for sender in range(SENDERS)]
    for sender, each in enumerate(folders):
        copies(files, each, BATCH // SENDERS, label=f"memory/{number}/{sender}")
    sent = storescu_each(folders, receiver.port, receiver.ae_title, calling_ae=CALLING_AE)
    shutil.rmtree(folder)
    failed = [one.output for one in sent if one.code]
    if failed:
        raise NotStored(f"storescu failed: {failed[0][-1000:]}")


def _resident_mb(receiver: Receiver) -> float:
    top = psutil.Process(receiver.process.pid)
    found = 0
    for process in [top, *top.children(recursive=True)]:
        with suppress(psutil.NoSuchProcess):
            found += int(process.memory_info().rss)
    return found / 1e6
