"""Sixteen senders at once, each with a study of its own: how even they are served, and whether anything is lost.

What is stored is compared with what was sent by digests of the whole data sets: dcmtk's storescu may encode a data set
anew (lengths of sequences), so both are encoded by pydicom before.
"""

import hashlib
import shutil
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from statistics import median

import psutil
import pydicom

from tests.bench.raw_socket import RawSocket, send_raw
from tests.bench.reception import CALLING_AE, OURS, NotStored, Receiver
from tests.bench.report import Report, Row
from tests.peers import Missing, StoreScp, storescu
from tests.peers.studies import copies

SENDERS = 16
GOAL = 3.0
"""The slowest sender's time as a multiple of the median's, at most."""


@dataclass(frozen=True)
class Served:
    """One round: how many times longer the slowest sender took than the median, and the speed of all together."""

    slowest_by_median: float
    images_per_s: float


@dataclass(frozen=True)
class _Contender:
    key: str
    start: Callable[[Path], AbstractContextManager[Receiver]]
    stored: Callable[[Path], Iterable[Path]]
    """The files that a receiver of this kind has in its folder."""


OUR_LISTENER = _Contender("ours", OURS.start, lambda folder: (folder / "data").rglob("*.dcm"))
STORESCP = _Contender("dcmtk storescp", StoreScp, lambda folder: (folder / "images").iterdir())


def run(
    report: Report, files: Sequence[Path], images: int, rounds: int, folder: Path, say: Callable[[str], None]
) -> None:
    """Measures ours, storescp and the raw socket in turn, and adds the rows. Raises NotStored for a lost image."""
    folders = [folder / "sent" / f"{number:02d}" for number in range(SENDERS)]
    for number, each in enumerate(folders):
        copies(files, each, images, label=f"sender/{number}")
    sent = _digests(file for each in folders for file in each.iterdir())
    contenders = [OUR_LISTENER, *_storescp(report)]
    served: dict[str, list[Served]] = {}
    ceiling: list[float] = []
    for number in range(rounds):
        for contender in contenders:
            one = _measure(contender, folders, sent, folder / "receiver", report)
            served.setdefault(contender.key, []).append(one)
            say(f"round {number + 1}, {SENDERS} to {contender.key}: slowest {one.slowest_by_median:.2f} × median")
        ceiling.append(SENDERS * images / _raw(folders, folder / "raw"))
    _add_rows(report, served, ceiling, images)


def _storescp(report: Report) -> list[_Contender]:
    try:
        report.versions["dcmtk storescp --fork"] = StoreScp.version()
    except Missing as missing:
        report.notes.append(f"dcmtk left out: {missing}")
        return []
    return [STORESCP]


def _measure(
    contender: _Contender, folders: Sequence[Path], sent: dict[str, str], folder: Path, report: Report
) -> Served:
    try:
        with contender.start(folder) as receiver:
            seconds = _send(folders, receiver)
            if contender is OUR_LISTENER:
                children = psutil.Process(receiver.process.pid).children(recursive=True)
                report.data["senders"] = (
                    f"{SENDERS} studies of {len(sent) // SENDERS} CT, {len(children)} child processes"
                )
        _compare(contender, sent, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return Served(max(seconds) / median(seconds), len(sent) / max(seconds))


def _send(folders: Sequence[Path], receiver: Receiver) -> list[float]:
    """Seconds of each sender, all started at once."""
    with ThreadPoolExecutor(len(folders)) as pool:
        ended = list(
            pool.map(lambda one: storescu([one], receiver.port, receiver.ae_title, calling_ae=CALLING_AE), folders)
        )
    failed = [one.output for one in ended if one.code]
    if failed:
        raise NotStored(f"{len(failed)} of {len(folders)} senders failed: {failed[0][-1000:]}")
    return [one.seconds for one in ended]


def _raw(folders: Sequence[Path], folder: Path) -> float:
    try:
        with RawSocket(folder) as receiver:
            return send_raw(folders, receiver.port)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _digests(files: Iterable[Path]) -> dict[str, str]:
    """By SOP Instance UID the SHA-256 of the data set as pydicom encodes it."""
    return dict(_digest(file) for file in files)


def _digest(file: Path) -> tuple[str, str]:
    dataset = pydicom.dcmread(file)
    encoded = BytesIO()
    pydicom.filewriter.write_dataset(_writer(encoded, dataset), _of_known_lengths(dataset))
    return str(dataset.SOPInstanceUID), hashlib.sha256(encoded.getvalue()).hexdigest()


def _writer(stream: BytesIO, dataset: pydicom.Dataset) -> pydicom.filebase.DicomIO:
    syntax = dataset.file_meta.TransferSyntaxUID
    writer = pydicom.filebase.DicomIO(stream)
    writer.is_implicit_VR, writer.is_little_endian = syntax.is_implicit_VR, syntax.is_little_endian
    return writer


def _of_known_lengths(dataset: pydicom.Dataset) -> pydicom.Dataset:
    """The data set without group lengths, all sequences and items of defined length: how it is written, not what."""
    for element in list(dataset):
        if element.tag.element == 0:
            del dataset[element.tag]
        elif element.VR == "SQ":
            element.is_undefined_length = False
            for item in element.value:
                item.is_undefined_length_sequence_item = False
                _of_known_lengths(item)
    return dataset


def _compare(contender: _Contender, sent: dict[str, str], folder: Path) -> None:
    stored = _digests(contender.stored(folder))
    wrong = [uid for uid, digest in sent.items() if stored.get(uid) != digest]
    if wrong:
        lost = sum(uid not in stored for uid in wrong)
        raise NotStored(
            f"{contender.key}: of {len(sent)} images {lost} are lost, {len(wrong) - lost} are stored altered"
        )


def _add_rows(report: Report, served: dict[str, list[Served]], ceiling: list[float], images: int) -> None:
    what = (
        f"{SENDERS} storescu at once, each with a study of {images} CT; slowest: the longest time of a sender by the "
    )
    what += (
        f"median of all senders, goal at most {GOAL:g}; speed: all images by the longest time; every stored data set "
    )
    what += "is compared with the one sent by digest. Ceiling: raw socket, write, fdatasync, by as many connections"
    peer = STORESCP.key if STORESCP.key in served else "goal"
    even = {key: [one.slowest_by_median for one in many] for key, many in served.items()}
    speed = {key: [one.images_per_s for one in many] for key, many in served.items()}
    report.rows += [
        Row(
            "senders.slowest_by_median", f"slowest of {SENDERS} senders", what, "× median", "lower",
            median(even["ours"]), "goal", GOAL, None, even, 1.0,
        ),
        Row(
            "senders.images_per_s", f"reception, {SENDERS} senders", what, "images/s", "higher",
            median(speed["ours"]), peer, median(speed[peer]) if peer in speed else None, median(ceiling), speed,
        ),
    ]  # fmt: skip
