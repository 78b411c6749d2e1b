"""Log lines hold no patient data, those of errors neither."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from pacs_agent.ops import get_log
from pacs_agent.ops.log import configure_log


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    before = structlog.get_config()
    yield
    structlog.configure(**before)


def test_an_error_is_told_by_its_kinds_and_places_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    configure_log(readable=False, keep_in=tmp_path, role="receive")
    name = "Doe^Jane"
    try:
        try:
            float(name)
        except ValueError as error:
            raise KeyError(name) from error
    except KeyError:
        get_log("receive").exception("an association ends by an error of ours")
    said = capsys.readouterr().err
    line = json.loads(said.splitlines()[0])
    assert line["exception"].index("builtins.ValueError") < line["exception"].index("builtins.KeyError")
    assert "test_ops_log.py" in line["exception"]
    [kept] = (tmp_path / "logs").glob("*.jsonl")
    assert name not in said + kept.read_text()
