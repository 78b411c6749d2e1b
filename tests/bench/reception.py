"""Images received per second, and CPU time for each: ours beside dcmtk, Orthanc and dicom-ai-router.

Every measurement starts a fresh receiver with an empty folder, so that no receiver ever answers "I have that already".
Contenders take turns within a round; the figures are medians over the rounds.
"""

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Protocol

from tests.bench.raw_socket import RawSocket, send_raw
from tests.bench.report import Report, Row
from tests.peers import Agent, AiRouter, Missing, Orthanc, RunningProcess, StoreScp, storescu_each
from tests.peers.studies import copies

CALLING_AE = "BENCH"
WARM_UP_IMAGES = 8
ASSOCIATIONS = (1, 4)
CPU_GOAL_MS = 1.3
"""Processor time of an image, at most."""


class Receiver(Protocol):
    """A running receiver."""

    port: int
    ae_title: str

    @property
    def process(self) -> RunningProcess:
        """Its process, for the CPU time."""

    def count(self) -> int:
        """Instances it has stored."""


@dataclass(frozen=True)
class Contender:
    """A kind of receiver: how it is started, how images are sent to it, and what its Success promises."""

    key: str
    name: str
    promise: str
    start: Callable[[Path], AbstractContextManager[Receiver]]
    send: Callable[[Sequence[Path], Receiver], float]


@dataclass(frozen=True)
class Load:
    """Files to send: for each number of associations one folder each, and other files to warm up with."""

    images: int
    megabytes: float
    folders: dict[int, list[Path]]
    warm_up: Path


@dataclass(frozen=True)
class Measured:
    """One measurement of one contender."""

    images_per_s: float
    cpu_ms_per_image: float

    @property
    def spoken(self) -> str:
        """Both, for people."""
        return f"{self.images_per_s:.0f} images/s, {self.cpu_ms_per_image:.2f} ms CPU each"


class NotStored(RuntimeError):
    """A receiver has not stored all it was sent: its time means nothing."""


def load(files: Sequence[Path], folder: Path, images: int) -> Load:
    """The files of a study, copied under new UIDs until there are enough."""
    written = copies(files, folder / "all", images, label="reception")
    copies(files, folder / "warm-up", WARM_UP_IMAGES, label="warm-up")
    folders = {1: [folder / "all"]}
    for associations in ASSOCIATIONS[1:]:
        folders[associations] = _dealt(written, folder / f"by-{associations}", associations)
    return Load(images, sum(file.stat().st_size for file in written) / 1e6, folders, folder / "warm-up")


def _dealt(files: Sequence[Path], folder: Path, hands: int) -> list[Path]:
    """The files as links in as many folders as there are associations."""
    folders = [folder / str(hand) for hand in range(hands)]
    for hand in folders:
        hand.mkdir(parents=True)
    for number, file in enumerate(files):
        (folders[number % hands] / file.name).hardlink_to(file)
    return folders


@contextmanager
def _our_listener(folder: Path) -> Iterator[Receiver]:
    agent = Agent(folder, subcommand="receive")
    agent.allow(CALLING_AE)
    with agent:
        yield agent


def _storescu(folders: Sequence[Path], receiver: Receiver) -> float:
    sent = storescu_each(folders, receiver.port, receiver.ae_title, calling_ae=CALLING_AE)
    failed = [one.output for one in sent if one.code]
    if failed:
        raise NotStored(f"storescu to {receiver.ae_title} failed: {failed[0][-1000:]}")
    return max(one.seconds for one in sent)


def _raw(folders: Sequence[Path], receiver: Receiver) -> float:
    return send_raw(folders, receiver.port)


OURS = Contender("ours", "pacs-agent receive", "synced and indexed", _our_listener, _storescu)
PEERS = (
    Contender("dcmtk", "dcmtk storescp --fork", "written, not synced", StoreScp, _storescu),
    Contender("orthanc", "Orthanc", "synced and indexed", Orthanc, _storescu),
    Contender("ai_router", "dicom-ai-router", "written and indexed, file not synced", AiRouter, _storescu),
)
CEILING = Contender("ceiling", "raw socket, write, fdatasync", "synced", RawSocket, _raw)
GOALS = {"dcmtk": 0.9, "orthanc": 4.0, "ai_router": 8.0, CEILING.key: 0.8}
"""Our speed as a multiple of theirs, at least."""


def measure(contender: Contender, load: Load, associations: int, folder: Path) -> Measured:
    """One measurement with a fresh receiver. Raises NotStored, Missing."""
    try:
        with contender.start(folder) as receiver:
            contender.send([load.warm_up], receiver)
            warm, cpu_s = receiver.count(), receiver.process.cpu_s()
            seconds = contender.send(load.folders[associations], receiver)
            cpu_s = receiver.process.cpu_s() - cpu_s
            _check(contender, receiver.count() - warm, load.images)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return Measured(load.images / seconds, 1000 * cpu_s / load.images)


def _check(contender: Contender, stored: int, sent: int) -> None:
    if stored != sent:
        raise NotStored(f"{contender.name} stored {stored} of {sent} images and answered Success to all")


def run(report: Report, load: Load, rounds: int, folder: Path, say: Callable[[str], None]) -> None:
    """Measures all contenders and adds the rows to the report."""
    contenders = [OURS, *_installed(report), CEILING]
    taken: dict[tuple[str, int], list[Measured]] = {}
    for number in range(rounds):
        turn = number % len(contenders)
        for associations in ASSOCIATIONS:
            for contender in contenders[turn:] + contenders[:turn]:
                measured = measure(contender, load, associations, folder / contender.key)
                taken.setdefault((contender.key, associations), []).append(measured)
                say(f"round {number + 1}, {associations} association(s), {contender.name}: {measured.spoken}")
    for associations in ASSOCIATIONS:
        report.rows += [row for peer in contenders[1:] for row in _rows(taken, peer, associations, load)]
        report.rows.append(_cpu_row([one.cpu_ms_per_image for one in taken[OURS.key, associations]], associations))


def _installed(report: Report) -> list[Contender]:
    versions = {"dcmtk": StoreScp.version, "orthanc": Orthanc.version, "ai_router": AiRouter.version}
    present = []
    for peer in PEERS:
        try:
            report.versions[peer.name] = versions[peer.key]()
        except Missing as missing:
            report.notes.append(f"{peer.name} left out: {missing}")
        else:
            present.append(peer)
    return present


def _rows(taken: dict[tuple[str, int], list[Measured]], peer: Contender, associations: int, load: Load) -> list[Row]:
    what = (
        f"reception of {load.images} CT ({load.megabytes:.0f} MB) sent by dcmtk storescu, from its start to its end; "
    )
    what += "a fresh receiver each time; CPU is that of the receiving processes. Success means: "
    what += "; ".join(f"{one.name}: {one.promise}" for one in (OURS, *PEERS, CEILING))
    series = {key: taken[key, associations] for key in (OURS.key, peer.key, CEILING.key)}
    speed = {key: [one.images_per_s for one in many] for key, many in series.items()}
    cpu = {key: [one.cpu_ms_per_image for one in many] for key, many in series.items()}
    prefix, over = f"receive.{associations}.{peer.key}", f"{associations} association{'s' * (associations > 1)}"
    return [
        _row(f"{prefix}.images_per_s", f"reception, {over}", what, "images/s", "higher", peer, speed, GOALS[peer.key]),
        _row(f"{prefix}.cpu_ms", f"CPU per image, {over}", what, "ms", "lower", peer, cpu),
    ]


def _cpu_row(taken_ms: list[float], associations: int) -> Row:
    what = "processor time of the receiving processes for an image, and what it should be at most"
    label = f"CPU per image, {associations} association{'s' * (associations > 1)}"
    id_, rounds = f"receive.{associations}.cpu_goal", {OURS.key: taken_ms}
    return Row(id_, label, what, "ms", "lower", median(taken_ms), "goal", CPU_GOAL_MS, rounds=rounds, goal=1.0)


def _row(
    id_: str,
    label: str,
    what: str,
    unit: str,
    better: str,
    peer: Contender,
    rounds: dict[str, list[float]],
    goal: float | None = None,
) -> Row:
    ours, theirs, ceiling = (median(rounds[key]) for key in (OURS.key, peer.key, CEILING.key))
    return Row(id_, label, what, unit, better, ours, peer.name, theirs, ceiling, rounds, goal)
