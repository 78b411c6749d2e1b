"""A peer as a child process: started with a log file, waited for, measured, stopped."""

import itertools
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import ClassVar, Self, TypeVar

import psutil

Found = TypeVar("Found")

# Nagle's algorithm costs about 40 ms for each image in Debian's dcmtk and Orthanc, which read this variable.
WITHOUT_NAGLE = {"TCP_NODELAY": "1"}
PORTS = range(12_000, 32_000)
"""Below those that Linux gives to whoever connects, so that none is taken between the look and the listening."""
MOST_PROCESSES = 8


class Missing(RuntimeError):
    """A peer is not installed here. The text says what to install."""


class DidNotStart(RuntimeError):
    """A peer ended, or did not answer, before it was ready. The text ends with its log."""


def executable(name: str, package: str) -> str:
    """Path of a program of the system. Raises Missing with the Debian package that has it.

    pynetdicom brings its own storescu and echoscu into the Python environment; those are not meant.
    """
    folders = [folder for folder in os.get_exec_path() if Path(folder) != Path(sys.prefix, "bin")]
    path = shutil.which(name, path=os.pathsep.join([*folders, "/usr/sbin"]))
    if path is None:
        raise Missing(f"{name} is not installed; as root: deploy/peers.sh (Debian package {package})")
    return path


def _own_ports() -> Iterator[int]:
    """Ports that no other process of the same run is given, in turn from one drawn by lot: another run has its own."""
    number = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    own = PORTS[number % MOST_PROCESSES :: MOST_PROCESSES]
    begin = secrets.randbelow(len(own))
    return itertools.cycle([*own[begin:], *own[:begin]])


_PORTS_IN_TURN = _own_ports()


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listens on now; the same one comes again only after thousands of others."""
    for port in itertools.islice(_PORTS_IN_TURN, len(PORTS)):
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise RuntimeError(f"no port of 127.0.0.1 from {PORTS.start} to {PORTS.stop - 1} is free")


def answers(port: int) -> bool:
    """True when something accepts connections on this port of 127.0.0.1."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def until(look: Callable[[], Found], *, timeout_s: float, every_s: float = 0.1, what: str) -> Found:
    """The first truthy value that `look` gives. Raises TimeoutError naming `what` was waited for."""
    deadline = time.monotonic() + timeout_s
    while True:
        found = look()
        if found:
            return found
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {timeout_s:g} s for {what}; last seen: {found!r}")
        time.sleep(every_s)


class RunningProcess:
    """A child process in a process group of its own, its output in a log file."""

    def __init__(
        self,
        name: str,
        command: Sequence[object],
        log: Path,
        *,
        environment: Mapping[str, str] | None = None,
        folder: Path | None = None,
    ) -> None:
        self.name = name
        self.log = log
        with log.open("ab") as output:
            self._child = subprocess.Popen(
                [str(part) for part in command],
                env={**os.environ, **WITHOUT_NAGLE, **(environment or {})},
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """Process id."""
        return self._child.pid

    @property
    def alive(self) -> bool:
        """True while the process runs."""
        return self._child.poll() is None

    @property
    def log_text(self) -> str:
        """Everything the process has written so far."""
        return self.log.read_text(encoding="utf-8", errors="replace")

    def wait_until(self, ready: Callable[[], object], timeout_s: float = 30) -> None:
        """Returns when `ready` gives a truthy value. Raises DidNotStart when the process ends or stays silent."""
        deadline = time.monotonic() + timeout_s
        while not ready():
            if not self.alive or time.monotonic() > deadline:
                state = f"ended with {self._child.returncode}" if not self.alive else f"not ready after {timeout_s:g} s"
                raise DidNotStart(f"{self.name} {state}:\n{self.log_text[-3000:]}")
            time.sleep(0.05)

    def cpu_s(self) -> float:
        """CPU seconds, user and system, of the process and its children, also of those already gone."""
        top = psutil.Process(self.pid)
        total = 0.0
        for process in [top, *top.children(recursive=True)]:
            try:
                spent = process.cpu_times()
            except psutil.NoSuchProcess:
                continue
            total += spent.user + spent.system + spent.children_user + spent.children_system
        return total

    def stop(self, timeout_s: float = 15) -> int:
        """Ends the process as an administrator would (SIGTERM), then its whole group. Gives its exit code."""
        if self.alive:
            self._child.terminate()
        try:
            code = self._child.wait(timeout_s)
        except subprocess.TimeoutExpired:
            code = -signal.SIGKILL
        self.kill()
        return code

    def kill(self) -> None:
        """Ends the process and its children at once (SIGKILL), as a crash would."""
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            return
        finally:
            self._child.wait()


class Server(ABC):
    """A peer made of one process or several: `with` starts and stops it. What it wrote stays in its folder."""

    name: ClassVar[str]
    stop_s: ClassVar[float] = 15

    def __init__(self) -> None:
        self._running: list[RunningProcess] = []

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def process(self) -> RunningProcess:
        """The process started last, which is the one that the peer is named for."""
        if not self._running:
            raise RuntimeError(f"{self.name} has not been started: use it in a with statement")
        return self._running[-1]

    @abstractmethod
    def start(self) -> None:
        """Starts all processes, each kept in `_running`, and returns when they are ready."""

    def stop(self) -> int:
        """Stops all processes, the last one first. Gives its exit code; 0 when none was running."""
        codes = [self._running.pop().stop(self.stop_s) for _ in range(len(self._running))]
        return codes[0] if codes else 0
