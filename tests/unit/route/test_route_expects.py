"""What rules expect of a study: of which series, how it is explained, and how wrong ones are refused."""

import pytest

from pacs_agent.route import Attributes, RuleBook, WrongRules

SCOUT: Attributes = {"Modality": ("CT",), "SeriesDescription": ("Scout",), "NumberOfSeriesRelatedInstances": (2.0,)}
THIN: Attributes = {"Modality": ("CT",), "SeriesDescription": ("Lung 1.0",), "NumberOfSeriesRelatedInstances": (300.0,)}
SR: Attributes = {"Modality": ("SR",), "NumberOfSeriesRelatedInstances": (40.0,)}
MANY = "{all: [{attribute: Modality, equals: CT}, {attribute: NumberOfSeriesRelatedInstances, range: {min: 20}}]}"


def book(series: str, more: str = "") -> RuleBook:
    return RuleBook.parse(f"rules:\n- {{name: a, pipeline: p, expects: {{series: [{series}]{more}}}}}")


def misses(series: str, *came: Attributes) -> list[str]:
    return [one.words for one in book(series).decide({}, came).unmet]


def test_one_series_must_fulfil_the_whole_condition() -> None:
    assert misses(MANY, SCOUT, THIN) == []
    words = "a series with Modality equals 'CT' and NumberOfSeriesRelatedInstances is a number of at least 20"
    assert misses(MANY, SCOUT, SR) == [words], "not one by its modality and another by its images"
    assert misses(MANY) == [words]


def test_each_entry_may_be_fulfilled_by_another_series() -> None:
    both = f"{MANY}, {{attribute: SeriesDescription, regex: '(?i)scout'}}"
    assert misses(both, SCOUT, THIN) == []
    assert misses(both, THIN) == ["a series with SeriesDescription matches '(?i)scout'"]


def test_it_is_explained_series_by_series() -> None:
    lines = book(MANY).decide({}, [SCOUT]).lines()
    assert "  ✗ expects" in lines
    assert any("✗ series Scout, 2 images" in line for line in lines)
    assert any("at least 20 (saw 2)" in line for line in lines)


def test_a_rule_that_does_not_match_expects_nothing() -> None:
    text = f"rules:\n- {{name: a, pipeline: p, when: {{any: []}}, expects: {{series: [{MANY}]}}}}"
    decision = RuleBook.parse(text).decide({}, [])
    assert (decision.unmet, decision.rules[0].expects) == ((), None)


def test_what_has_come_is_never_read_from_files() -> None:
    slices = f"{MANY}, {{attribute: SliceThickness, range: {{max: 2}}}}"
    assert book(slices).keywords_of_series() == {"Modality", "SliceThickness"}


@pytest.mark.parametrize(
    ("expects", "words"),
    [
        ("{series: []}", "at least 1"),
        ("{}", "series"),
        ("{series: [{attribute: Slices, exists: true}]}", "not a DICOM keyword"),
        ("{series: [{all: []}], wait_at_most_s: 0}", "greater than 0"),
        ("{series: [{all: []}], wait_at_most_s: 1e9}", "less than or equal"),
        ("{series: [{all: []}], if_incomplete: wait}", "'read', 'report', 'ignore' or 'hold'"),
        ("{series: [{all: []}], until: 3}", "not known here"),
    ],
)
def test_what_cannot_be_expected_is_refused_with_its_place(expects: str, words: str) -> None:
    with pytest.raises(WrongRules, match=words) as refused:
        RuleBook.parse(f"rules:\n- {{name: a, pipeline: p, expects: {expects}}}")
    assert (refused.value.line, refused.value.field.startswith("rules[0] (a).expects")) == (2, True)
