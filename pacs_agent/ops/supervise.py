"""Runs the agent's processes as children of one: restarts what dies, ends all together.

Reception, work and web are separate processes so that a decoder's crash or a long reading never slows a sender.
"""

import ctypes
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from types import FrameType

from pacs_agent.ops.log import get_log

SET_UP_WRONGLY = 2
"""Exit code of a process that cannot work as it is set up: restarting it would not help."""
LONGEST_WAIT_S = 30.0
STOP_S = 20.0
_PR_SET_PDEATHSIG = 1

log = get_log("supervise")


class StartFailed(RuntimeError):
    """A process says that it cannot work as it is set up."""


@dataclass
class _Child:
    name: str
    command: Sequence[str]
    process: subprocess.Popen[bytes]
    started_s: float
    restarts: int = 0
    due_s: float | None = field(default=None)


class Supervisor:
    """Keeps one process alive for each subcommand of `pacs-agent`, until `stop` or a signal."""

    def __init__(self, subcommands: Sequence[str], arguments: Sequence[str] = ()) -> None:
        self._commands = {name: [sys.executable, "-m", "pacs_agent", *arguments, name] for name in subcommands}
        self._children: list[_Child] = []
        self._stopping = False

    def start(self) -> None:
        """Starts all processes."""
        for name, command in self._commands.items():
            self._children.append(_Child(name, command, _start(command), time.monotonic()))

    def run(self) -> None:
        """Waits until a signal asks to stop; restarts what dies meanwhile. Raises StartFailed."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._ask_to_stop)
        try:
            while not self._stopping:
                self.check()
                time.sleep(0.2)
        finally:
            self.stop()

    def check(self) -> None:
        """Looks at every process once, and restarts one that ended. Raises StartFailed."""
        for child in self._children:
            if child.due_s is not None:
                self._restart_when_due(child)
            elif child.process.poll() is not None:
                self._plan_restart(child)

    def stop(self) -> None:
        """Ends all processes: asks them first, kills what does not end in time."""
        for child in self._children:
            child.process.terminate()
        deadline = time.monotonic() + STOP_S
        for child in self._children:
            try:
                child.process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                log.warning("process killed: it did not end in time", process=child.name)
                child.process.kill()
                child.process.wait()
        self._children.clear()

    def _ask_to_stop(self, _number: int, _frame: FrameType | None) -> None:
        self._stopping = True

    def _plan_restart(self, child: _Child) -> None:
        if child.restarts == 0 and child.process.returncode == SET_UP_WRONGLY:
            raise StartFailed(f"`pacs-agent {child.name}` cannot work as it is set up")
        now = time.monotonic()
        lived_well = now - child.started_s > 2 * LONGEST_WAIT_S
        child.restarts = 1 if lived_well else child.restarts + 1
        wait_s = min(LONGEST_WAIT_S, 2.0 ** (child.restarts - 1))
        child.due_s = now + wait_s
        log.error("process died", process=child.name, code=child.process.returncode, restart_in_s=wait_s)

    def _restart_when_due(self, child: _Child) -> None:
        now = time.monotonic()
        if child.due_s is not None and now >= child.due_s:
            child.process, child.started_s, child.due_s = _start(child.command), now, None


def _start(command: Sequence[str]) -> subprocess.Popen[bytes]:
    """A child that ends with us even when we are killed, and that leaves Ctrl-C to us."""
    return subprocess.Popen(list(command), preexec_fn=_tie_to_parent, start_new_session=True)  # noqa: S603


def _tie_to_parent() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
