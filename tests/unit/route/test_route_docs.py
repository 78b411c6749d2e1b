"""docs/routing.md says what the rules do."""

import re
from pathlib import Path

import pytest

from pacs_agent.route import RuleBook
from pacs_agent.route.conditions import _KINDS
from pacs_agent.route.rules import Rule

TEXT = (Path(__file__).parents[3] / "docs" / "routing.md").read_text()
EXAMPLE = re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)[0]


def test_the_example_is_a_rule_book_that_decides_as_it_reads() -> None:
    book = RuleBook.parse(EXAMPLE)
    thin = {"Modality": ("CT",), "SeriesDescription": ("Lung 1.0",), "SliceThickness": (1.0, 5.0)}
    assert [rule.name for rule in book.decide(thin).matched] == ["chest CT in thin slices"]
    assert book.decide({**thin, "StudyDescription": ("CT guided Biopsy",)}).ignored
    assert book.decide({"StationName": ("RESEARCH1",)}).ignored, "that rule is disabled"


@pytest.mark.parametrize("field", [field.alias or name for name, field in Rule.model_fields.items()])
def test_every_field_of_a_rule_is_documented(field: str) -> None:
    assert f"| `{field}` |" in TEXT


@pytest.mark.parametrize("kind", _KINDS)
def test_every_condition_is_documented(kind: str) -> None:
    assert re.search(rf"\| .*`{kind}: ", TEXT)
