"""The tools of dcmtk: a tuned storescp as a receiver, storescu and echoscu as senders."""

import os
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.peers.running import WITHOUT_NAGLE, RunningProcess, Server, answers, executable, free_port

LARGEST_PDU = "131072"  # dcmtk's own limit


@dataclass(frozen=True)
class Sent:
    """What a sender did: seconds from its start to its end, its exit code and its words."""

    seconds: float
    code: int
    output: str


class StoreScp(Server):
    """A running storescp, tuned: no Nagle, largest PDU, bytes written as received, a process for each association."""

    name = "storescp"
    ae_title = "STORESCP"

    def __init__(self, folder: Path, *, syntax: str = "+x=", options: Sequence[str] = ()) -> None:
        """`syntax` is storescp's preference of transfer syntaxes; "+xa" accepts all. `options` are further ones."""
        super().__init__()
        self.folder = folder
        self.port = free_port()
        self._syntax = syntax
        self._further = options

    @staticmethod
    def version() -> str:
        """Version of dcmtk. Raises Missing."""
        words = subprocess.run(
            [executable("storescp", "dcmtk"), "--version"], capture_output=True, text=True, check=True
        )
        return words.stdout.split()[2].lstrip("v")

    def start(self) -> None:
        """Starts storescp and waits until it listens."""
        images = self.images_dir
        images.mkdir(parents=True, exist_ok=True)
        options = [
            "--fork",
            "+B",
            "-pdu",
            LARGEST_PDU,
            self._syntax,
            "-aet",
            self.ae_title,
            "-od",
            images,
            *self._further,
        ]
        command = [executable("storescp", "dcmtk"), *options, str(self.port)]
        self._running.append(RunningProcess(self.name, command, self.folder / "storescp.log"))
        self.process.wait_until(lambda: answers(self.port))

    @property
    def images_dir(self) -> Path:
        """Where received files lie."""
        return self.folder / "images"

    def count(self) -> int:
        """Instances stored."""
        return sum(1 for _ in self.images_dir.iterdir())


def storescu(
    paths: Sequence[Path], port: int, called_ae: str, *, calling_ae: str = "STORESCU", options: Sequence[str] = ()
) -> Sent:
    """Sends files or folders by one storescu in one association."""
    start = time.perf_counter()
    return _finished(_storescu(paths, port, called_ae, calling_ae, options), start)


def storescu_each(
    folders: Sequence[Path], port: int, called_ae: str, *, calling_ae: str = "STORESCU", options: Sequence[str] = ()
) -> list[Sent]:
    """Sends each folder by a storescu of its own, all at once: as many associations as folders."""
    start = time.perf_counter()
    senders = [_storescu([folder], port, called_ae, calling_ae, options) for folder in folders]
    return [_finished(sender, start) for sender in senders]


def echoscu(port: int, called_ae: str, *, calling_ae: str = "ECHOSCU") -> Sent:
    """A C-ECHO."""
    start = time.perf_counter()
    command = [executable("echoscu", "dcmtk"), "-aet", calling_ae, "-aec", called_ae, "127.0.0.1", str(port)]
    return _finished(_started(command), start)


def _storescu(
    paths: Sequence[Path], port: int, called_ae: str, calling_ae: str, options: Sequence[str]
) -> subprocess.Popen[str]:
    fixed = ["-nh", "-pdu", LARGEST_PDU, "--max-send-pdu", LARGEST_PDU, "+sd", "+r"]
    command = [executable("storescu", "dcmtk"), *fixed, *options, "-aet", calling_ae, "-aec", called_ae]
    return _started([*command, "127.0.0.1", str(port), *map(str, paths)])


def _started(command: list[str]) -> subprocess.Popen[str]:
    environment = {**os.environ, **WITHOUT_NAGLE}
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def _finished(sender: subprocess.Popen[str], start: float) -> Sent:
    output, _ = sender.communicate()
    return Sent(time.perf_counter() - start, sender.returncode, output)
