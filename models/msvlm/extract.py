"""Labels from report text, offline: a term of a finding without a negation in the same sentence."""

import re
from collections.abc import Iterable

from models.phantoms.findings import FINDINGS, Finding

TERMS: dict[Finding, str] = {
    Finding.LUNG_NODULE: r"\bnodules?\b",
    Finding.CONSOLIDATION: r"\bconsolidations?\b",
    Finding.ATELECTASIS: r"\batelecta(sis|ses|tic)\b",
    Finding.EMPHYSEMA: r"\bemphysema(tous)?\b",
    Finding.PLEURAL_EFFUSION: r"\bpleural effusions?\b",
    Finding.CARDIOMEGALY: r"\bcardiomegaly\b|\bheart\b.*\benlarged\b|\benlargement of the heart\b|\bheart size\b",
    Finding.PERICARDIAL_EFFUSION: r"\bpericardial effusions?\b",
    Finding.CORONARY_CALCIFICATION: r"\bcoronary\b.*\bcalcifi\w+|\bcalcifi\w+.*\bcoronary\b",
    Finding.ARTERIAL_CALCIFICATION: r"\bcalcifi\w+.*\baort\w+|\baort\w+.*\bcalcifi\w+",
    Finding.HIATAL_HERNIA: r"\bhiatal hernia\b",
}
NEGATION = re.compile(r"\b(no|not|without|absence of|free of|is normal)\b")
HEDGE = re.compile(r"\b(cannot be excluded|upper limit of normal)\b")


def findings_in(sentence: str) -> set[Finding]:
    """Findings a sentence states as present; a hedged or negated one is not stated."""
    text = sentence.lower()
    if NEGATION.search(text) or HEDGE.search(text):
        return set()
    return {finding for finding in FINDINGS if re.search(TERMS[finding], text)}


def findings_of_report(sentences: Iterable[str]) -> set[Finding]:
    """Findings a report states as present."""
    return {finding for sentence in sentences for finding in findings_in(sentence)}


def side_in(sentence: str) -> str | None:
    """Side a sentence names: right, left, bilateral, or None."""
    found = re.findall(r"\b(right|left|bilateral)\b", sentence.lower())
    return found[0] if found else None
