"""Series descriptions of several vendors, in English and German, beside what they mean (series_descriptions.csv)."""

import csv
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacs_agent.imaging.acquisition import Description, Nulling, Weighting, described

with Path(__file__).with_name("series_descriptions.csv").open(encoding="utf-8", newline="") as file:
    ROWS = list(csv.DictReader(file))


def test_the_table_is_large_and_of_several_vendors_and_languages() -> None:
    assert len([row for row in ROWS if row["modality"] == "MR"]) >= 200
    assert len([row for row in ROWS if row["modality"] == "CT"]) >= 70
    assert {row["vendor"] for row in ROWS} == {"Siemens", "GE", "Philips", "Canon"}
    assert {row["language"] for row in ROWS} == {"en", "de"}
    assert len({row["description"] for row in ROWS}) == len(ROWS)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["description"])
def test_a_description_means(row: dict[str, str]) -> None:
    found = described(row["description"])
    said = {
        "weighting": found.weighting.value if found.weighting else "",
        "nulling": found.nulling.value,
        "contrast": found.contrast.value if found.contrast else "",
        "component": found.component.value if found.component else "",
        "b_values": " ".join(map(str, found.b_values)),
        "phase": str(found.phase or ""),
        "bolus": found.bolus_phase.value if found.bolus_phase else "",
        "reformat": "yes" if found.is_reformat else "",
    }
    assert said == {key: row[key] for key in said}


@pytest.mark.parametrize("row", ROWS[::7], ids=lambda row: row["description"])
def test_capitals_and_separators_change_nothing(row: dict[str, str]) -> None:
    text = row["description"]
    assert described(text.upper()) == described(text) == described(f"  {text}  ") == described(text.replace("_", " "))


@pytest.mark.parametrize(
    "text", ["", "posterior", "preop planning study 7", "Knie", "recon", "Becken", "flow comp", "T12 level", "at20"]
)
def test_words_that_only_look_alike_say_nothing(text: str) -> None:
    assert described(text) == Description()


@given(st.text(max_size=300))
def test_any_text_is_read(text: str) -> None:
    found = described(text)
    assert found.b_values == tuple(sorted(set(found.b_values)))
    assert found.nulling is Nulling.NONE or found.nulling in Nulling


@given(st.integers(0, 9999), st.sampled_from(["b{}", "B={}", "b {}", "b-{}", "bval {}"]))
def test_a_b_value_is_read_in_any_spelling(b_value: int, spelling: str) -> None:
    found = described(f"ep2d_diff_{spelling.format(b_value)}_tra")
    assert (found.weighting, found.b_values) == (Weighting.DIFFUSION, (b_value,))


def test_long_texts_take_no_time() -> None:
    for text in ("b1 " * 100_000, "diff" * 100_000, "t2 " * 100_000, "w" * 400_000):
        described(text)
