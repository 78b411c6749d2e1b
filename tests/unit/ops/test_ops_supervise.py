"""The supervisor with real processes: what dies is restarted, what was set up wrongly is not, nothing outlives it."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from pacs_agent.ops.supervise import StartFailed, Supervisor


def supervisor_of(code: str) -> Supervisor:
    supervisor = Supervisor(("child",))
    supervisor._commands = {"child": [sys.executable, "-c", code]}
    return supervisor


def until(condition: object, seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


def test_a_killed_process_is_restarted() -> None:
    supervisor = supervisor_of("import time; time.sleep(60)")
    supervisor.start()
    first = supervisor._children[0].process.pid
    os.kill(first, signal.SIGKILL)

    def restarted() -> bool:
        supervisor.check()
        return supervisor._children[0].process.pid != first

    until(restarted)
    second = supervisor._children[0].process.pid
    supervisor.stop()
    assert not psutil.pid_exists(second)


def test_a_process_that_is_set_up_wrongly_stops_the_start() -> None:
    supervisor = supervisor_of("raise SystemExit(2)")
    supervisor.start()
    supervisor._children[0].process.wait()
    with pytest.raises(StartFailed, match="set up"):
        supervisor.check()


def test_children_end_when_the_supervisor_is_killed(tmp_path: Path) -> None:
    code = (
        "import sys, time\n"
        "from pacs_agent.ops.supervise import Supervisor\n"
        "s = Supervisor(('child',))\n"
        "s._commands = {'child': [sys.executable, '-c', 'import time; time.sleep(60)']}\n"
        "s.start(); print(s._children[0].process.pid, flush=True); time.sleep(60)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    until(lambda: not psutil.pid_exists(child) or psutil.Process(child).status() == psutil.STATUS_ZOMBIE)
