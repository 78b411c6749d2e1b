"""The true report of a case: findings in the radiologist's order, then the impression."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from models.phantoms.findings import FINDINGS, Finding
from models.phantoms.plan import Truth
from models.phantoms.wording import NORMAL_IMPRESSION, WORDINGS, fill

COMMON = 0.7
"""How often the first wording is taken."""


@dataclass(frozen=True)
class TrueSentence:
    """A sentence of words separated by spaces. `kind` is present, absent or impression; no finding: normal study."""

    kind: str
    finding: Finding | None
    text: str


def write_report(truths: Sequence[Truth], rng: np.random.Generator) -> tuple[TrueSentence, ...]:
    """One sentence per finding, there or not, and the impression."""
    there = {truth.finding: truth for truth in truths}
    findings = tuple(_finding_sentence(finding, there, rng) for finding in FINDINGS)
    impression = tuple(
        TrueSentence("impression", truth.finding, _fill(_choose(WORDINGS[truth.finding].impression, rng), truth))
        for truth in truths
    )
    return findings + (impression or (TrueSentence("impression", None, _choose(NORMAL_IMPRESSION, rng)),))


def _finding_sentence(finding: Finding, there: Mapping[Finding, Truth], rng: np.random.Generator) -> TrueSentence:
    if finding in there:
        text = _fill(_choose(WORDINGS[finding].present, rng), there[finding])
        return TrueSentence("present", finding, text)
    return TrueSentence("absent", finding, _choose(WORDINGS[finding].absent, rng))


def _choose(wordings: Sequence[str], rng: np.random.Generator) -> str:
    if len(wordings) == 1 or rng.random() < COMMON:
        return wordings[0]
    return wordings[int(rng.integers(1, len(wordings)))]


def _fill(template: str, truth: Truth) -> str:
    return fill(template, truth.grade, truth.place, truth.sides)
