"""Patient and study: carried so that the PACS joins document and images, and valid where nobody matches on them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from study_cases import CASES, OPTIONAL, documents
from study_readings import FACTS, headers

from pacs_agent.results import Refusal, compose_no_result
from pacs_agent.results.patient import _date, _time

MATCHED = ("PatientID", "PatientName", "AccessionNumber", "StudyID", "StudyInstanceUID", "ReferringPhysicianName")
TYPE_2 = (*MATCHED, "PatientBirthDate", "PatientSex", "StudyDate", "StudyTime")


@pytest.mark.parametrize("case", CASES)
def test_identity_is_carried_as_it_is(case: str) -> None:
    _, evidence = CASES[case]()
    for document in documents(case).values():
        for keyword in MATCHED:
            assert str(document[keyword].value or "") == str(evidence[0].get(keyword) or ""), keyword


def test_missing_attributes_are_present_and_empty() -> None:
    for document in documents("no optional attributes").values():
        assert all(not document[keyword].value for keyword in TYPE_2 if keyword in OPTIONAL)
        assert "StudyDescription" not in document


def test_values_that_break_their_representation_are_left_out() -> None:
    document = documents("odd values")["ai_result"]
    assert [document[k].value for k in ("PatientSex", "PatientBirthDate", "StudyDate", "StudyTime")] == [""] * 4
    assert document.StudyDescription == "a/b/c"
    assert len(document.ContributingEquipmentSequence) == 1  # a scanner that names no manufacturer is not listed


def test_new_series_in_the_same_study() -> None:
    for document in documents("all findings present").values():
        assert document.StudyInstanceUID == headers()[0].StudyInstanceUID
        assert document.SeriesInstanceUID != headers()[0].SeriesInstanceUID


def test_the_same_date_is_valid_only_in_its_form() -> None:
    assert _date("20260229") == ""
    assert _date("20240229") == "20240229"
    assert _date("2026-01-02") == ""
    assert [_time(text) for text in ("10", "1011", "101112", "101112.5", "24", "1060", "10:11")] == [
        "10",
        "1011",
        "101112",
        "101112.5",
        "",
        "",
        "",
    ]


@given(st.dictionaries(st.sampled_from(sorted(set(OPTIONAL) - {"Manufacturer"})), st.text(max_size=80)))
def test_any_text_in_a_header_makes_a_document(values: dict[str, str]) -> None:
    (header,) = headers(1)
    for keyword, value in values.items():
        header[keyword].value = value
    document = compose_no_result(Refusal("localizer", "only localizers"), [header], FACTS)
    assert str(document.PatientID or "") == str(header.PatientID or "")
