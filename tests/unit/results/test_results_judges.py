"""Every kind of document of every sort of study is judged; and each judge is shown to be needed by broken documents."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from pydicom.dataset import Dataset
from study_cases import CASES, documents
from study_readings import FACTS, headers, reading

from pacs_agent.results import ObjectKind, compose_ai_result, compose_draft_report, write_bytes
from tests.judges import available_judges, errors, judge_all
from tests.judges.content_tree import named, tree
from tests.judges.rules import verdicts as our_verdicts

OF_READINGS = (ObjectKind.AI_RESULT, ObjectKind.DRAFT_REPORT, ObjectKind.NO_RESULT)


@pytest.mark.parametrize("case", CASES)
def test_documents_keep_our_rules(case: str, tmp_path: Path) -> None:
    for kind, document in documents(case).items():
        path = tmp_path / f"{kind}.dcm"
        path.write_bytes(write_bytes(document))
        assert our_verdicts(path) == [], kind


@pytest.mark.peers
@pytest.mark.slow
@pytest.mark.parametrize("kind", OF_READINGS)
def test_documents_pass_all_judges(kind: ObjectKind, tmp_path: Path) -> None:
    assert len(available_judges()) >= 4
    for case in CASES:
        (tmp_path / f"{case}.dcm").write_bytes(write_bytes(documents(case)[kind]))
    found = judge_all(sorted(tmp_path.glob("*.dcm")))
    assert len(found) == len(CASES)
    assert {path.stem: errors(verdicts) for path, verdicts in found.items() if errors(verdicts)} == {}


def _groups(document: Dataset) -> list[Dataset]:
    measurements = next(i for i in document.ContentSequence if _concept(i) == "126010")
    return list(measurements.ContentSequence)


def _concept(item: Dataset) -> str:
    return str(item.ConceptNameCodeSequence[0].get("CodeValue", ""))


def _without(items: Dataset, value: str) -> None:
    items.ContentSequence = [item for item in items.ContentSequence if _concept(item) != value]


def _probability(document: Dataset) -> Dataset:
    found: Dataset = next(item for item in _groups(document)[0].ContentSequence if _concept(item) == "122157")
    return found


def _partial(document: Dataset) -> None:
    document.CompletionFlag = "PARTIAL"


def _verified_by_nobody(document: Dataset) -> None:
    document.VerificationFlag = "VERIFIED"


def _no_tracking_uid(document: Dataset) -> None:
    _without(_groups(document)[0], "112040")


def _no_device_uid(document: Dataset) -> None:
    del document.ContributingEquipmentSequence[0].DeviceUID


def _no_procedure_codes(document: Dataset) -> None:
    del document.PerformedProcedureCodeSequence


def _evidence_not_listed(document: Dataset) -> None:
    series = document.CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence[0]
    series.ReferencedSOPSequence = series.ReferencedSOPSequence[1:]


def _number_without_unit(document: Dataset) -> None:
    del _probability(document).MeasuredValueSequence[0].MeasurementUnitsCodeSequence


def _number_without_content(document: Dataset) -> None:
    del _probability(document).ContentSequence


def _slice_contained(document: Dataset) -> None:
    weight = next(item for item in _groups(document)[0].ContentSequence if _concept(item) == "SLICE_EVIDENCE")
    weight.ContentSequence[0].RelationshipType = "CONTAINS"


def _no_image_library(document: Dataset) -> None:
    _without(document, "111028")


def _no_measurements(document: Dataset) -> None:
    _without(document, "126010")


def _no_observer(document: Dataset) -> None:
    _without(document, "121012")


def _local_scheme_undeclared(document: Dataset) -> None:
    del document.CodingSchemeIdentificationSequence


def _code_without_meaning(document: Dataset) -> None:
    del _groups(document)[0].ConceptNameCodeSequence[0].CodeMeaning


def _silent_about_its_author(document: Dataset) -> None:
    document.SeriesDescription = "Chest CT report"


def _wrong_language(document: Dataset) -> None:
    document.ContentSequence[0].ConceptCodeSequence[0].CodeValue = "klingon"


BROKEN: dict[Callable[[Dataset], None], str] = {
    _partial: "rules",
    _verified_by_nobody: "dciodvfy",
    _no_tracking_uid: "rules",
    _no_device_uid: "rules",
    _no_procedure_codes: "dciodvfy",
    _evidence_not_listed: "rules",
    _number_without_unit: "dciodvfy",
    _number_without_content: "rules",
    _slice_contained: "dsrdump",
    _no_image_library: "rules",
    _no_measurements: "pixelmed",
    _no_observer: "pixelmed",
    _local_scheme_undeclared: "rules",
    _code_without_meaning: "dciodvfy",
    _silent_about_its_author: "rules",
    _wrong_language: "pixelmed",
}
"""Ways to break an AI result, and a judge that must notice."""


@pytest.mark.peers
@pytest.mark.slow
def test_broken_documents_are_caught(tmp_path: Path) -> None:
    for breaker in BROKEN:
        document = compose_ai_result(reading(), headers(), FACTS)
        breaker(document)
        (tmp_path / f"{breaker.__name__}.dcm").write_bytes(write_bytes(document))
    found = judge_all(sorted(tmp_path.glob("*.dcm")))
    caught = {path.stem: {verdict.judge.split(" ")[0] for verdict in errors(all_)} for path, all_ in found.items()}
    missed = {b.__name__: caught[b.__name__] for b, expected in BROKEN.items() if expected not in caught[b.__name__]}
    assert missed == {}


@pytest.mark.peers
@pytest.mark.slow
def test_a_draft_that_says_what_has_not_come_is_sound(tmp_path: Path) -> None:
    words = "Expected, and has not come: a series with a stack of weighting ADC."
    document = compose_draft_report(reading(), headers(), replace(FACTS, lacks=words))
    assert [item.item.TextValue for item in named(tree(document), "121065")][1:] == [words]
    path = tmp_path / "draft.dcm"
    path.write_bytes(write_bytes(document))
    assert our_verdicts(path) == []
    assert errors(judge_all([path])[path]) == []


def test_a_draft_without_its_result_is_caught(tmp_path: Path) -> None:
    document = compose_draft_report(reading(), headers(), FACTS)
    (about,) = named(tree(document), "121065")
    del about.item.ContentSequence
    path = tmp_path / "draft.dcm"
    path.write_bytes(write_bytes(document))
    assert [verdict.text for verdict in our_verdicts(path)] == ["the draft report does not refer to one AI result"]
