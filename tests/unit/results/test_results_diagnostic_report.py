"""The FHIR report is valid R4, hangs together, and says what the reading says."""

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest
from fhir.resources.R4B import get_fhir_model_class
from hypothesis import given
from hypothesis import strategies as st
from study_cases import CASES
from study_readings import FACTS, reading

from pacs_agent.results import FhirResource, Subject, compose_diagnostic_report

AI_RESULT = "2.25.1234567890"
ADA = Subject("4711", "HOSP", "Müller^Änne^Maria^Dr.", "19520317", "F", "20260102", "A2026-17")


def _composed(case: str) -> FhirResource:
    read, evidence = CASES[case]()
    header = evidence[0]
    keywords = ("PatientID", "IssuerOfPatientID", "PatientName", "PatientBirthDate", "PatientSex", "StudyDate")
    named = [str(header.get(keyword) or "") for keyword in (*keywords, "AccessionNumber")]
    return compose_diagnostic_report(read, Subject(*named), AI_RESULT, FACTS)


def _validated(report: FhirResource) -> None:
    """Each resource by its own model; contained ones are not looked into otherwise."""
    written = json.dumps(report, allow_nan=False)
    for resource in (report, *report["contained"]):
        get_fhir_model_class(resource["resourceType"]).model_validate(resource)
    assert json.loads(written) == report


def _strings(value: Any) -> Iterator[tuple[str, str]]:
    """All texts with the names they stand under."""
    if isinstance(value, dict):
        for name, each in value.items():
            yield from ((name, each),) if isinstance(each, str) else _strings(each)
    elif isinstance(value, list):
        for each in value:
            yield from _strings(each)


@pytest.mark.parametrize("case", CASES)
def test_every_study_gives_a_valid_report(case: str) -> None:
    _validated(_composed(case))


@given(st.builds(Subject, *[st.text(max_size=40)] * 7))
def test_no_name_or_date_makes_it_invalid(subject: Subject) -> None:
    _validated(compose_diagnostic_report(reading(), subject, AI_RESULT, FACTS))


@pytest.mark.parametrize("case", CASES)
def test_contained_resources_and_references_are_the_same(case: str) -> None:
    """https://hl7.org/fhir/R4/domainresource.html, rule dom-3."""
    report = _composed(case)
    contained = {f"#{one['id']}" for one in report["contained"]}
    assert len(contained) == len(report["contained"])
    assert {text for name, text in _strings(report) if name == "reference"} == contained


def test_nothing_is_empty() -> None:
    """https://hl7.org/fhir/R4/json.html: a property is present with a value, or not at all."""
    report = _composed("no optional attributes")
    assert all(text for _, text in _strings(report))
    (patient,) = (one for one in report["contained"] if one["resourceType"] == "Patient")
    assert patient == {"resourceType": "Patient", "id": "patient"}


def test_who_and_when() -> None:
    report = compose_diagnostic_report(reading(), ADA, AI_RESULT, FACTS)
    patient, study, device, *_ = report["contained"]
    assert patient["identifier"] == [{"value": "4711", "assigner": {"display": "HOSP"}}]
    name = {"text": "Dr. Änne Maria Müller", "family": "Müller", "given": ["Änne", "Maria"], "prefix": ["Dr."]}
    assert (patient["name"], patient["gender"], patient["birthDate"]) == ([name], "female", "1952-03-17")
    assert study["identifier"][0]["value"] == f"urn:oid:{reading().series.study_instance_uid}"
    assert device["identifier"][0]["value"] == f"urn:oid:{reading().bundle.device_uid}"
    assert report["effectiveDateTime"] == "2026-01-02"
    assert report["identifier"] == [{"system": "urn:dicom:uid", "value": f"urn:oid:{AI_RESULT}"}]


def test_each_finding_is_an_observation() -> None:
    read = reading("uncertain")
    report = compose_diagnostic_report(read, ADA, AI_RESULT, FACTS)
    observations = [one for one in report["contained"] if one["resourceType"] == "Observation"]
    assert [one["code"]["text"] for one in observations] == [each.label.name for each in read.findings]
    said = [one["valueCodeableConcept"]["coding"][0]["code"] for one in observations]
    assert said == ["373068000", "272519000", "272519000"]
    percent = observations[0]["component"][0]["valueQuantity"]
    assert percent == {"value": 41.0, "unit": "%", "system": "http://unitsofmeasure.org", "code": "%"}
    assert "conclusionCode" not in report
    assert "PERIBRONCHIAL" in json.dumps(_composed("all findings present"))


def test_it_is_preliminary_and_says_who_wrote_it() -> None:
    report = compose_diagnostic_report(reading(), ADA, AI_RESULT, FACTS)
    text = base64.b64decode(report["presentedForm"][0]["data"]).decode()
    for said in (report["conclusion"], text, report["contained"][3]["note"][0]["text"]):
        assert "AI-generated" in said
        assert "Unverified" in said
        assert "not for clinical use" in said
    assert {text for name, text in _strings(report) if name == "status"} == {"preliminary", "available"}
    assert all(sentence.text in text for sentence in (*reading().sentences, *reading().impression))


def test_what_a_recalled_model_said_is_withdrawn() -> None:
    report = compose_diagnostic_report(reading(), ADA, AI_RESULT, FACTS, recalled="misses effusions")
    _validated(report)
    assert {text for name, text in _strings(report) if name == "status"} == {"entered-in-error", "available"}
    assert "Recalled, not to be relied on: misses effusions" in report["conclusion"]
