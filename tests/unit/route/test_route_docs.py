"""docs/routing.md says what the rules do."""

import re
from enum import StrEnum
from pathlib import Path
from typing import get_args

import pytest

from pacs_agent.route import RuleBook
from pacs_agent.route.conditions import _KINDS
from pacs_agent.route.corrections import Said, SeriesCorrection
from pacs_agent.route.rules import Rule
from pacs_agent.route.stacks import WantedStack

TEXT = (Path(__file__).parents[3] / "docs" / "routing.md").read_text()
EXAMPLES = re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)
EXAMPLE = EXAMPLES[0]


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


@pytest.mark.parametrize("example", EXAMPLES)
def test_every_example_is_a_rule_book(example: str) -> None:
    RuleBook.parse(example)


def test_the_example_of_corrections_is_about_the_images_that_it_names() -> None:
    [book] = [RuleBook.parse(example) for example in EXAMPLES if "corrections:" in example]
    image = {"SeriesDescription": ("Ax FRFSE",), "StationName": ("MR2",), "ProtocolName": ("DWI b1500",)}
    found = book.corrector()(lambda keyword: image.get(keyword, ()))
    assert [one.name for one in found] == ["T2 of scanner 2", "the research protocol has no b-values"]


@pytest.mark.parametrize("field", [field.alias or name for name, field in SeriesCorrection.model_fields.items()])
def test_every_field_of_a_correction_is_documented(field: str) -> None:
    assert f"| `{field}` |" in TEXT.partition("## Corrections")[2]


@pytest.mark.parametrize("answer", Said.model_fields)
def test_every_answer_of_a_correction_is_documented_with_its_values(answer: str) -> None:
    [line] = [line for line in TEXT.partition("## Corrections")[2].splitlines() if line.startswith(f"| `{answer}` |")]
    kinds = [kind for kind in get_args(Said.model_fields[answer].annotation) if issubclass(kind, StrEnum)]
    assert all(f"`{value}`" in line for kind in kinds for value in kind)


@pytest.mark.parametrize("name", WantedStack.model_fields)
def test_all_that_can_be_asked_of_a_stack_is_documented(name: str) -> None:
    [paragraph] = [part for part in TEXT.split("\n\n") if part.startswith("A `stack` asks for")]
    assert f"`{name}`" in paragraph
