"""The OHIF plugin reads what is composed now, not what was composed once."""

import json

from plugin_fixture import FIXTURE, plugin_document


def test_the_plugin_is_tested_with_the_document_that_is_written() -> None:
    kept = json.loads(FIXTURE.read_text(encoding="utf-8"))
    assert kept == json.loads(json.dumps(plugin_document())), "run tests/unit/results/plugin_fixture.py"
