"""Where a setting comes from is told, also of whole sections, and secrets are never told."""

from pathlib import Path

import pytest

from pacs_agent.config import load_settings
from pacs_agent.ops.effective import effective_settings, versions


def test_file_and_environment_are_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "agent.yaml"
    file.write_text(
        "database_url: postgresql://agent:hidden@db/agent\n"
        "dimse: {port: 104, ae_title: FILE}\n"
        "web: {pacs: {url: https://pacs.example, token: hidden}}\n"
    )
    monkeypatch.setenv("PACS_AGENT_DIMSE__PORT", "4242")
    monkeypatch.setenv("PACS_AGENT_DELIVER", '{"attempts": 7}')
    found = {one.name: one for one in effective_settings(load_settings(file))}
    assert {name: found[name].source.value for name in ("dimse.port", "dimse.ae_title", "dimse.host")} == {
        "dimse.port": "environment",
        "dimse.ae_title": "agent.yaml",
        "dimse.host": "default",
    }
    assert (found["deliver.attempts"].value, found["deliver.attempts"].source) == ("7", "environment")
    assert (found["web.pacs.token"].value, found["web.pacs.token"].source) == ("set", "agent.yaml")
    assert "hidden" not in str(found)


def test_versions_name_the_agent_and_its_libraries() -> None:
    assert {"pacs-agent", "pydicom", "pynetdicom", "sqlalchemy"} <= versions().keys()
