"""The OHIF plugin reads what is composed now, not what was composed once."""

import json

import pytest
from plugin_fixture import (
    COMPARED_FIXTURE,
    FIXTURE,
    MEASURED_FIXTURE,
    STAGED_FIXTURE,
    compared_document,
    measured_document,
    plugin_document,
    staged_document,
)

from pacs_agent.inference.reading import Obstacle
from pacs_agent.results import comparison


def test_the_plugin_is_tested_with_the_document_that_is_written() -> None:
    kept = json.loads(FIXTURE.read_text(encoding="utf-8"))
    assert kept == json.loads(json.dumps(plugin_document())), "run tests/unit/results/plugin_fixture.py"


def test_the_plugin_is_tested_with_the_staging_of_several_series_that_is_written() -> None:
    kept = json.loads(STAGED_FIXTURE.read_text(encoding="utf-8"))
    assert kept == json.loads(json.dumps(staged_document())), "run tests/unit/results/plugin_fixture.py"


def test_the_plugin_is_tested_with_the_measurements_that_are_written() -> None:
    kept = json.loads(MEASURED_FIXTURE.read_text(encoding="utf-8"))
    assert kept == json.loads(json.dumps(measured_document())), "run tests/unit/results/plugin_fixture.py"


def test_the_plugin_is_tested_with_the_comparison_that_is_written() -> None:
    kept = json.loads(COMPARED_FIXTURE.read_text(encoding="utf-8"))
    assert kept == json.loads(json.dumps(compared_document())), "run tests/unit/results/plugin_fixture.py"


@pytest.mark.parametrize("obstacle", Obstacle)
def test_the_plugin_knows_each_obstacle_by_the_words_that_are_written(obstacle: Obstacle) -> None:
    changes = FIXTURE.parents[1] / "changes.ts"
    assert f"['{comparison._OBSTACLES[obstacle]}', '{obstacle}']" in changes.read_text(encoding="utf-8")
