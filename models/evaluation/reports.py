"""Figures of the generated text and its controls: labels read back, words, false findings, sameness, contradictions."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.evaluation.extractor import Status, labels_of
from models.evaluation.heldout import HeldOutStudy
from models.evaluation.metrics import NOT_MEASURED, Array, Figure, f1, figure, macro, mean_figure
from models.evaluation.outcomes import Measured, Said, stated
from pacs_agent.inference.attributes import contradicts
from pacs_agent.inference.reading import Presence

RANDOM_DRAWS = 20
Indices = NDArray[np.intp]
_STATUS = {Presence.PRESENT: Status.PRESENT, Presence.UNCERTAIN: Status.UNCERTAIN, Presence.ABSENT: Status.ABSENT}


def report_figures(measured: Measured) -> dict[str, Figure]:
    """Macro-F1 of the labels read back from the text, beside every control; then what else the text may do wrong."""
    labels, n = measured.labels, measured.patients
    said, other = measured.stated, np.roll(measured.stated, 1, axis=0)
    template = np.repeat(stated([template_text(measured)]), len(labels), axis=0)

    def macro_f1(columns: Array) -> Figure:
        return figure(lambda i: macro(f1, labels[i], columns[i]), n)

    return {
        "report_macro_f1": macro_f1(said),
        "report_macro_f1_shuffled": macro_f1(other),
        "report_macro_f1_blanked": macro_f1(measured.stated_blanked),
        "report_macro_f1_random": figure(lambda i: _random_f1(labels, i), n),
        "report_macro_f1_template": macro_f1(template),
        "heads_f1_minus_report_f1": figure(
            lambda i: macro(f1, labels[i], measured.called[i]) - macro(f1, labels[i], said[i]), n
        ),
        "false_findings_per_normal": _false_findings(labels, said),
        "false_findings_per_normal_random": _false_findings(labels, _by_prevalence(labels)),
        "identical_reports": _identical(measured),
        "sentences_fixed": mean_figure([_share_fixed(said) for said in measured.said], n),
        "contradictions": mean_figure([float(contradictions(said)) for said in measured.said], n),
    }


def template_text(measured: Measured) -> str:
    """The most frequent true sentence on each finding, and the most frequent impression."""
    sentences = [sentence for study in measured.studies for sentence in study.sentences]
    places = dict.fromkeys((s.kind == "impression", None if s.kind == "impression" else s.finding) for s in sentences)
    chosen = []
    for impression, finding in places:
        alike = Counter(
            s.text for s in sentences if (s.kind == "impression") == impression and (impression or s.finding == finding)
        )
        chosen.append(alike.most_common(1)[0][0])
    return "\n".join(chosen)


def true_text(study: HeldOutStudy) -> str:
    """The true report as a radiologist would write it, one sentence per line."""
    return "\n".join(sentence.text.replace(" .", ".").replace(" ,", ",") for sentence in study.sentences)


def _by_prevalence(labels: Array, seed: int = 0) -> Array:
    drawn: Array = (np.random.default_rng(seed).random(labels.shape) < np.nanmean(labels, axis=0)).astype(float)
    return drawn


def _random_f1(labels: Array, chosen: Indices) -> float:
    there = labels[chosen]
    return float(np.mean([macro(f1, there, _by_prevalence(there, draw)) for draw in range(RANDOM_DRAWS)]))


def _false_findings(labels: Array, said: Array) -> Figure:
    """Findings stated in studies that have none."""
    normal = (np.nan_to_num(labels, nan=1.0) == 0).all(1)
    return mean_figure(said[normal].sum(1).tolist()) if normal.any() else NOT_MEASURED


def _identical(measured: Measured) -> Figure:
    """Share of studies with findings whose whole text is also that of another study."""
    texts = Counter(said.text for said in measured.said)
    ill = [index for index, labels in enumerate(measured.labels) if (labels > 0).any()]
    same = [float(texts[measured.said[index].text] > 1) for index in ill]
    return mean_figure(same, [measured.patients[index] for index in ill])


def _share_fixed(said: Said) -> float:
    """Share of the decoder's sentences that the agent replaced by its own."""
    spoken = [sentence for sentence in said.sentences if len(sentence.findings) == 1]
    return sum(sentence.fixed for sentence in spoken) / len(spoken)


def contradictions(said: Said) -> int:
    """Sentences that say of a finding what its score does not, or that name a place its attributes do not.

    Read by the extractor, which the agent does not have: a second opinion on what the agent lets pass.
    """
    presence = {finding.label.key: finding.presence for finding in said.findings}
    attributes = {finding.label.key: finding.attributes for finding in said.findings}
    wrong = 0
    for sentence in said.sentences:
        status = labels_of(sentence.text)
        other = any(status != _STATUS[presence[finding.value]] for finding, status in status.items())
        alone = len(sentence.findings) == 1
        wrong += other or (alone and contradicts(sentence.text, attributes[sentence.findings[0]]))
    return wrong


def word_figures(measured: Measured) -> dict[str, Any]:
    """Figures of words against the true report, each for the report, another patient's and the template."""
    from models.evaluation.words import word_measures

    truth = [true_text(study) for study in measured.studies]
    reports = [said.text for said in measured.said]
    texts: Mapping[str, list[str]] = {
        "report": reports,
        "shuffled": [*reports[-1:], *reports[:-1]],
        "blanked": [said.text for said in measured.blanked],
        "template": [template_text(measured)] * len(truth),
    }
    return {name: word_measures(candidates, truth) for name, candidates in texts.items()}
