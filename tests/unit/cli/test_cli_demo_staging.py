"""What the demo shows of its second study: each item's level beside the truth, and the slices that it rests on."""

import io

import pytest
from rich.console import Console

from pacs_agent.cli.demo_staging import _print_distances, _print_items
from pacs_agent.imaging import order_series
from pacs_agent.inference import StudyReading
from tests.staged_reading import staged
from tests.unit.imaging.imaging_slices import headers
from tests.unit.inference.tiny_staging import pelvis

TRUE = {
    "Rectal tumour": "present",
    "Location": "upper",
    "Peritoneal involvement": "free",
    "T stage": "T3",
    "Involved circumferential resection margin": "involved",
    "Anal sphincter involvement": "internal",
    "Suspicious mesorectal lymph nodes": "not suspicious",
}


@pytest.fixture
def reading() -> StudyReading:
    series = order_series(headers(pelvis(sagittal=False)))
    rests_on = {"tumour": (0,), "location": (0,), "t_stage": (0,), "crm": (0,), "nodes": (0,)}
    return staged([series], rests_on, (0.0, 0.0, 0.0), ((0.0, 0.0, 0.0), (0.8, 0.0, 0.0)))


def lines_of(out: Console) -> list[str]:
    return [" ".join(line.split()) for line in out.export_text().splitlines()]


def test_items_stand_beside_the_truth(reading: StudyReading) -> None:
    out = Console(file=io.StringIO(), record=True, width=160)
    _print_items(out, reading, TRUE)
    lines = lines_of(out)
    for begin in (
        "Rectal tumour present ✓ present 0.98",
        "Location upper ✗ middle 0.91",
        "Peritoneal involvement free ✓ free 0.03",
        "T stage T3 ✓ T3 0.87",
        "Anal sphincter involvement internal ✗ absent 0.12",
        "Suspicious mesorectal lymph nodes not suspicious ? uncertain 0.52",
    ):
        assert any(line.startswith(begin) for line in lines), lines


def test_distances_stand_beside_the_truth(reading: StudyReading) -> None:
    out = Console(file=io.StringIO(), record=True, width=160)
    _print_distances(out, reading, {"fascia_mm": 1.4, "length_mm": 46.0})
    assert lines_of(out) == ["Distance to the mesorectal fascia: 1 mm, in the phantom 1 mm"]
