"""Writes MODEL_CARD.md from the preset and the measured figures; no figure in it is typed by hand."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from models.datasets.real_ct import cases_there
from models.evaluation.grounding import grounded
from models.evaluation.tables import (
    GOALS,
    ablations_table,
    controls_table,
    evidence_table,
    find,
    findings_table,
    goals_table,
    questions_table,
    scans_table,
    value,
    words_table,
)
from models.msvlm.labels import LABELS
from models.msvlm.preset import Preset

Figures = Mapping[str, Any]
WARNING = "**Learned from computer-made phantoms only. Not for clinical use.**"
NO_TRANSFER = (
    "Skill on phantoms says nothing about patients unless it is shown there; the figures on implanted lesions and the",
    "real cases below are the only steps in that direction, and both are small.",
)
ATTRIBUTION = (
    "Real scans: LIDC-IDRI (Armato et al., Med. Phys. 38(2), 2011; TCIA, CC BY 3.0), RIDER (TCIA, CC BY 4.0), a CTA of",
    "TotalSegmentator's test data (Wasserthal et al., Radiology AI 2023, Apache-2.0). De-identified, open licences.",
)


def card_text(preset: Preset, figures: Figures, pictures: Mapping[str, str]) -> str:
    """The card in Markdown; `pictures` are paths of plots beside it, by title."""
    n = figures["macro_auroc"]["n"]
    lines = [
        f"# {preset.name} {preset.version}",
        *("", WARNING, ""),
        *("## What it is", *_what_it_is(), ""),
        *("## Training data", *_training(preset), ""),
        *("## Network", *_network(preset), ""),
        f"## Figures on {n} unseen phantoms",
        *("", "Intervals: 95 %, bootstrap over patients.", *NO_TRANSFER, "", _grounding(figures), ""),
        *controls_table(figures),
        *("### Goals", "", *goals_table(figures), *_fallen_short(figures), ""),
        *("### Findings", "", *findings_table(figures)),
        *("### What one slice cannot tell", "", *questions_table(figures)),
        *("### Evidence", "", _shipped(figures), "", *evidence_table(figures)),
        *("### Words", "", *words_table(figures)),
        *("### Other slice distances and precisions", "", *scans_table(figures)),
        *("### Ablations", "", *(ablations_table(figures) or ["Not run for this bundle.", ""])),
        *("## Pictures", "", *(f"![{title}]({path})" for title, path in pictures.items()), ""),
        *("## Real cases", *_cases(figures["real_cases"]), ""),
        *("## Limits", *_limits(), "", WARNING, ""),
    ]
    return "\n".join(lines)


def _what_it_is() -> list[str]:
    return [
        "MS-VLM for chest CT in small (after arXiv 2412.13558): each axial slice becomes a token, a Z-former relates",
        "the slices by their z in mm, heads score 18 findings with side, lobe, grade and count, and a small decoder",
        f"words one sentence per finding that its score licenses. For demonstration and software tests. {WARNING}",
    ]


def _training(preset: Preset) -> list[str]:
    data = preset.data
    lines = [
        f"Phantoms of `models.phantoms` at {data.phantom_px} px: {data.encoder_phantoms} for the slice encoder",
        f"({data.encoder_slices} slices of each), {data.reader_phantoms} whole ones for reader and decoder,",
        f"{data.validation_phantoms} for calibration and operating points. Seed {preset.seed}, one run.",
        "No human-written report was used; the generator's masks do most of the teaching.",
    ]
    if data.implanted and cases_there():
        lines += [
            f"Lesions implanted into the real CTs of other patients: {data.encoder_implants} studies for the encoder,",
            f"{data.reader_implants} for the reader. Real slices were also seen without labels.",
            *ATTRIBUTION,
        ]
    return lines


def _network(preset: Preset) -> list[str]:
    network, (rows, columns) = preset.network, preset.network.patch_grid
    return [
        f"Field {network.field_px[0]} × {network.field_px[1]} px of {network.pixel_mm} mm about the body's centre.",
        f"Windows in HU: {', '.join(f'{low:.0f} to {high:.0f}' for low, high in network.windows_hu)}.",
        f"Token width {network.token_width}, patch grid {rows} × {columns}, {network.visual_tokens} visual tokens.",
        "Pre-processing (HU, crop, antialiased resampling, windows) is part of `slice_encoder.onnx`.",
    ]


def _grounding(figures: Figures) -> str:
    verdict = grounded(figures)
    if not verdict.reasons:
        return "The figures of the text fall when the image is another's or blank: the model reads the image."
    return f"**The model does not read the image: {'; '.join(verdict.reasons)}. It must not be activated.**"


def _fallen_short(figures: Figures) -> list[str]:
    measured = [(goal, value(find(figures, goal.path))) for goal in GOALS]
    short = [
        goal.title
        for goal, number in measured
        if number is not None and (number < goal.wanted if goal.at_least else number > goal.wanted)
    ]
    missing = [goal.title for goal, number in measured if number is None]
    lines = [f"Not reached: {'; '.join(short)}." if short else "Every goal that was measured was reached."]
    return lines + ([f"Not measured: {'; '.join(missing)}."] if missing else [])


def _shipped(figures: Figures) -> str:
    best = figures["evidence_method"]
    return f"The bundle shows its evidence by `{best}`: of the methods measured here the best, or as good and cheaper."


def _cases(cases: Mapping[str, Any]) -> list[str]:
    intro = [
        "What the model says of single open-licence CTs. Case studies; they measure nothing, and a model that has seen",
        "only phantoms is expected to be wrong on them.",
        "",
    ]
    lines = [line for name, case in cases.items() for line in _case(name, case)]
    return [*intro, *(lines or ["None were at hand when this card was written."])]


def _case(name: str, case: Mapping[str, Any]) -> list[str]:
    names = {label.key.value: label.name.lower() for label in LABELS}
    expected = ", ".join(f"{names[key]} {case['probabilities'][key]:.2f}" for key in case["expected"])
    seen = " The scan (not its findings) was seen in training." if case["scan_seen_in_training"] else ""
    extra = ", ".join(names[key] for key in case["not_known_to_be_there"]) or "none"
    missed = ", ".join(names[key] for key in case["missed"]) or "none"
    return [
        f"- **{name}** (n = 1; {case['known']}).{seen}",
        f"  Probability of what is known: {expected}. Missed: {missed}. Called and not known to be there: {extra}.",
        *(f"  {_outlined(names[key], row)}" for key, row in case["evidence"].items()),
        f"  Text: “{' '.join(case['report'])}”",
    ]


def _outlined(name: str, row: Mapping[str, Any]) -> str:
    shown = ", ".join(str(index + 1) for index in row["slices"]) or "none"
    text = f"Evidence for {name}: slices {shown} of {row['of']}"
    if "outlined_slices" not in row:
        return f"{text}."
    first, last = (index + 1 for index in row["outlined_slices"])
    hits = f"{row['slices_on_outline']} of {len(row['slices'])} lie there"
    return f"{text}; readers outlined it on {first} to {last}, {hits}."


def _limits() -> list[str]:
    return [
        "Adult thorax, axial CT only. Eighteen findings; all else is invisible to it. Words for size, side, lobe",
        "and count come from the phantoms' own rules. One training run, one seed. Shapes, textures and prevalences are",
        "the generator's; how findings occur together in patients is not in it.",
    ]


def write_card(folder: Path, preset: Preset, figures: Figures, pictures: Mapping[str, str]) -> None:
    """Writes MODEL_CARD.md into a bundle."""
    (folder / "MODEL_CARD.md").write_text(card_text(preset, figures, pictures), encoding="utf-8")
