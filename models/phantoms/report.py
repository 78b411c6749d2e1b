"""The true report of a case: findings in the radiologist's order, then the impression."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from models.phantoms.findings import FINDINGS, Attributes, Finding
from models.phantoms.plan.case import Truth
from models.phantoms.wording import NORMAL_IMPRESSION, WORDINGS, fill

COMMON = 0.4
"""How often the first wording is taken."""
_NOTHING = Attributes()


@dataclass(frozen=True)
class TrueSentence:
    """A sentence of words separated by spaces. No finding: a normal study's impression.

    `kind` is present, absent, uncertain or impression. `attributes` are all that the sentence may say.
    """

    kind: str
    finding: Finding | None
    text: str
    attributes: Attributes = _NOTHING


def write_report(truths: Sequence[Truth], rng: np.random.Generator) -> tuple[TrueSentence, ...]:
    """One sentence per finding, there or not, and the impression."""
    there = {truth.finding: truth.attributes for truth in truths}
    findings = tuple(_finding_sentence(finding, there, rng) for finding in FINDINGS)
    impression = tuple(
        _say("impression", finding, WORDINGS[finding].impression, there[finding], rng)
        for finding in FINDINGS
        if finding in there
    )
    return findings + (impression or (TrueSentence("impression", None, _choose(NORMAL_IMPRESSION, rng)),))


def _finding_sentence(finding: Finding, there: Mapping[Finding, Attributes], rng: np.random.Generator) -> TrueSentence:
    if finding in there:
        return _say("present", finding, WORDINGS[finding].present, there[finding], rng)
    return _say("absent", finding, WORDINGS[finding].absent, _NOTHING, rng)


def _say(
    kind: str, finding: Finding, wordings: Sequence[str], attributes: Attributes, rng: np.random.Generator
) -> TrueSentence:
    return TrueSentence(kind, finding, fill(finding, _choose(wordings, rng), attributes), attributes)


def _choose(wordings: Sequence[str], rng: np.random.Generator) -> str:
    if len(wordings) == 1 or rng.random() < COMMON:
        return wordings[0]
    return wordings[int(rng.integers(1, len(wordings)))]
