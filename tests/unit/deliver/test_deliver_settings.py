"""Settings of destinations are checked before they are kept and again before they are used."""

from typing import Any

import pytest

from pacs_agent.config import Settings
from pacs_agent.db import Destination
from pacs_agent.deliver import KINDS, Refused, WrongSettings, check_settings, open_destination


@pytest.mark.parametrize(
    ("kind", "settings", "wrong"),
    [
        ("fax", {}, "fax"),
        ("dimse", {"host": "pacs", "port": 104}, "called_ae"),
        ("dimse", {"host": "pacs", "port": 70000, "called_ae": "PACS"}, "port"),
        ("dimse", {"host": "pacs", "port": 104, "called_ae": "A" * 17}, "called_ae"),
        ("dimse", {"host": "pacs", "port": 104, "called_ae": "PACS", "colour": "red"}, "colour"),
        ("stow", {"url": "ftp://pacs/dicom-web"}, "http"),
        ("stow", {"url": "file:///etc/passwd"}, "http"),
        ("stow", {"url": "https://me:secret@pacs/dicom-web"}, "password"),
        ("stow", {"url": "https://pacs/dicom-web?x=1"}, "query"),
        ("stow", {"url": "https://pacs", "password_env": "P"}, "user"),
        ("stow", {"url": "https://pacs", "token_env": "PACS_AGENT_WEB__TOKEN"}, "tells nobody"),
        ("stow", {"url": "https://pacs", "user": "me", "password_env": "P", "token_env": "T"}, "either"),
    ],
)
def test_wrong_settings_are_refused_by_name(kind: str, settings: dict[str, Any], wrong: str) -> None:
    with pytest.raises(WrongSettings, match=wrong):
        check_settings(kind, settings)


def test_settings_from_the_command_line_are_text() -> None:
    checked = check_settings("dimse", {"host": "pacs", "port": "104", "called_ae": "PACS", "query": "true"})
    assert checked == {"host": "pacs", "port": 104, "called_ae": "PACS", "confirm": "query"}


def test_the_old_word_for_confirming_by_query_is_read() -> None:
    address = {"host": "pacs", "port": 104, "called_ae": "PACS"}
    assert check_settings("dimse", {**address, "query": False}) == address
    assert check_settings("dimse", {**address, "query": True, "confirm": "commitment"})["confirm"] == "commitment"
    with pytest.raises(WrongSettings, match="bool"):
        check_settings("dimse", {**address, "query": "perhaps"})


def test_our_own_title_calls_unless_the_destination_says_otherwise() -> None:
    row = Destination(
        name="pacs", kind="dimse", settings={"host": "pacs", "port": 104, "called_ae": "PACS"}, enabled=True
    )
    settings = Settings(dimse={"ae_title": "READER"})  # type: ignore[arg-type]
    assert open_destination(row, settings).address.calling_ae == "READER"  # type: ignore[attr-defined]


def test_a_disabled_destination_refuses() -> None:
    row = Destination(name="pacs", kind="stow", settings={"url": "http://pacs"}, enabled=False)
    with pytest.raises(Refused, match="disabled"):
        open_destination(row, Settings())


def test_every_kind_has_its_settings() -> None:
    assert all(kind.settings_type.model_fields for kind in KINDS.values())
