"""Corrections of series: how they are written, refused and explained, and about which images they are."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacs_agent.imaging import Component, Correction, Nulling, Plane, Weighting
from pacs_agent.route import Corrector, RuleBook, WrongRules, moved
from pacs_agent.route.corrections import Said

TEXT = """
rules:
  - {name: a, pipeline: p}
  - {name: b, pipeline: p}
corrections:
  - name: T2 of scanner 2
    when:
      all:
        - {attribute: SeriesDescription, regex: "(?i)^ax frfse"}
        - {attribute: StationName, equals: MR2}
    is: {weighting: T2, plane: axial}
  - name: high b-values
    when: {attribute: EchoTime, range: {min: 80}}
    is: {weighting: DWI, b_value: 1000}
"""
BOOK = RuleBook.parse(TEXT)
SCANNER_2 = {"SeriesDescription": ("AX FRFSE",), "StationName": ("MR2",), "EchoTime": ("75.0",)}


def about(image: dict[str, tuple[str, ...]], book: RuleBook = BOOK) -> list[str]:
    return [one.name for one in book.corrector()(values_of(image))]


def values_of(image: dict[str, tuple[str, ...]]) -> Callable[[str], tuple[str, ...]]:
    return lambda keyword: image.get(keyword, ())


def test_each_image_is_asked_by_itself() -> None:
    assert about(SCANNER_2) == ["T2 of scanner 2"]
    assert about({**SCANNER_2, "StationName": ("MR1",)}) == []
    assert about({**SCANNER_2, "EchoTime": ("80.5",)}) == ["T2 of scanner 2", "high b-values"]
    assert about({"EchoTime": ("a",)}) == []


def test_imaging_gets_what_was_said() -> None:
    first, second = BOOK.corrector()(values_of({**SCANNER_2, "EchoTime": ("90",)}))
    assert first == Correction("T2 of scanner 2", plane=Plane.AXIAL, weighting=Weighting.T2)
    assert second == Correction("high b-values", weighting=Weighting.DIFFUSION, b_value=1000.0)


def test_it_is_explained_like_a_rule() -> None:
    outcomes = BOOK.explain_corrections({"SeriesDescription": ("Sag",), "StationName": ("MR2",), "EchoTime": (90.0,)})
    lines = [line for one in outcomes for line in one.lines()]
    assert lines[0] == "✗ T2 of scanner 2: plane axial, weighting T2"
    assert any("✗ SeriesDescription matches '(?i)^ax frfse' (saw Sag)" in line for line in lines)
    assert "✓ high b-values: weighting DWI, b-value 1000" in lines


def test_one_that_is_not_enabled_is_about_nothing() -> None:
    book = RuleBook.parse(TEXT.replace("is: {weighting: T2, plane: axial}", "is: {plane: axial}\n    enabled: false"))
    assert about(SCANNER_2, book) == []
    assert "not enabled" in book.explain_corrections({})[0].explanation.text


def test_without_corrections_nothing_is_asked() -> None:
    def never(keyword: str) -> tuple[str, ...]:
        raise AssertionError(keyword)

    assert RuleBook().corrector()(never) == ()


@pytest.mark.parametrize(
    ("correction", "field", "words"),
    [
        ("is: {weighting: T3}", "corrections[0] (x).is.weighting", "'T1', 'T2'"),
        ("is: {plane: transversal}", "is.plane", "'axial'"),
        ("is: {nulling: water}", "is.nulling", "'fat'"),
        ("is: {}", "is", "say what the images are"),
        ("is: {wighting: T2}", "is.wighting", "not known here"),
        ("is: {b_value: -1}", "is.b_value", "greater than or equal to 0"),
        ("is: {b_value: nan}", "is.b_value", "finite"),
        ("is: {weighting: ADC, b_value: 800}", "is", "only those of weighting DWI"),
        ("enabled: true", "is", "Field required"),
        ("is: {weighting: T2}, when: {attribute: Description, equals: x}", "when", "not a DICOM keyword"),
        ("is: {weighting: T2}, when: {attribute: SeriesDescription, regex: '('}", "when", "not an RE2 pattern"),
    ],
)
def test_wrong_ones_are_refused_with_their_place(correction: str, field: str, words: str) -> None:
    when = "" if "when:" in correction else ", when: {all: []}"
    with pytest.raises(WrongRules) as refused:
        RuleBook.parse(f"rules: []\ncorrections:\n- {{name: x, {correction}{when}}}")
    assert refused.value.line == 3
    assert field in refused.value.field
    assert words in str(refused.value)


def test_names_are_given_once_and_a_condition_is_needed() -> None:
    same = "{name: x, when: {all: []}, is: {plane: axial}}"
    with pytest.raises(WrongRules, match="correction names given twice: x"):
        RuleBook.parse(f"corrections: [{same}, {same}]")
    with pytest.raises(WrongRules, match="when"):
        RuleBook.parse("corrections: [{name: x, is: {plane: axial}}]")


def test_rules_are_moved_above_them() -> None:
    text = moved(TEXT, "b", "up")
    assert RuleBook.parse(text).corrections == BOOK.corrections


def test_every_answer_of_imaging_can_be_said() -> None:
    assert list(Said.model_fields) == [name for name in Correction.__dataclass_fields__ if name != "name"]


@given(
    description=st.text(max_size=20) | st.sampled_from(("Ax FRFSE", "ax frfse 3")),
    station=st.sampled_from(("MR1", "MR2", "")),
    echo_ms=st.none() | st.floats(0, 200),
)
def test_what_is_remembered_of_an_image_is_what_is_said_of_it(
    description: str, station: str, echo_ms: float | None
) -> None:
    image = {"SeriesDescription": (description,), "StationName": (station,)}
    image |= {"EchoTime": (str(echo_ms),)} if echo_ms is not None else {}
    corrector = BOOK.corrector()
    first = corrector(values_of(image))
    assert corrector(values_of(image)) is first
    wanted = ["T2 of scanner 2"] if station == "MR2" and description.lower().startswith("ax frfse") else []
    assert [one.name for one in first] == wanted + (["high b-values"] if (echo_ms or 0) >= 80 else [])


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pacs_agent.route.corrections.MOST_REMEMBERED", 3)
    corrector = Corrector(BOOK.corrections)
    for number in range(10):
        corrector(values_of({"SeriesDescription": (f"series {number}",)}))
    assert len(corrector._known) <= 3


def test_words_for_people() -> None:
    said = Said(nulling=Nulling.FAT, component=Component.WATER, b_value=0)
    assert said.in_words() == "nulling fat, component water, b-value 0"
