"""The card of a segmenter's bundle: what it outlines, what it learned from, how well it does, what it is not for."""

from pathlib import Path
from typing import Any

from models.gtgm.finetune.preset import SegmenterPreset

LABEL_EFFICIENCY = "label_efficiency.md"
"""File of the folder with the tables of `make evaluate-gtgm`, taken into the card where it is there."""
CREDIT = """The real scans are LIDC-IDRI-0001 (Armato et al., Med. Phys. 38(2), 2011; TCIA, CC BY 3.0): the part of the
chest without the patient's own mass, with generated effusions, nodules and masses in it."""


def write_card(folder: Path, preset: SegmenterPreset, figures: dict[str, Any]) -> Path:
    """Writes MODEL_CARD.md."""
    path = folder / "MODEL_CARD.md"
    path.write_text("\n".join(_lines(folder, preset, figures)) + "\n", encoding="utf-8")
    return path


def _lines(folder: Path, preset: SegmenterPreset, figures: dict[str, Any]) -> list[str]:
    grid = " × ".join(f"{step:g}" for step in preset.spacing_mm)
    tables = folder / LABEL_EFFICIENCY
    return [
        f"# {preset.name} {preset.version}",
        "",
        f"Outlines in axial chest CT: {_names(figures['structures'])}. For demonstrations and tests of software.",
        "**Not for clinical use**: its lesions were made by a computer, and no figure here says how it does on",
        "patients.",
        "",
        "## Network",
        "",
        f"Residual U-Net of MONAI blocks, {figures['parameters'] / 1e6:.1f} million parameters, on a grid of {grid}",
        f"mm. Its encoder started from: {figures['encoder_from']}. Trained for {figures['steps']} steps with Dice and",
        f"cross entropy, seed {figures['seed']}.",
        "",
        "## Learned from",
        "",
        figures["learned_from"],
        *(("", CREDIT) if preset.data.implanted else ()),
        "",
        "## How well it outlines phantoms it has not seen",
        "",
        f"{figures['test_phantoms']} phantoms, outlined as in use: parts that are too small are left out. Means with",
        "95 % intervals, bootstrap over the phantoms that have the structure; HD95 only where it was found. The last",
        "column counts the phantoms without it in which it was seen.",
        "",
        "| structure | Dice | HD95 (mm) | missed | seen where it is not |",
        "|---|---|---|---|---|",
        *map(_row, figures["structures"].values()),
        "",
        *(_counted(one) for one in figures["structures"].values() if "lesions" in one),
        *_left_out(figures["left_out"]),
        "",
        "Phantoms are easier than patients. Measured volumes carry the error of a 3 mm grid.",
        *(("", tables.read_text(encoding="utf-8").rstrip()) if tables.is_file() else ()),
    ]


def _left_out(figures: dict[str, Any]) -> list[str]:
    """Which structures the network knows and the bundle does not outline, and what they would be worth."""
    if not figures:
        return []
    return [
        "",
        "## Left out",
        "",
        f"The network has learned more than the bundle outlines: **no {_names(figures, ', no ')}**. On the same",
        "phantoms it does not do that well enough to be shown:",
        "",
        "| structure | Dice | HD95 (mm) | missed | seen where it is not |",
        "|---|---|---|---|---|",
        *map(_row, figures.values()),
        "",
        *(_counted(one) for one in figures.values() if "lesions" in one),
        "",
        "What it takes for that is background to the bundle; a nodule is a hole in the lung.",
    ]


def _names(figures: dict[str, Any], between: str = ", ") -> str:
    return between.join(one["name"].lower() for one in figures.values())


def _row(figures: dict[str, Any]) -> str:
    seen = f"{figures['seen_without']} of {figures['phantoms_without']}"
    measured = f"{_figure(figures['dice'])} | {_figure(figures['hd95_mm'])}"
    return f"| {figures['name']} | {measured} | {figures['missed']} | {seen} |"


def _counted(figures: dict[str, Any]) -> str:
    lesions = figures["lesions"]
    false = _figure(lesions["false_per_phantom"])
    return f"- {figures['name']}: {lesions['found']} of {lesions['there']} found; false ones a phantom: {false}"


def _figure(figure: dict[str, Any]) -> str:
    if figure["value"] is None:
        return "not there"
    low, high = (figure[end] for end in ("low", "high"))
    return (
        f"{figure['value']:.3f} ({low:.3f} to {high:.3f}), n {figure['n']}"
        if low is not None
        else f"{figure['value']:.3f}"
    )
