"""The figures of a bundle's evaluation, each with the controls that say what it is worth."""

import json
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict

from pacs_agent.inference.bundle import Bundle
from pacs_agent.inference.grounding import EVALUATION
from pacs_agent.inference.refusal import BundleRefused

FIGURES: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "report_macro_f1": (
        "Report macro-F1, labels read back from the text",
        {
            "report_macro_f1_shuffled": "the report of another patient",
            "report_macro_f1_blanked": "images without content",
            "report_macro_f1_random": "statements drawn by prevalence",
            "report_macro_f1_template": "the most frequent sentences",
        },
    ),
    "macro_auroc": ("Findings, macro-AUROC", {"pooled_baseline_auroc": "the best of simpler readers"}),
    "worst_auroc": ("Findings, AUROC of the worst", {}),
    "macro_auprc": ("Findings, macro-AUPRC", {}),
    "macro_f1": ("Findings, macro-F1 at the operating points", {}),
    "ece": ("Calibration error", {}),
    "false_findings_per_normal": (
        "False findings in a normal study",
        {"false_findings_per_normal_random": "statements drawn by prevalence"},
    ),
    "evidence_pointing": ("The heaviest slice shows the finding", {}),
    "evidence_auprc": ("Slice evidence, AUPRC", {"evidence_random_auprc": "random slices"}),
    "contradictions": ("Contradictions of text and scores, per study", {}),
}
"""Names in `evaluation.json` with what they mean, and the controls of each."""


class _Told(BaseModel):
    model_config = ConfigDict(use_attribute_docstrings=True)


class Measured(_Told):
    """A value with its 95 % interval; None where it was not measured."""

    what: str
    value: float | None
    low: float | None
    high: float | None
    n: int


class Figure(Measured):
    """A figure and its controls."""

    controls: tuple[Measured, ...]


class FindingFigures(_Told):
    """What was measured of one finding."""

    key: str
    name: str
    auroc: float | None
    f1: float | None
    precision: float | None
    """Of the report's statements."""
    recall: float | None


class Evaluated(_Told):
    """The evaluation of a bundle."""

    data: str
    """What it was evaluated on."""
    figures: tuple[Figure, ...]
    findings: tuple[FindingFigures, ...]


def evaluation_of(bundle: Bundle) -> Evaluated | None:
    """The evaluation in a bundle; None without one, or where it cannot be read."""
    document = next((one for one in bundle.manifest.documents if one.file == EVALUATION), None)
    if document is None:
        return None
    try:
        content = json.loads(bundle.read(document))
    except (BundleRefused, ValueError, RecursionError):
        return None
    if not isinstance(content, dict):
        return None
    return Evaluated(
        data=str(content.get("data", "")),
        figures=tuple(_figure(content, name) for name in FIGURES if name in content),
        findings=tuple(_finding(entry.key, entry.name, content) for entry in bundle.manifest.findings),
    )


def _figure(content: Mapping[str, Any], name: str) -> Figure:
    what, controls = FIGURES[name]
    measured = tuple(_measured(content[key], words) for key, words in controls.items() if key in content)
    return Figure(**_measured(content[name], what).model_dump(), controls=measured)


def _measured(given: Any, what: str) -> Measured:
    figure = given if isinstance(given, dict) else {}
    value, low, high = (_number(figure.get(name)) for name in ("value", "low", "high"))
    return Measured(what=what, value=value, low=low, high=high, n=int(_number(figure.get("n")) or 0))


def _finding(key: str, name: str, content: Mapping[str, Any]) -> FindingFigures:
    per_finding = content.get("per_finding")
    found = _part(per_finding, key)
    report = _part(found, "report")
    return FindingFigures(
        key=key,
        name=name,
        auroc=_number(_part(found, "auroc").get("value")),
        f1=_number(found.get("f1")),
        precision=_number(report.get("precision")),
        recall=_number(report.get("recall")),
    )


def _part(given: Any, name: str) -> Mapping[str, Any]:
    part = given.get(name) if isinstance(given, dict) else None
    return part if isinstance(part, dict) else {}


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None
