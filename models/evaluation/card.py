"""Writes MODEL_CARD.md from the preset and the measured figures; nothing in it is typed by hand twice."""

from pathlib import Path
from typing import Any

from models.msvlm.labels import LABELS
from models.msvlm.preset import Preset

WARNING = "**Learned from computer-made phantoms only. Not for clinical use.**"

CONTROLS = (
    ("Report macro-F1 (labels read back from the text)", "report_macro_f1"),
    ("– control: report of another patient (shuffled)", "report_macro_f1_shuffled"),
    ("– control: tokens without content (blanked)", "report_macro_f1_blanked"),
    ("– control: statements drawn by prevalence (random)", "report_macro_f1_random"),
    ("Finding macro-AUROC", "macro_auroc"),
    ("Finding worst AUROC", "worst_auroc"),
    ("– baseline: mean of the three highest slice logits, macro-AUROC", "pooled_baseline_auroc"),
    ("– baseline: sub-volume encoder, macro-AUROC", "subvolume_baseline_auroc"),
    ("Finding macro-F1 at the operating points", "macro_f1"),
    ("Calibration error (ECE)", "ece"),
    ("Slice evidence: heaviest slice shows the finding", "evidence_pointing"),
    ("Slice evidence: AUPRC over slices", "evidence_auprc"),
    ("– control: AUPRC of random slices", "evidence_random_auprc"),
    ("Right side in rightly stated sided findings", "side_accuracy"),
    ("False findings per normal phantom", "false_findings_per_normal"),
    ("Share of reports identical to that of a phantom with other findings", "identical_reports"),
)


def _figure_row(title: str, figure: dict[str, Any]) -> str:
    if figure["value"] is None:
        return f"| {title} | not measured | – | – |"
    return f"| {title} | {figure['value']:.3f} | {figure['low']:.3f} to {figure['high']:.3f} | {figure['n']} |"


def _finding_row(name: str, code: str, row: dict[str, Any]) -> str:
    return (
        f"| {name} | {code} | {row['auroc']:.3f} | {row['pooled_auroc']:.3f} | {row['f1']:.3f} | {row['positives']} |"
    )


def _case(name: str, case: dict[str, Any]) -> list[str]:
    high = {key: p for key, p in case["probabilities"].items() if p >= 0.2}
    said = ", ".join(f"{key} {p:.2f}" for key, p in sorted(high.items(), key=lambda item: -item[1])) or "none"
    sentences = " ".join(case["report"])
    return [
        f"- **{name}** (n = 1; known: {case['known']}). Probabilities of 0.2 and above: {said}.",
        f"  Text: “{sentences}”",
    ]


def _case_lines(cases: dict[str, Any]) -> list[str]:
    lines = [line for name, case in cases.items() for line in _case(name, case)]
    return lines or ["None were at hand when this card was written."]


def _training(preset: Preset) -> list[str]:
    amounts = preset.data
    return [
        "## Training data",
        f"Phantoms of `models.phantoms` at {amounts.phantom_px} px: {amounts.encoder_phantoms} for the slice encoder",
        f"({amounts.encoder_slices} slices of each), {amounts.reader_phantoms} whole ones for the reader, both for the",
        f"decoder, {amounts.validation_phantoms} for calibration and operating points. Seed {preset.seed}, one run.",
        "No patient image and no human-written report was used; the generator's masks do most of the teaching.",
        "",
    ]


def _network(preset: Preset) -> list[str]:
    network, grid = preset.network, preset.network.patch_grid
    return [
        "## Network",
        f"Field {network.field_px} px of {network.pixel_mm} mm about the body's centre.",
        f"Windows in HU: {', '.join(f'{low:.0f} to {high:.0f}' for low, high in network.windows_hu)}.",
        f"Token width {network.token_width}, patch grid {grid} × {grid}, {network.visual_tokens} visual tokens.",
        "Pre-processing (HU, crop, antialiased resampling, windows) is part of `slice_encoder.onnx`.",
        "",
    ]


def _findings(figures: dict[str, Any]) -> list[str]:
    rows = figures["per_finding"]
    return [
        "| finding | code | AUROC | AUROC of pooled slice logits | F1 | positives |",
        "|---|---|---|---|---|---|",
        *(
            _finding_row(label.name, f"{label.code.value} {label.code.scheme}", rows[label.key.value])
            for label in LABELS
        ),
        "",
    ]


def card_text(preset: Preset, figures: dict[str, Any]) -> str:
    """The card in Markdown."""
    lines = [
        f"# {preset.name} {preset.version}",
        "",
        WARNING,
        "",
        "## What it is",
        "MS-VLM for chest CT in small: each axial slice becomes a token, a Z-former relates the slices by their z in",
        "mm, attention heads score the findings, and a small decoder writes one sentence per finding.",
        f"For demonstration and software tests. {WARNING}",
        "",
        *_training(preset),
        *_network(preset),
        f"## Figures on {figures['macro_auroc']['n']} unseen phantoms",
        f"{WARNING} Such figures say that simple phantoms are easy; they say nothing about patients.",
        "",
        "| figure | value | 95 % interval | n |",
        "|---|---|---|---|",
        *(_figure_row(title, figures[key]) for title, key in CONTROLS),
        "",
        *_findings(figures),
        "## Real cases",
        "What the model says of single open-licence CTs. Case studies without reference labels; they measure nothing,",
        "and a model that has seen only phantoms is expected to be wrong on them.",
        "",
        *_case_lines(figures["real_cases"]),
        "",
        "## Limits",
        "Adult thorax, axial CT only. Ten findings; everything else is invisible to it. Words for size, lobe and grade",
        "come from the phantoms' own rules. One training run, one seed; no comparison with other encoders yet.",
        WARNING,
        "",
    ]
    return "\n".join(lines)


def write_card(folder: Path, preset: Preset, figures: dict[str, Any]) -> None:
    """Writes MODEL_CARD.md into a bundle."""
    (folder / "MODEL_CARD.md").write_text(card_text(preset, figures))
