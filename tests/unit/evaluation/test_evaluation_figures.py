"""Figures of reports, attributes, amounts and baselines on studies made by hand."""

from types import SimpleNamespace

import numpy as np
import pytest
from held_out_study import NODULE, held_out

from models.evaluation.amounts import accuracy, area, true_classes
from models.evaluation.baselines import fit_logistic, pooled
from models.evaluation.described import attribute_figures
from models.evaluation.outcomes import Measured
from models.evaluation.questions import QUESTIONS
from models.evaluation.reports import contradictions, report_figures, template_text, true_text
from models.evaluation.words import word_measures
from models.phantoms.findings import FINDINGS, Finding
from pacs_agent.inference.attributes import Attributes
from pacs_agent.inference.reading import FindingReading, Presence, Sentence

PRESENT = "There is a small nodule in the left upper lobe."
ABSENT = "No pulmonary nodule."
SAID = Attributes(sides=("left",), lobes=("left upper lobe",), grade=0, count="one")


def said(present: bool, text: str, attributes: Attributes = SAID) -> SimpleNamespace:
    """What is said of a study: of the nodule as given, of all else nothing."""
    findings = [
        FindingReading.model_construct(
            label=SimpleNamespace(key=finding.value),
            probability=0.9 if present and finding == Finding.LUNG_NODULE else 0.1,
            presence=Presence.PRESENT if present and finding == Finding.LUNG_NODULE else Presence.ABSENT,
            attributes=attributes if finding == Finding.LUNG_NODULE else Attributes(),
        )
        for finding in FINDINGS
    ]
    sentence = Sentence(text=text, findings=("lung_nodule",), positive=present)
    probabilities = np.array([finding.probability for finding in findings])
    return SimpleNamespace(findings=findings, sentences=(sentence,), text=text, probabilities=probabilities)


def measured(ill: int = 6, well: int = 6) -> Measured:
    studies = [held_out(n) for n in range(ill)] + [held_out(n, ()) for n in range(ill, ill + well)]
    right = [said(bool(s.located.any()), PRESENT if s.located.any() else ABSENT) for s in studies]
    blanked = [said(False, ABSENT) for _ in studies]
    return Measured(tuple(studies), tuple(right), tuple(blanked), np.full(len(FINDINGS), 0.5))


def test_a_right_report_stands_far_above_its_controls():
    figures = report_figures(measured())
    assert figures["report_macro_f1"]["value"] == 1.0
    assert figures["report_macro_f1_blanked"]["value"] == 0.0
    assert figures["report_macro_f1_random"]["value"] < 0.8
    assert figures["false_findings_per_normal"]["value"] == 0.0
    assert figures["identical_reports"]["value"] == 1.0, "all nodule reports are worded alike"
    assert figures["contradictions"]["value"] == figures["sentences_fixed"]["value"] == 0.0


@pytest.mark.parametrize(
    ("present", "text", "wrong"),
    [
        (True, PRESENT, 0),
        (False, ABSENT, 0),
        (False, PRESENT, 1),
        (True, ABSENT, 1),
        (True, "There is a small nodule in the right upper lobe.", 1),
        (True, "There is a small nodule in the left upper lobe with consolidation.", 1),
    ],
)
def test_text_that_says_what_the_scores_do_not_is_a_contradiction(present, text, wrong):
    assert contradictions(said(present, text)) == wrong


def test_template_and_truth_are_written_as_reports_are():
    assert template_text(measured()) == "No emphysema ."
    assert true_text(held_out()) == "No emphysema."


def test_attributes_said_as_they_are():
    figures = attribute_figures(measured())
    assert {kind: row["accuracy"]["value"] for kind, row in figures.items()} == dict.fromkeys(figures, 1.0)
    assert figures["count"]["accuracy"]["n"] == 6


def test_words_of_the_same_and_of_another_text():
    truth = ["There is a small nodule in the left upper lobe.", "No effusion is seen on either side of the chest."]
    same, other = word_measures(truth, truth), word_measures(truth[::-1], truth)
    assert same["bleu_4"] == same["rouge_l"] == 1.0
    assert other["bleu_4"] < 0.2 and other["rouge_l"] < 0.5


def test_questions_are_asked_where_they_are_hard():
    small = QUESTIONS["small_nodule_against_vessel"]
    assert small.among(held_out()) and small.among(held_out(1, ()))
    assert not QUESTIONS["nodule_against_band"].among(held_out())
    assert not QUESTIONS["node_against_unenhanced_vessel"].among(held_out()), "it has contrast"


def test_classes_of_amounts():
    classes = true_classes(held_out(), "count")
    assert classes[NODULE] == 0 and (np.delete(classes, NODULE) == -1).all()
    truth = np.array([[0], [1], [2], [-1]])
    scores = np.eye(4, 3)[:, None, :]
    assert accuracy(truth, scores, [0]) == area(truth, scores, [0]) == 1.0


def test_regression_on_pools_learns_what_pools_can_tell():
    rng = np.random.default_rng(0)
    labels = np.full((80, len(FINDINGS)), np.nan)
    labels[:, NODULE] = np.arange(80) % 2
    tokens = [rng.normal(size=(9, 4)).astype(np.float32) for _ in range(80)]
    for study, label in zip(tokens, labels[:, NODULE], strict=True):
        study[4, 0] += 9.0 * label
    features = np.stack([pooled(study) for study in tokens])
    fitted = fit_logistic(features[:40], labels[:40], features[40:60], labels[40:60])
    scores = fitted.scores(features[60:])
    assert scores[1::2, NODULE].min() > scores[::2, NODULE].max()
    assert not np.delete(scores, NODULE, axis=1).any(), "a finding without examples is not guessed at"
    assert pooled(tokens[0]).shape == (16,)
