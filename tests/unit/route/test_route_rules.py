"""Rules: what they decide, how they explain it, and how wrong ones are refused."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacs_agent.route import Attributes, RuleBook, WrongRules
from pacs_agent.route.conditions import number

CHEST: Attributes = {
    "Modality": ("CT",),
    "BodyPartExamined": ("CHEST",),
    "SeriesDescription": ("Scout", "Thorax 2.0 B30f"),
    "SliceThickness": (2.0, 10.0),
    "PatientAge": ("064Y",),
}


def _book(*conditions: str) -> RuleBook:
    """Rules a, b, … of pipelines of the same names."""
    rules = [
        f"- {{name: {name}, pipeline: {name}, when: {when}}}" for name, when in zip("abcd", conditions, strict=False)
    ]
    return RuleBook.parse("rules:\n" + "\n".join(rules))


def _holds(condition: str, attributes: Attributes = CHEST) -> bool:
    return not _book(condition).decide(attributes).ignored


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ("{attribute: Modality, equals: CT}", True),
        ("{attribute: Modality, equals: ct}", False),
        ("{attribute: Modality, in: [MR, CT]}", True),
        ("{attribute: Modality, in: [MR]}", False),
        ("{attribute: SeriesDescription, regex: '(?i)THORAX'}", True),
        ("{attribute: SeriesDescription, regex: '^Scout$'}", True),
        ("{attribute: SeriesDescription, regex: '^Scout$', all_values: true}", False),
        ("{attribute: SliceThickness, range: {max: 3}}", True),
        ("{attribute: SliceThickness, range: {max: 3}, all_values: true}", False),
        ("{attribute: SliceThickness, range: {min: 2, max: 2}}", True),
        ("{attribute: SliceThickness, equals: 2}", True),
        ("{attribute: SliceThickness, equals: '2.00'}", True),
        ("{attribute: SliceThickness, in: [5, 10.0]}", True),
        ("{attribute: SliceThickness, regex: '^10$'}", True),
        ("{attribute: PatientAge, range: {min: 18}}", False),
        ("{attribute: PatientAge, exists: true}", True),
        ("{attribute: StudyDescription, exists: true}", False),
        ("{attribute: StudyDescription, exists: false}", True),
        ("{attribute: StudyDescription, equals: '', all_values: true}", False),
        ("{not: {attribute: StudyDescription, equals: x}}", True),
        ("{all: []}", True),
        ("{any: []}", False),
        ("{all: [{attribute: Modality, equals: CT}, {attribute: SliceThickness, range: {min: 20}}]}", False),
        ("{any: [{attribute: Modality, equals: MR}, {attribute: SliceThickness, range: {min: 5}}]}", True),
        ("{not: {any: [{attribute: Modality, equals: MR}]}}", True),
    ],
)
def test_condition(condition: str, holds: bool) -> None:
    assert _holds(condition) == holds


def test_yaml_words_stay_what_was_written() -> None:
    assert _holds("{attribute: Modality, equals: NO}", {"Modality": ("NO",)})
    assert _holds("{attribute: AccessionNumber, equals: 007}", {"AccessionNumber": ("007",)})
    assert not _holds("{attribute: AccessionNumber, equals: 007}", {"AccessionNumber": ("7",)})
    assert _holds("{attribute: StudyDate, equals: 2026-11-22}", {"StudyDate": ("2026-11-22",)})


def test_the_first_match_wins() -> None:
    decision = _book("{all: []}", "{all: []}").decide(CHEST)
    assert [rule.name for rule in decision.matched] == ["a"]
    assert "earlier rule" in decision.rules[1].explanation.text


def test_continue_lets_later_rules_match_too() -> None:
    text = "rules:\n- {name: a, pipeline: x, continue: true}\n- {name: b, pipeline: y}\n- {name: c, pipeline: z}"
    assert [rule.name for rule in RuleBook.parse(text).decide(CHEST).matched] == ["a", "b"]


def test_a_disabled_rule_is_not_asked() -> None:
    decision = RuleBook.parse("rules:\n- {name: a, pipeline: x, enabled: false}").decide(CHEST)
    assert decision.ignored
    assert "not enabled" in decision.rules[0].explanation.text


def test_no_match_is_ignored_and_says_so() -> None:
    assert "ignored" in _book("{attribute: Modality, equals: MR}").decide(CHEST).summary
    assert "no rules" in RuleBook().decide(CHEST).summary


def test_the_explanation_names_every_condition_and_what_it_saw() -> None:
    decision = _book("{all: [{attribute: Modality, in: [CT]}, {not: {attribute: SliceThickness, equals: 2}}]}").decide(
        CHEST
    )
    assert decision.lines() == [
        "✗ a",
        "  ✗ all of",
        "    ✓ Modality in ['CT'] (saw CT)",
        "    ✗ not",
        "      ✓ SliceThickness equals '2' (saw 2, 10)",
        "No rule matches: the study is ignored.",
    ]


def test_many_values_are_shown_short() -> None:
    uids = tuple(f"1.{number}" for number in range(500))
    explanation = (
        _book("{attribute: SOPInstanceUID, exists: true}").decide({"SOPInstanceUID": uids}).rules[0].explanation
    )
    assert explanation.text.endswith("and 490 more)")


def test_a_decision_is_json() -> None:
    decision = _book("{any: [{attribute: Modality, equals: CT}]}").decide(CHEST)
    assert type(decision).model_validate_json(decision.model_dump_json(by_alias=True)) == decision


@pytest.mark.parametrize(
    ("text", "line", "field", "says"),
    [
        ("", None, "", "empty"),
        ("rules: [", 1, "", "YAML"),
        ("rules: []\nrules: []", 2, "", "twice"),
        ("rules: &r []\n", 1, "", "anchors"),
        ("rules: *r", 1, "", "anchors"),
        ("rules: !!python/object:os.system []", 1, "", "tags"),
        ("rules: !x []", 1, "", "tags"),
        ("? [a]\n: b", 1, "", "plain word"),
        ("- a", 1, "", "dictionary"),
        ("rules:\n- name: a\n  pipelin: x", 3, "rules[0] (a).pipelin", "not known"),
        ("rules:\n- name: a", 2, "rules[0] (a).pipeline", "required"),
        ("rules:\n- {name: a, pipeline: x}\n- {name: a, pipeline: x}", 1, "", "twice"),
        ("rules:\n- {name: a, pipeline: ../x}", 2, "rules[0] (a).pipeline", "pattern"),
        ("rules:\n- {name: a, pipeline: x, priority: soon}", 2, "rules[0] (a).priority", "integer"),
        ("rules:\n- {name: a, pipeline: x, priority: 0}", 2, "rules[0] (a).priority", "greater"),
        (
            "rules:\n- name: a\n  pipeline: x\n  when:\n    any:\n    - all: []\n    - {attribute: Modalty, in: []}",
            7,
            "rules[0] (a).when.any[1].attribute",
            "did you mean Modality",
        ),
        ("rules:\n- {name: a, pipeline: x, when: {equals: CT}}", 2, "rules[0] (a).when.attribute", "required"),
        ("rules:\n- {name: a, pipeline: x, when: {attribute: Modality}}", 2, "rules[0] (a).when", "exactly one"),
        ("rules:\n- {name: a, pipeline: x, when: {all: [], any: []}}", 2, "rules[0] (a).when", "exactly one"),
        ("rules:\n- {name: a, pipeline: x, when: CT}", 2, "rules[0] (a).when", "exactly one"),
        (
            "rules:\n- {name: a, pipeline: x, when: {attribute: PixelData, exists: true}}",
            2,
            "rules[0] (a).when.attribute",
            "no value",
        ),
        (
            "rules:\n- {name: a, pipeline: x, when: {attribute: Modality, regex: '(?=CT)'}}",
            2,
            "rules[0] (a).when.regex",
            "RE2",
        ),
        (
            "rules:\n- {name: a, pipeline: x, when: {not: {attribute: Rows, range: {min: nan}}}}",
            2,
            "rules[0] (a).when.not.range.min",
            "finite",
        ),
        (
            "rules:\n- {name: a, pipeline: x, when: {attribute: Rows, range: {min: 2, max: 1}}}",
            2,
            "rules[0] (a).when.range",
            "above max",
        ),
    ],
)
def test_wrong_rules_name_line_rule_and_field(text: str, line: int | None, field: str, says: str) -> None:
    with pytest.raises(WrongRules, match=says) as refused:
        RuleBook.parse(text)
    assert (refused.value.line, refused.value.field) == (line, field)


@pytest.mark.parametrize(
    "text", ["[" * 100_000, "rules:\n" + "- " * 50_000, "a: " * 2, "x" * 300_000, "\x00", "\ud800"]
)
def test_hostile_text_is_refused(text: str) -> None:
    with pytest.raises(WrongRules):
        RuleBook.parse(text)


def test_no_pattern_takes_long() -> None:
    """The pattern that hangs a backtracking engine."""
    started_s = time.perf_counter()
    assert not _holds("{attribute: SeriesDescription, regex: '^(a+)+$'}", {"SeriesDescription": ("a" * 5000 + "b",)})
    assert time.perf_counter() - started_s < 1


@given(st.text(max_size=200))
def test_any_text_is_rules_or_refused(text: str) -> None:
    try:
        assert isinstance(RuleBook.parse(text), RuleBook)
    except WrongRules as refused:
        assert str(refused)


@pytest.mark.parametrize("text", ["NaN", "1e400", "inf", "1_000", "0x10", "١", "", " ", "--1", "1\\2"])
def test_what_is_no_number_is_in_no_range(text: str) -> None:
    assert number(text) is None
    assert not _holds("{attribute: SliceThickness, range: {min: -1e300, max: 1e300}}", {"SliceThickness": (text,)})


_LEAVES = st.sampled_from(
    [
        "{attribute: Modality, equals: CT}",
        "{attribute: SliceThickness, range: {max: 3}}",
        "{attribute: SeriesDescription, regex: o}",
        "{attribute: BodyPartExamined, exists: true}",
    ]
)
_TREES = st.recursive(
    _LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda parts: f"{{all: [{', '.join(parts)}]}}")
        | st.lists(inner, max_size=3).map(lambda parts: f"{{any: [{', '.join(parts)}]}}")
        | inner.map(lambda part: f"{{not: {part}}}")
    ),
    max_leaves=6,
)
_ATTRIBUTES = st.fixed_dictionaries(
    {},
    optional={
        "Modality": st.sampled_from([("CT",), ("MR",), ("CT", "SR")]),
        "SliceThickness": st.lists(st.floats(0, 10), max_size=2).map(tuple),
        "SeriesDescription": st.lists(st.text(max_size=5), max_size=2).map(tuple),
        "BodyPartExamined": st.just(("CHEST",)),
    },
)


@given(_TREES, _ATTRIBUTES)
def test_not_negates_and_joins_follow_de_morgan(tree: str, attributes: Attributes) -> None:
    holds = _holds(tree, attributes)
    assert _holds(f"{{not: {tree}}}", attributes) != holds
    assert _holds(f"{{all: [{tree}, {tree}]}}", attributes) == holds == _holds(f"{{any: [{tree}]}}", attributes)


@given(_TREES, _ATTRIBUTES)
def test_the_explanation_agrees_with_the_decision(tree: str, attributes: Attributes) -> None:
    decision = _book(tree).decide(attributes)
    assert decision.rules[0].explanation.held == (not decision.ignored)
