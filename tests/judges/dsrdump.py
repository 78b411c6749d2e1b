"""dsrdump of dcmtk: reads the content tree of an SR document with its checks of value types and relationships."""

import shutil
import subprocess
from pathlib import Path

from tests.judges.verdict import Severity, Verdict

_SEVERITIES = {"E:": Severity.ERROR, "F:": Severity.ERROR, "W:": Severity.WARNING}

# dcmtk's check of value representations knows neither UTF-8 nor the other multi-byte character sets, and says so
_BLIND_SPOT = "VR checker does not support this Specific Character Set"


def is_available() -> bool:
    """Whether dsrdump is on this machine."""
    return shutil.which("dsrdump") is not None


def verdicts(path: Path) -> list[Verdict]:
    """What dsrdump says of a file; nothing where it is not installed."""
    if not is_available():
        return []
    answer = subprocess.run(["dsrdump", path], capture_output=True, text=True, errors="replace", timeout=60)
    found = [
        Verdict("dsrdump", _SEVERITIES[line[:2]], line)
        for line in answer.stderr.splitlines()
        if line[:2] in _SEVERITIES and _BLIND_SPOT not in line
    ]
    if answer.returncode != 0:
        found.append(Verdict("dsrdump", Severity.ERROR, f"ended with {answer.returncode}"))
    return found
