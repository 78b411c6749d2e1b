"""What the demo shows of measurements, beside what its phantom has."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from models import phantoms
from pacs_agent.cli.demo_phantoms import volumes_ml
from pacs_agent.cli.demo_report import _print_measurements
from pacs_agent.inference import StudyReading

READING: dict[str, Any] = json.loads((Path(__file__).parents[1] / "console" / "reading.json").read_text())


def measured(structure: str, side: str, volume_ml: float, finding: str | None) -> dict[str, Any]:
    code = {"value": "39607008", "scheme": "SCT", "meaning": "Lung"}
    facts = {"structure": structure, "name": structure.capitalize(), "category": code, "type": code, "kind": "organ"}
    size = {"longest_diameter_mm": 1.0, "diameter_slice": 0, "short_diameter_mm": 1.0, "mean_hu": -3.6, "sd_hu": 1.0}
    size |= {"volume_ml": volume_ml, "diameter_ends_mm": [[0, 0, 0], [1, 0, 0]]}
    return {**facts, "finding": finding, "side": side, "number": 1, "segment_number": 1, "measured": size}


def shown(reading: dict[str, Any]) -> list[str]:
    out = Console(file=io.StringIO(), record=True, width=100)
    truth = {"volumes_ml": {"pleural_effusion": {"right": 181.2, "left": 0.0}}}
    _print_measurements(out, StudyReading.model_validate(reading), truth)
    return [" ".join(line.split()) for line in out.export_text().splitlines()]


def test_an_outlined_finding_stands_beside_what_the_phantom_has() -> None:
    regions = [
        measured("lung", "right", 2140.5, None),
        measured("effusion", "right", 170.4, "pleural_effusion"),
        measured("effusion", "right", 12.0, "pleural_effusion"),
    ]
    model = {**READING["bundle"], "name": "gtgm-thorax-demo", "version": "0.1.0"}
    lines = shown({**READING, "measurements": {"model": model, "regions": regions, "mask_digest": "00" * 32}})
    assert "Outlined and measured by gtgm-thorax-demo 0.1.0" in lines
    assert "Effusion, right 181 mL 170 mL -4 HU" in lines
    assert "Effusion, right 12 mL -4 HU" in lines
    assert "Lung, right 2140 mL -4 HU" in lines


def test_without_a_segmenter_nothing_is_said_of_it() -> None:
    assert shown(READING) == []


def test_the_truth_is_by_side() -> None:
    phantom = phantoms.generate(7, slices=24, size_px=64, findings=[phantoms.Finding.PLEURAL_EFFUSION])
    sides = volumes_ml(phantom)["pleural_effusion"]
    mask = phantom.masks[phantoms.Finding.PLEURAL_EFFUSION]
    voxel_ml = phantom.pixel_mm**2 * float(phantom.z_mm[1] - phantom.z_mm[0]) / 1000
    assert sum(sides.values()) == pytest.approx(float(mask.sum()) * voxel_ml, rel=1e-3)
    right = mask[:, :, : mask.shape[2] // 2].sum()
    assert (sides["right"] > sides["left"]) == (right > mask.sum() / 2)
