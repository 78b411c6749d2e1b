"""evaluation.md: every figure in tables, with its controls beside it and the goals it is held against."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from models.msvlm.labels import LABELS

Figures = Mapping[str, Any]
NAMES = {label.key.value: label.name for label in LABELS}


@dataclass(frozen=True)
class Goal:
    """A figure by its path in evaluation.json, what is wanted of it, and whether high is good."""

    title: str
    path: str
    wanted: float
    at_least: bool = True


GOALS = (
    Goal("macro AUROC of the findings, phantoms", "macro_auroc", 0.96),
    Goal("worst finding's AUROC, phantoms", "worst_auroc", 0.90),
    Goal("macro AUROC, lesions implanted into real CTs", "implants.macro_auroc", 0.88),
    Goal("worst finding's AUROC, implanted", "implants.worst_auroc", 0.75),
    Goal("gain of the reader over the strongest three slices", "baselines.top_three_slices.gain_of_reader", 0.0),
    Goal("gain of the reader over pooled regression", "baselines.pooled_regression.gain_of_reader", 0.0),
    Goal("gain: small nodule against vessel", "questions.small_nodule_against_vessel.gain", 0.03),
    Goal("gain: nodule against fibrotic band", "questions.nodule_against_band.gain", 0.03),
    Goal("gain: nodule against node", "questions.nodule_against_node.gain", 0.03),
    Goal("gain: node against unenhanced vessel", "questions.node_against_unenhanced_vessel.gain", 0.03),
    Goal("gain: count (AUROC)", "amounts.count.gain", 0.03),
    Goal("gain: extent (AUROC)", "amounts.grade.gain", 0.03),
    Goal("macro F1 of the text's findings", "report_macro_f1", 0.88),
    Goal("heads' F1 minus the text's", "heads_f1_minus_report_f1", 0.03, at_least=False),
    Goal("slices minus sub-volumes at equal compute, AUROC of small findings", "slices_minus_slabs.small_auroc", 0.0),
    Goal("slices minus sub-volumes at equal compute, macro F1", "slices_minus_slabs.macro_f1", 0.0),
    Goal("evidence: pointing", "evidence_pointing", 0.93),
    Goal("evidence: AUPRC over slices", "evidence_auprc", 0.92),
    Goal("evidence: in-slice pointing", "evidence_in_slice_pointing", 0.85),
    Goal("false findings per normal study", "false_findings_per_normal", 0.3, at_least=False),
    Goal("identical reports", "identical_reports", 0.02, at_least=False),
    Goal("contradictions of text and scores", "contradictions", 0.0, at_least=False),
    Goal("expected calibration error", "ece", 0.05, at_least=False),
    Goal("AUROC lost at 1 mm", "slice_distance.1_mm.loss", 0.03, at_least=False),
    Goal("AUROC lost at 5 mm", "slice_distance.5_mm.loss", 0.03, at_least=False),
)

CONTROLS = (
    ("Report macro-F1 (labels read back from the text)", "report_macro_f1"),
    ("– control: report of another patient (shuffled)", "report_macro_f1_shuffled"),
    ("– control: tokens without content (blanked)", "report_macro_f1_blanked"),
    ("– control: statements drawn by prevalence (random)", "report_macro_f1_random"),
    ("– control: most frequent sentences (template)", "report_macro_f1_template"),
    ("Finding macro-AUROC", "macro_auroc"),
    ("Finding worst AUROC", "worst_auroc"),
    ("Finding macro-AUPRC", "macro_auprc"),
    ("– baseline: mean of the three highest slice logits, macro-AUROC", "pooled_baseline_auroc"),
    ("– baseline: logistic regression on pooled tokens, macro-AUROC", "baselines.pooled_regression.macro_auroc"),
    ("– baseline: sub-volume encoder, macro-AUROC", "subvolume_baseline_auroc"),
    ("– baseline: Astra 3D encoder, macro-AUROC", "astra.macro_auroc"),
    ("Finding macro-F1 at the operating points", "macro_f1"),
    ("Calibration error (ECE)", "ece"),
    ("Slice evidence: heaviest slice shows the finding", "evidence_pointing"),
    ("– control: random slice", "evidence.random.pointing"),
    ("Slice evidence: AUPRC over slices", "evidence_auprc"),
    ("– control: AUPRC of random slices", "evidence_random_auprc"),
    ("In-slice heat: strongest patch of that slice on the finding", "evidence_in_slice_pointing"),
    ("– control: random slice and patch", "evidence.random.in_slice_pointing"),
    ("False findings per normal phantom", "false_findings_per_normal"),
    ("– control: statements drawn by prevalence", "false_findings_per_normal_random"),
    ("Share of studies whose report is also another's", "identical_reports"),
    ("Sentences replaced by the agent's own words, share", "sentences_fixed"),
    ("Contradictions of text and scores per study", "contradictions"),
    ("Implanted into real CTs: macro-AUROC", "implants.macro_auroc"),
    ("Implanted into real CTs: worst AUROC", "implants.worst_auroc"),
    ("Sides as they are", "attributes.sides.accuracy"),
    ("– control: the most frequent", "attributes.sides.most_frequent"),
    ("Lobes said that are true", "attributes.lobes.named_right"),
    ("Lobes exactly as they are", "attributes.lobes.accuracy"),
    ("– control: the most frequent", "attributes.lobes.most_frequent"),
    ("Grade as it is", "attributes.grade.accuracy"),
    ("– control: the most frequent", "attributes.grade.most_frequent"),
    ("Count as it is", "attributes.count.accuracy"),
    ("– control: the most frequent", "attributes.count.most_frequent"),
)


def find(figures: Figures, path: str) -> Any:
    """A figure by its path, keys joined by dots; None where it was not measured."""
    found: Any = figures
    for key in path.split("."):
        found = found.get(key) if isinstance(found, Mapping) else None
    return found


def value(figure: Any) -> float | None:
    """The value of a figure, or a plain number."""
    if isinstance(figure, Mapping):
        return figure.get("value")
    return figure if isinstance(figure, int | float) else None


def shown(figure: Any) -> str:
    """A figure with its interval, for a table."""
    number = value(figure)
    if number is None:
        return "not measured"
    if isinstance(figure, Mapping) and figure.get("low") is not None:
        return f"{number:.3f} ({figure['low']:.3f} to {figure['high']:.3f})"
    return f"{number:.3f}"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """A Markdown table."""
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return [*lines, *("| " + " | ".join(row) + " |" for row in rows), ""]


def controls_table(figures: Figures) -> list[str]:
    """The figures, each beside its controls."""
    rows = ((title, find(figures, path)) for title, path in CONTROLS)
    cells = ((title, shown(found), str(found["n"] if isinstance(found, Mapping) else "–")) for title, found in rows)
    return table(("figure", "value (95 % interval)", "n"), cells)


def goals_table(figures: Figures) -> list[str]:
    """The goals and how far they were reached."""
    return table(("goal", "wanted", "measured", "reached"), (_goal_row(goal, figures) for goal in GOALS))


def _goal_row(goal: Goal, figures: Figures) -> tuple[str, str, str, str]:
    found = find(figures, goal.path)
    number = value(found)
    wanted = f"{'≥' if goal.at_least else '≤'} {goal.wanted:g}"
    if number is None:
        return goal.title, wanted, "not measured", "–"
    reached = number >= goal.wanted if goal.at_least else number <= goal.wanted
    return goal.title, wanted, shown(found), "yes" if reached else "**no**"


def findings_table(figures: Figures) -> list[str]:
    """One row per finding."""
    head = ("finding", "AUROC", "three slices", "regression", "AUPRC", "F1", "text: precision", "recall", "F1", "MCC")
    rows = (_finding_row(NAMES[key], row) for key, row in figures["per_finding"].items())
    return table((*head, "evidence: pointing", "AUPRC", "in slice", "positives"), rows)


def _finding_row(name: str, row: Figures) -> list[str]:
    numbers = [
        *(row["baseline_auroc"].get(key) for key in ("top_three_slices", "pooled_regression")),
        *(row["auprc"], row["f1"]),
        *(row["report"][key] for key in ("precision", "recall", "f1", "mcc")),
        *(row.get("evidence", {}).get(key) for key in ("pointing", "auprc", "in_slice_pointing")),
    ]
    return [name, shown(row["auroc"]), *(_plain(number) for number in numbers), str(row["positives"])]


def _plain(number: float | None) -> str:
    return "–" if number is None else f"{number:.3f}"


def questions_table(figures: Figures) -> list[str]:
    """What the relation between slices answers."""
    kinds = ("reader", "top_three_slices", "pooled_regression", "gain")
    rows = [
        [name.replace("_", " "), *(shown(row.get(kind)) for kind in kinds)]
        for name, row in figures["questions"].items()
    ]
    rows += [_amount_row(kind, row) for kind, row in figures["amounts"].items()]
    return table(("AUROC among the hard cases", "reader", "three slices", "regression", "gain over the best"), rows)


def _amount_row(kind: str, row: Figures) -> list[str]:
    area, title = row["auroc"], f"{kind} ({len(row['findings'])} findings)"
    return [title, shown(area["reader"]), "–", shown(area["pooled_regression"]), shown(row["gain"])]


def evidence_table(figures: Figures) -> list[str]:
    """The evidence methods beside a random order."""
    kinds = ("pointing", "auprc", "in_slice_pointing", "deletion_auc", "insertion_auc")
    correlation = figures["evidence"]["randomised_weights_correlation"]
    methods = {**figures["evidence"]["methods"], "random": figures["evidence"]["random"]}
    rows = (
        [name, *(shown(row.get(kind)) for kind in kinds), shown(correlation.get(name))] for name, row in methods.items()
    )
    head = ("method", "pointing", "AUPRC", "in slice", "deletion (low is good)", "insertion (high is good)")
    lines = table((*head, "correlation with a reader of random weights"), rows)
    untrained = shown(figures["evidence"].get("random_network_correlation"))
    return [
        *lines,
        f"Rank correlation of slice weights with those of a wholly random network, encoder included: {untrained}.",
        "Evidence that a random reader gives as well comes from the slice encoder, not from what the reader learned.",
        "",
    ]


def words_table(figures: Figures) -> list[str]:
    """Words of the report against the true report, beside the controls."""
    kinds = ("bleu_1", "bleu_2", "bleu_3", "bleu_4", "rouge_l", "meteor", "cider")
    rows = ([name, *(_plain(row[kind]) for kind in kinds)] for name, row in figures["words"].items())
    return table(("text", "BLEU-1", "BLEU-2", "BLEU-3", "BLEU-4", "ROUGE-L", "METEOR", "CIDEr"), rows)


def scans_table(figures: Figures) -> list[str]:
    """Other slice distances and precisions."""
    rows = [_distance_row(name, row) for name, row in figures["slice_distance"].items()]
    rows += [_variant_row(name, row) for name, row in figures["variants"].items()]
    return table(("scan or precision", "macro AUROC", "loss", "largest loss of a finding"), rows)


def _distance_row(name: str, row: Figures) -> list[str]:
    title = f"slices of {name.replace('_', ' ')} (median {row['slices']:.0f} slices)"
    return [title, shown(row["macro_auroc"]), shown(row["loss"]), "–"]


def _variant_row(name: str, row: Figures) -> list[str]:
    losses = (_plain(row[key]) for key in ("macro_auroc_loss", "worst_auroc_loss"))
    return [f"slice encoder in {name}", shown(row["macro_auroc"]), *losses]


def ablations_table(figures: Figures) -> list[str]:
    """The ablations, where they were run: what is scored, then the decoders."""
    scored = {name: row for name, row in figures["ablations"].items() if "macro_auroc" in row}
    decoders = {name: row for name, row in figures["ablations"].items() if "unlicensed_sentences" in row}
    head = ("ablation", "level", *(title for title, _ in ABLATED))
    lines = table(head, ([name, row["level"], *_cells(row, ABLATED)] for name, row in scored.items())) if scored else []
    if decoders:
        rows = ([name, *_cells(row, DECODED)] for name, row in decoders.items())
        lines += table(("decoder", *(title for title, _ in DECODED)), rows)
    return lines


ABLATED = (
    ("macro AUROC", "macro_auroc"),
    ("change", "change"),
    ("worst AUROC", "worst_auroc"),
    ("small findings", "small_auroc"),
    ("macro F1", "macro_f1"),
)
DECODED = (
    ("training loss", "training_loss"),
    ("unlicensed sentences", "unlicensed_sentences"),
    ("endless sentences", "endless_sentences"),
    ("learned parameters", "learned_parameters"),
)


def _cells(row: Figures, columns: Sequence[tuple[str, str]]) -> list[str]:
    found = (row.get(key) for _, key in columns)
    return [f"{one:,}" if isinstance(one, int) else "–" if one is None else shown(one) for one in found]


SECTIONS: tuple[tuple[str, Callable[[Figures], list[str]]], ...] = (
    ("Goals", goals_table),
    ("Figures and controls", controls_table),
    ("Findings", findings_table),
    ("What one slice cannot tell", questions_table),
    ("Evidence", evidence_table),
    ("Words", words_table),
    ("Other scans and precisions", scans_table),
    ("Ablations", ablations_table),
)


def tables(figures: Figures) -> str:
    """evaluation.md."""
    lines = [
        "# Evaluation",
        "",
        f"{figures['data']} Commit {figures['commit']}. Intervals: patient-level bootstrap.",
        "",
    ]
    for title, make in SECTIONS:
        lines += [f"## {title}", "", *(make(figures) or ["Not run.", ""])]
    return "\n".join(lines)
