"""The reading as a FHIR R4 DiagnosticReport, for systems that read no DICOM: hl7.org/fhir/R4/diagnosticreport.html.

It is self-contained: patient, study, device and one Observation for each finding are contained resources, as the agent
knows no FHIR server where they have addresses. It says what the draft report says, and is as preliminary.
"""

import base64
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, TypeAlias

from pydicom.sr.coding import Code

from pacs_agent.inference.reading import FindingReading, MeasuredDistance, Presence, Sentence, StudyReading
from pacs_agent.results.attributes import grade_of
from pacs_agent.results.author import Author, author_of
from pacs_agent.results.codes import MILLIMETRE, PERCENT, PRESENCE, PROBABILITY, concept, modality_code
from pacs_agent.results.facts import DocumentFacts
from pacs_agent.results.stated import sentences_of
from pacs_agent.results.text import clean

FhirResource: TypeAlias = dict[str, Any]

_SYSTEMS = {
    "SCT": "http://snomed.info/sct",
    "DCM": "http://dicom.nema.org/resources/ontology/DCM",
    "LN": "http://loinc.org",
    "UCUM": "http://unitsofmeasure.org",
}
"""URIs of coding schemes. PS3.16 8; local ones have none."""
_REPORT = Code("18748-4", "LN", "Diagnostic imaging study")
_RADIOLOGY = {"system": "http://terminology.hl7.org/CodeSystem/v2-0074", "code": "RAD", "display": "Radiology"}
_IMAGING = {"system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": "imaging"}
_GENDERS = {"M": "male", "F": "female", "O": "other"}
_PATIENT, _STUDY, _DEVICE = "patient", "study", "device"


@dataclass(frozen=True)
class Subject:
    """Patient and study as the PACS names them, values of DICOM attributes; empty where it names none."""

    patient_id: str = ""
    issuer: str = ""
    name: str = ""
    """VR PN. PS3.5 6.2.1."""
    birth_date: str = ""
    sex: str = ""
    study_date: str = ""
    accession_number: str = ""


def compose_diagnostic_report(
    reading: StudyReading, subject: Subject, ai_result_uid: str, facts: DocumentFacts, recalled: str = ""
) -> FhirResource:
    """The DiagnosticReport of a reading, as JSON.

    `ai_result_uid` and `facts` are those of its AI result; `recalled`: why the model was recalled, which withdraws it.
    """
    author = author_of(reading.bundle, facts)
    warning = f"{author.warning} Recalled, not to be relied on: {clean(recalled)}" if recalled else author.warning
    status = "entered-in-error" if recalled else "preliminary"
    observations = [
        _observation(f"finding-{number}", finding, reading, status, warning)
        for number, finding in enumerate(reading.findings, start=1)
    ]
    present = [one for one in reading.findings if one.presence is Presence.PRESENT]
    report: FhirResource = _without_empty(
        {
            "resourceType": "DiagnosticReport",
            "language": "en",
            "contained": [_patient(subject), _study(reading, subject), _device(author), *observations],
            "identifier": [_uid(ai_result_uid)],
            "status": status,
            "category": [{"coding": [_RADIOLOGY]}],
            "code": _concept(_REPORT),
            "subject": _to(_PATIENT),
            "effectiveDateTime": _date(subject.study_date),
            "issued": facts.composed_at.isoformat(timespec="milliseconds"),
            "imagingStudy": [_to(_STUDY)],
            "result": [_to(one["id"]) for one in observations],
            "conclusion": " ".join([*_sentences(reading.impression), warning]),
            "conclusionCode": [_concept(concept(one.label.code)) for one in present],
            "presentedForm": [_presented(reading, warning)],
        }
    )
    return report


def _patient(subject: Subject) -> FhirResource:
    """https://hl7.org/fhir/R4/patient.html"""
    identifier = {"value": subject.patient_id, "assigner": {"display": subject.issuer}}
    return {
        "resourceType": "Patient",
        "id": _PATIENT,
        "identifier": [identifier] if subject.patient_id else [],
        "name": [_name(subject.name)],
        "gender": _GENDERS.get(subject.sex, "unknown" if subject.sex else ""),
        "birthDate": _date(subject.birth_date),
    }


def _name(name: str) -> FhirResource:
    """The first component group of a PN as HumanName: family, given, middle, prefix, suffix. PS3.5 6.2.1.1."""
    family, given, middle, prefix, suffix = (*clean(name).partition("=")[0].split("^"), "", "", "", "", "")[:5]
    parts = [prefix, given, middle, family, suffix]
    return {
        "text": " ".join(part for part in parts if part),
        "family": family,
        "given": [part for part in (given, middle) if part],
        "prefix": [prefix] if prefix else [],
        "suffix": [suffix] if suffix else [],
    }


def _study(reading: StudyReading, subject: Subject) -> FhirResource:
    """https://hl7.org/fhir/R4/imagingstudy.html: the study by its UID, and of it the series that were read."""
    series = reading.series
    accession = {
        "type": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": "ACSN"}]},
        "value": subject.accession_number,
    }
    read = {one.series_instance_uid: one for one in reading.all_series}
    return {
        "resourceType": "ImagingStudy",
        "id": _STUDY,
        "identifier": [_uid(series.study_instance_uid), *([accession] if subject.accession_number else [])],
        "status": "available",
        "subject": _to(_PATIENT),
        "started": _date(subject.study_date),
        "series": [
            {"uid": uid, "modality": _coding(modality_code(one.modality)), "description": clean(one.description)}
            for uid, one in read.items()
        ],
    }


def _device(author: Author) -> FhirResource:
    """https://hl7.org/fhir/R4/device.html: the model, by the Device UID that the DICOM documents have."""
    return {
        "resourceType": "Device",
        "id": _DEVICE,
        "identifier": [_uid(author.device_uid)],
        "manufacturer": author.manufacturer,
        "deviceName": [{"name": author.name, "type": "model-name"}],
        "version": [{"value": version} for version in author.software_versions],
    }


def _observation(key: str, finding: FindingReading, reading: StudyReading, status: str, warning: str) -> FhirResource:
    """https://hl7.org/fhir/R4/observation.html: whether a finding is present, how probable, its distances."""
    measured = [one for one in reading.distances if one.finding == finding.label.key]
    percent = {
        "value": round(100 * finding.probability, 2),
        "unit": "%",
        "system": _SYSTEMS[PERCENT.scheme_designator],
        "code": PERCENT.value,
    }
    return {
        "resourceType": "Observation",
        "id": key,
        "status": status,
        "category": [{"coding": [_IMAGING]}],
        "code": _concept(concept(finding.label.code), finding.label.name),
        "subject": _to(_PATIENT),
        "valueCodeableConcept": _concept(PRESENCE[finding.presence]),
        "note": [{"text": warning}],
        "bodySite": _concept(concept(finding.label.site)),
        "device": _to(_DEVICE),
        "derivedFrom": [_to(_STUDY)],
        "component": [
            {"code": _concept(PROBABILITY), "valueQuantity": percent},
            *_grade(finding),
            *(_distance(one) for one in measured),
        ],
    }


def _grade(finding: FindingReading) -> list[FhirResource]:
    return [{"code": _concept(name), "valueCodeableConcept": _concept(value)} for name, value in grade_of(finding)]


def _distance(distance: MeasuredDistance) -> FhirResource:
    length = {
        "value": round(distance.value_mm, 2),
        "unit": "mm",
        "system": _SYSTEMS[MILLIMETRE.scheme_designator],
        "code": MILLIMETRE.value,
    }
    return {"code": _concept(concept(distance.type), distance.name), "valueQuantity": length}


def _presented(reading: StudyReading, warning: str) -> FhirResource:
    """The draft as plain text. https://hl7.org/fhir/R4/datatypes.html#Attachment"""
    parts = [warning, *_sentences(sentences_of(reading)), "", *_sentences(reading.impression)]
    text = "\n".join(parts)
    data = base64.b64encode(text.encode()).decode("ascii")
    return {"contentType": "text/plain; charset=utf-8", "language": "en", "data": data, "title": "Draft report"}


def _sentences(sentences: Sequence[Sentence]) -> Iterator[str]:
    yield from (text for each in sentences if (text := clean(each.text)))


def _concept(code: Code, text: str = "") -> FhirResource:
    return {"coding": [_coding(code)], "text": clean(text)}


def _coding(code: Code) -> FhirResource:
    system = _SYSTEMS.get(code.scheme_designator, "")
    return {"system": system, "code": code.value, "display": code.meaning}


def _uid(uid: str) -> FhirResource:
    """A DICOM UID as identifier. https://hl7.org/fhir/R4/imagingstudy.html#notes"""
    return {"system": "urn:dicom:uid", "value": f"urn:oid:{uid}"}


def _to(contained: str) -> FhirResource:
    return {"reference": f"#{contained}"}


def _date(value: str) -> str:
    """A DA as date; empty where it is none. A time without zone has no place in FHIR, so that dates stand alone."""
    try:
        return date.fromisoformat(f"{value[:4]}-{value[4:6]}-{value[6:]}").isoformat() if value.isdigit() else ""
    except ValueError:
        return ""


def _without_empty(value: Any) -> Any:
    """What FHIR JSON may hold: no empty strings, lists or objects. https://hl7.org/fhir/R4/json.html"""
    if isinstance(value, dict):
        kept = {name: _without_empty(each) for name, each in value.items()}
        return {name: each for name, each in kept.items() if each not in ("", [], {})}
    if isinstance(value, list):
        return [each for each in map(_without_empty, value) if each not in ("", [], {})]
    return value
