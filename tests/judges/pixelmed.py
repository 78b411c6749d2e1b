"""PixelMed's DicomSRValidator: checks content trees against the templates of PS3.16. It always exits 0: read its lines.

The Debian version is of June 2022: it knows CID 7001 by its older DCM codes and TID 1501 without finding category and
presence, so "not in template" is a warning. As soon as one measurement group is volumetric (TID 1411) it judges all of
them by that template and misses a region in the groups of findings (TID 1501); our own rules tell the two apart.
"""

import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from tests.judges.verdict import Severity, Verdict

JAR = Path("/usr/share/java/pixelmed.jar")
_JVM = (
    "java",
    "-Xss16m",
    "-XX:TieredStopAtLevel=1",  # most runs end before better code would pay
    "-XX:+UseSerialGC",
    "-Djdk.xml.xpathTotalOpLimit=0",
    "-Djdk.xml.xpathExprOpLimit=0",
    "-Djdk.xml.xpathExprGrpLimit=0",
    "-cp",
    str(JAR),
)
_MANY = Path(__file__).with_name("ValidateMany.java")
_END = "IOD validation complete"
_NO_REGION = re.compile(
    r"Template 1411 .*(Image Region|Referenced Segment|Volume Surface).*Missing conditional content item"
)


def is_available() -> bool:
    """Whether Java and the checker are on this machine."""
    return JAR.is_file() and shutil.which("java") is not None


def verdicts(paths: Sequence[Path]) -> dict[Path, list[Verdict]]:
    """What the checker says of each file; nothing where it is not installed."""
    if not is_available() or not paths:
        return {}
    return {path: _verdicts(text) for path, text in _reports(paths).items()}


def _reports(paths: Sequence[Path]) -> dict[Path, str]:
    if shutil.which("javac") is None:  # no compiler, no program of ours: one JVM for each file
        return {path: _run("com.pixelmed.validate.DicomSRValidator", path) for path in paths}
    report = _run(_MANY, *paths)
    parts = report.split("FILE ")[1:]
    return {Path(part.split("\n", 1)[0]): part.split("\n", 1)[1] for part in parts}


def _run(program: str | Path, *paths: Path) -> str:
    return subprocess.run(
        [*_JVM, program, *paths], capture_output=True, text=True, errors="replace", timeout=280
    ).stdout


def _verdicts(report: str) -> list[Verdict]:
    lines = [line for line in report.splitlines() if line.strip()]
    found = [verdict for verdict in map(_verdict, lines) if verdict]
    if _END not in lines:
        found.append(Verdict("pixelmed", Severity.ERROR, f"did not finish: {report[-200:]}"))
    return found


def _verdict(line: str) -> Verdict | None:
    if line.startswith("Warning") or _NO_REGION.search(line):
        return Verdict("pixelmed", Severity.WARNING, line)
    if line.startswith("Error") or "illegal" in line:
        return Verdict("pixelmed", Severity.ERROR, line)
    return None
