"""Independent judges of the DICOM documents we write: dciodvfy, dsrdump, PixelMed's SR checker and our own rules.

In: files. Out: verdicts. No judge catches every fault (of eight broken documents none of the tools caught all), so a
document is right only when all of them find nothing. A tool that is not on this machine is left out.
"""

from tests.judges.panel import available_judges, judge, judge_all
from tests.judges.verdict import Severity, Verdict, errors

__all__ = ["Severity", "Verdict", "available_judges", "errors", "judge", "judge_all"]
