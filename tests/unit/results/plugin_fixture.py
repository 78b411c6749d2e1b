"""The AI results with which the OHIF plugin tests its reading of SRs. Run this file to write them again."""

import json
from io import BytesIO
from pathlib import Path
from typing import Any

from measured_cases import measured_case
from prior_cases import compared
from pydicom import dcmread
from several_series import several_series
from study_readings import BUNDLE, FACTS, finding, headers, series

from pacs_agent.inference.reading import EvidenceMethod, Presence, Sentence, StudyReading
from pacs_agent.results import DocumentFacts, compose_ai_result, with_measurements, write_bytes

FIXTURE = Path(__file__).parents[3] / "ohif-extension/src/sr/fixtures/ai_result.json"
MEASURED_FIXTURE = FIXTURE.with_name("measured_result.json")
"""The same with regions that were measured: the effusion is absent, and outlined nevertheless."""
COMPARED_FIXTURE = FIXTURE.with_name("compared_result.json")
"""One that says what changed since a prior study, in each way that two readings may differ."""
STAGED_FIXTURE = FIXTURE.with_name("staged_result.json")
"""One of several series that stages a tumour, with distances."""
SLICES = 12
SAID = (
    (0.91, Presence.PRESENT),
    (0.04, Presence.ABSENT),
    (0.44, Presence.UNCERTAIN),
    (0.62, Presence.PRESENT),
    (0.02, Presence.ABSENT),
    (0.97, Presence.PRESENT),
)


def plugin_reading() -> StudyReading:
    """Findings of every presence, with lobes, sides, grades of both sorts and a count."""
    of = series(SLICES)
    findings = tuple(finding(number, *said, of=of) for number, said in enumerate(SAID))
    nodule = findings[0].label.key
    return StudyReading(
        bundle=BUNDLE,
        series=of,
        findings=findings,
        sentences=tuple(
            Sentence(
                text=f"{each.label.name} is {each.presence.value}.",
                findings=(each.label.key,),
                positive=each.presence is not Presence.ABSENT,
            )
            for each in findings
        ),
        impression=(Sentence(text="Lung nodules: ≥ 3 mm.", findings=(nodule,), positive=True),),
        evidence_method=EvidenceMethod.LEAVE_SLICES_OUT,
    )


def plugin_document() -> list[dict[str, Any]]:
    """The document as WADO-RS gives its metadata, PS3.18 F. Its version of the agent is none, so that it stays."""
    facts = DocumentFacts(FACTS.composed_at, FACTS.input_digest, software_version="0.0.0")
    dataset = compose_ai_result(plugin_reading(), headers(SLICES), facts)
    return [dataset.to_json_dict()]


def measured_document() -> list[dict[str, Any]]:
    """An AI result with measurements, in the same form."""
    facts = DocumentFacts(FACTS.composed_at, FACTS.input_digest, software_version="0.0.0")
    read, found, stored = measured_case(effusion=Presence.ABSENT)
    dataset = compose_ai_result(with_measurements(read, found, stored), stored, facts)
    return [dataset.to_json_dict()]


def compared_document() -> list[dict[str, Any]]:
    """An AI result with a comparison, in the same form."""
    facts = DocumentFacts(FACTS.composed_at, FACTS.input_digest, software_version="0.0.0")
    written = write_bytes(compose_ai_result(compared(), headers(), facts))
    return [dcmread(BytesIO(written)).to_json_dict()]


def staged_document() -> list[dict[str, Any]]:
    """An AI result of several series, in the same form."""
    facts = DocumentFacts(FACTS.composed_at, FACTS.input_digest, software_version="0.0.0")
    return [compose_ai_result(*several_series(), facts).to_json_dict()]


if __name__ == "__main__":
    for path, document in (
        (FIXTURE, plugin_document()),
        (MEASURED_FIXTURE, measured_document()),
        (COMPARED_FIXTURE, compared_document()),
        (STAGED_FIXTURE, staged_document()),
    ):
        path.write_text(json.dumps(document, ensure_ascii=False) + "\n", encoding="utf-8")
