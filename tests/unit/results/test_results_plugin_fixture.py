"""The OHIF plugin reads what is composed now, not what was composed once."""

import json

from plugin_fixture import FIXTURE, MEASURED_FIXTURE, measured_document, plugin_document


def test_the_plugin_is_tested_with_the_document_that_is_written() -> None:
    kept = json.loads(FIXTURE.read_text(encoding="utf-8"))
    assert kept == json.loads(json.dumps(plugin_document())), "run tests/unit/results/plugin_fixture.py"


def test_the_plugin_is_tested_with_the_measurements_that_are_written() -> None:
    kept = json.loads(MEASURED_FIXTURE.read_text(encoding="utf-8"))
    assert kept == json.loads(json.dumps(measured_document())), "run tests/unit/results/plugin_fixture.py"
