"""What a judge says."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """Errors break the standard or a rule of ours; warnings are a judge's unease."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True)
class Verdict:
    """One complaint of one judge on one file."""

    judge: str
    severity: Severity
    text: str


def errors(verdicts: Iterable[Verdict]) -> list[Verdict]:
    """The complaints that are errors."""
    return [verdict for verdict in verdicts if verdict.severity is Severity.ERROR]
