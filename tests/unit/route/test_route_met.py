"""What of a study met what a rule expects: whole series, or the stacks by which they did."""

from pathlib import Path

import pytest
from pydicom.uid import BasicTextSRStorage, CTImageStorage

from pacs_agent.archive import Archive
from pacs_agent.db import Database
from pacs_agent.imaging import SeriesPart
from pacs_agent.route import (
    Attributes,
    Expectation,
    Expected,
    RuleBook,
    StudyAttributes,
    attributes_of_study,
    series_left,
)
from tests.unit.console.stored_mr import STUDY, prostate

T2, ADC = "{stack: {weighting: T2}}", "{stack: {weighting: ADC}}"
AXIAL_T2, HIGH_B = "{stack: {weighting: T2, plane: axial}}", "{stack: {weighting: DWI, b_value: {min: 600}}}"
DWI = "{attribute: SeriesDescription, regex: ep2d}"
SAGITTAL = "{attribute: SeriesDescription, regex: sag}"


@pytest.fixture
def study(database: Database, tmp_path: Path) -> StudyAttributes:
    """T2 axial and sagittal, DWI of b 50 and 800."""
    archive = Archive(database, tmp_path / "archive")
    prostate(archive)
    with database.reading() as session:
        return attributes_of_study(session, archive, STUDY)


def met(study: StudyAttributes, series: str, optional: str = "") -> tuple[Expectation, ...]:
    text = f"rules: [{{name: a, pipeline: p, expects: {{series: [{series}], optional: [{optional}]}}}}]"
    return RuleBook.parse(text).decide_study(study).met(["a"])


def named(found: tuple[Expectation, ...]) -> list[list[tuple[str, str]]]:
    return [[(part.series_instance_uid.removeprefix(STUDY), part.stack) for part in one.met_by] for one in found]


@pytest.mark.parametrize(
    ("condition", "parts"),
    [
        (AXIAL_T2, [(".1", "T2 axial")]),
        (T2, [(".1", "T2 axial"), (".2", "T2 sagittal")]),
        (HIGH_B, [(".3", "DWI b800 axial")]),
        ("{stack: {weighting: DWI}}", [(".3", "DWI b50 axial"), (".3", "DWI b800 axial")]),
        (DWI, [(".3", "")]),
        (f"{{all: [{DWI}, {HIGH_B}]}}", [(".3", "DWI b800 axial")]),
        (f"{{any: [{HIGH_B}, {{attribute: SeriesDescription, regex: sag}}]}}", [(".2", ""), (".3", "DWI b800 axial")]),
        (f"{{any: [{AXIAL_T2}, {{all: [{T2}, {DWI}]}}]}}", [(".1", "T2 axial")]),
        (f"{{all: [{{not: {T2}}}, {{attribute: Modality, equals: MR}}]}}", [(".3", "")]),
        (ADC, []),
    ],
)
def test_what_met_it(study: StudyAttributes, condition: str, parts: list[tuple[str, str]]) -> None:
    assert named(met(study, condition)) == [parts]


@pytest.mark.parametrize(
    ("series", "optional", "left"),
    [
        (DWI, "", [".1", ".2"]),
        (f"{{any: [{DWI}, {SAGITTAL}]}}", "", [".1"]),
        (f"{{not: {DWI}}}", "", [".3"]),
        (f"{{all: [{DWI}, {{attribute: NumberOfSeriesRelatedInstances, range: {{min: 2}}}}]}}", "", [".1", ".2"]),
        (DWI, f"{{all: [{SAGITTAL}, {T2}]}}", [".1"]),
        (DWI, T2, []),
        (DWI, "{attribute: EchoTime, range: {min: 90}}", []),
        (AXIAL_T2, "", []),
        ("{attribute: SeriesDescription, equals: other}", "", []),
    ],
)
def test_which_series_no_job_will_read_is_told_by_the_index_where_it_can_be(
    study: StudyAttributes, series: str, optional: str, left: list[str]
) -> None:
    text = f"rules: [{{name: a, pipeline: p, expects: {{series: [{series}], optional: [{optional}]}}}}]"
    expects = RuleBook.parse(text).rules[0].expects
    assert expects is not None
    assert sorted(uid.removeprefix(STUDY) for uid in series_left(expects, study.series)) == left
    assert "EchoTime" not in set().union(*study.series), "no header was read"


def test_where_documents_alone_are_expected_no_series_is_left() -> None:
    text = "rules: [{name: a, pipeline: p, expects: {series: [{attribute: Modality, equals: SR}]}}]"
    expects = RuleBook.parse(text).rules[0].expects
    document = {"SeriesInstanceUID": ("1",), "Modality": ("SR",), "SOPClassUID": (BasicTextSRStorage,)}
    images = {"SeriesInstanceUID": ("2",), "Modality": ("CT",), "SOPClassUID": (CTImageStorage,)}
    assert expects is not None
    assert series_left(expects, [document, images]) == frozenset()


def test_the_slices_of_a_stack_are_kept(study: StudyAttributes) -> None:
    [found] = met(study, HIGH_B)
    [part] = found.met_by
    assert part.description == "ep2d_diff_tra"
    assert part.images == {f"{STUDY}.3.{number}.800": () for number in (1, 2, 3)}
    assert Expectation.model_validate_json(found.model_dump_json()) == found


def test_required_and_optional_ones_with_their_words(study: StudyAttributes) -> None:
    found = met(study, f"{HIGH_B}, {AXIAL_T2}", optional=f"{ADC}, {T2}")
    assert [one.required for one in found] == [True, True, False, False]
    assert found[2].words == "a series with a stack of weighting ADC"
    assert named(found)[2:] == [[], [(".1", "T2 axial"), (".2", "T2 sagittal")]]
    expected = Expected(of=found)
    assert [part.stack for part in expected.among or ()] == ["DWI b800 axial", "T2 axial", "T2 axial", "T2 sagittal"]
    assert expected.missing == "", "what is optional is never missed"


def test_what_is_missing_is_said_once() -> None:
    part = SeriesPart(series_instance_uid="1.2")
    there, gone = (
        Expectation(rule="a", words=words, required=True, met_by=parts) for words, parts in (("x", (part,)), ("y", ()))
    )
    optional = Expectation(rule="a", words="z", required=False, met_by=(part,))
    assert Expected(of=(gone, there, gone)).missing == "y"
    assert Expected(of=(gone, there)).among == (part,)
    assert Expected(of=(gone, optional)).among is None, "nothing that is required came: any series may be read"


def test_a_rule_that_does_not_match_or_is_not_asked_for_series_has_met_nothing() -> None:
    text = (
        f"rules: [{{name: a, pipeline: p, when: {{any: []}}, expects: {{series: [{T2}]}}}}, {{name: b, pipeline: q}}]"
    )
    assert RuleBook.parse(text).decide({}, []).met(["a", "b"]) == ()


def test_stacks_are_not_in_what_is_told_of_a_rule(study: StudyAttributes) -> None:
    text = f"rules: [{{name: a, pipeline: p, expects: {{series: [{T2}]}}}}]"
    assert "met" not in RuleBook.parse(text).decide_study(study).rules[0].model_dump()


def test_a_series_of_documents_is_waited_for_and_limits_nothing() -> None:
    sr: Attributes = {"Modality": ("SR",), "SeriesInstanceUID": ("1.3",), "SOPClassUID": (BasicTextSRStorage,)}
    ct: Attributes = {"Modality": ("CT",), "SeriesInstanceUID": ("1.2",), "SOPClassUID": (CTImageStorage,)}
    conditions = "{attribute: Modality, equals: SR}", "{attribute: Modality, equals: CT}"
    texts = (", ".join(conditions[:count]) for count in (1, 2))
    books = (RuleBook.parse(f"rules: [{{name: a, pipeline: p, expects: {{series: [{text}]}}}}]") for text in texts)
    alone, both = (Expected(of=book.decide({}, [sr, ct]).met(["a"])) for book in books)
    assert [part.has_slices for part in alone.of[0].met_by] == [False]
    assert (alone.missing, alone.among) == ("", None)
    assert [part.series_instance_uid for part in both.among or ()] == ["1.2"]


def test_series_of_which_little_is_known() -> None:
    ct: Attributes = {"Modality": ("CT",), "SeriesInstanceUID": ("1.2",)}
    text = "rules: [{name: a, pipeline: p, expects: {series: [{attribute: Modality, equals: CT}]}}]"
    [found] = RuleBook.parse(text).decide({}, [ct, {"Modality": ("SR",)}]).met(["a"])
    assert found.met_by == (SeriesPart(series_instance_uid="1.2"),)
