"""Reports of real studies as labels and as sentences that each speak of one finding."""

import hashlib
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from models.phantoms.findings import Finding
from models.phantoms.report import TrueSentence

LabelExtractor = Callable[[str], dict[Finding, bool]]
"""Labels that a text states; findings that it leaves open are missing."""

NOT_GIVEN = frozenset({"", "not given", "not given.", "none", "nan", "n/a"})
_END = re.compile(r"(?<=[.!?])\s+(?=[A-Z])|\n+")
_SIGN = re.compile(r"\s*([.,;:()])\s*")


@dataclass(frozen=True)
class ReportText:
    """The parts of a report that speak of the images; empty where they are not given."""

    findings: str = ""
    impression: str = ""

    @property
    def text(self) -> str:
        """Both parts."""
        return "\n".join(part for part in (self.findings, self.impression) if part)


def given(text: str | None) -> str:
    """A part of a report, or nothing where the data set says that it is not given."""
    text = (text or "").strip()
    return "" if text.lower() in NOT_GIVEN else text


def report_sentences(report: ReportText, extract: LabelExtractor) -> tuple[TrueSentence, ...]:
    """The sentences that state one finding or exclude one; those that speak of none or of several are left out.

    Words and signs are parted by spaces, as in the phantoms' reports.
    """
    sentences = []
    for part, is_impression in ((report.findings, False), (report.impression, True)):
        for sentence in _END.split(part):
            stated = extract(sentence)
            if len(stated) != 1:
                continue
            finding, there = next(iter(stated.items()))
            if is_impression and not there:
                continue
            kind = "impression" if is_impression else "present" if there else "absent"
            sentences.append(TrueSentence(kind, finding, " ".join(_SIGN.sub(r" \1 ", sentence).split())))
    return tuple(sentences)


def digest_of(contents: Iterable[object]) -> str:
    """A short digest of what a collection holds."""
    digest = hashlib.sha256()
    for part in contents:
        digest.update(repr(part).encode() + b"\0")
    return digest.hexdigest()[:8]


def stated_labels(text: str) -> dict[Finding, bool]:
    """The labels that the rule-based extractor finds in an English report: present or absent, what is open left out."""
    from models.evaluation.extractor import Status, labels_of  # the extractor is also run on generated text

    status = labels_of(text)
    return {f: s == Status.PRESENT for f, s in status.items() if s in (Status.PRESENT, Status.ABSENT)}
