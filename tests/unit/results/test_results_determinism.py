"""The same input gives the same bytes; other input another object, which says what it takes the place of."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import UID, Comprehensive3DSRStorage
from study_readings import BUNDLE, FACTS, headers, reading, series

from pacs_agent.inference.reading import StudyReading, TokensRead
from pacs_agent.results import (
    DocumentFacts,
    ObjectKind,
    Predecessor,
    Refusal,
    UnusableEvidence,
    compose_ai_result,
    compose_draft_report,
    compose_no_result,
    write_bytes,
)
from pacs_agent.results.ai_result import reading_uids
from pacs_agent.results.facts import BESIDE_REPORTS
from pacs_agent.results.uids import derived_uid

REFUSAL = Refusal("too_few_slices", "one slice")

Composer = Callable[[StudyReading, DocumentFacts], Dataset]
COMPOSERS: dict[ObjectKind, Composer] = {
    ObjectKind.AI_RESULT: lambda read, facts: compose_ai_result(read, headers(), facts),
    ObjectKind.DRAFT_REPORT: lambda read, facts: compose_draft_report(read, headers(), facts),
    ObjectKind.NO_RESULT: lambda read, facts: compose_no_result(REFUSAL, headers(), facts, read.bundle),
}


@pytest.fixture(params=COMPOSERS)
def compose(request: pytest.FixtureRequest) -> Composer:
    return COMPOSERS[request.param]


def _predecessor(kind: ObjectKind, number: int) -> Predecessor:
    return Predecessor(kind, Comprehensive3DSRStorage, f"1.2.{number}", headers()[0].StudyInstanceUID, f"1.3.{number}")


def test_same_input_same_bytes(compose: Composer) -> None:
    assert write_bytes(compose(reading(), FACTS)) == write_bytes(compose(reading(), FACTS))


def test_writing_leaves_the_document_as_it_is(compose: Composer) -> None:
    document = compose(reading(), FACTS)
    before = document.to_json()
    assert write_bytes(document) == write_bytes(document)
    assert document.to_json() == before


@pytest.mark.parametrize(
    "facts",
    [
        replace(FACTS, input_digest="ef" * 32),
        replace(FACTS, composed_at=FACTS.composed_at + timedelta(seconds=1)),
        replace(FACTS, software_version="9.9"),
        replace(FACTS, lacks="Expected, and has not come: ADC."),
        replace(FACTS, predecessors=tuple(_predecessor(kind, 1) for kind in ObjectKind)),
    ],
    ids=["images", "time", "software", "lacks", "predecessor"],
)
def test_other_facts_other_uids(compose: Composer, facts: DocumentFacts) -> None:
    one, other = compose(reading(), FACTS), compose(reading(), facts)
    assert one.SOPInstanceUID != other.SOPInstanceUID
    assert one.SeriesInstanceUID != other.SeriesInstanceUID


def test_other_model_other_uids(compose: Composer) -> None:
    other = compose(reading(digest="00" * 32), FACTS)
    assert compose(reading(), FACTS).SOPInstanceUID != other.SOPInstanceUID


def test_other_reading_other_uids() -> None:
    assert compose_ai_result(reading("nothing"), headers(), FACTS).SOPInstanceUID != (
        compose_ai_result(reading("present"), headers(), FACTS).SOPInstanceUID
    )


def test_where_files_lie_changes_nothing() -> None:
    here, there = reading(), reading()
    moved = tuple(each.model_copy(update={"path": Path("/elsewhere")}) for each in there.series.slices)
    there = there.model_copy(update={"series": there.series.model_copy(update={"slices": moved})})
    assert write_bytes(compose_ai_result(here, headers(), FACTS)) == write_bytes(
        compose_ai_result(there, headers(), FACTS)
    )


def test_what_only_the_panel_needs_changes_nothing() -> None:
    """A reading from before it was kept has the documents that it had."""
    before = reading()
    facts = {"encoder_digest": "00" * 32, "keys": (), "token_width": 4, "patch_grid": (2, 2), "field_px": (4, 4)}
    tokens = TokensRead.model_validate({**facts, "pixel_mm": 2.0})
    findings = tuple(each.model_copy(update={"concern": 3}) for each in before.findings)
    now = before.model_copy(update={"tokens": tokens, "findings": findings})
    for kind in ObjectKind:
        assert reading_uids(kind, before, FACTS) == reading_uids(kind, now, FACTS)


def test_kinds_have_their_own_uids() -> None:
    uids = {compose(reading(), FACTS).SOPInstanceUID for compose in COMPOSERS.values()}
    assert len(uids) == len(COMPOSERS)


@pytest.mark.parametrize(
    ("kind", "replaced"),
    [
        (ObjectKind.AI_RESULT, {ObjectKind.AI_RESULT, ObjectKind.NO_RESULT}),
        (ObjectKind.DRAFT_REPORT, {ObjectKind.DRAFT_REPORT, ObjectKind.NO_RESULT}),
        (ObjectKind.NO_RESULT, set(ObjectKind) - BESIDE_REPORTS),
    ],
)
def test_predecessors(kind: ObjectKind, replaced: set[ObjectKind]) -> None:
    all_ = {each: _predecessor(each, number) for number, each in enumerate(ObjectKind)}
    document = COMPOSERS[kind](reading(), replace(FACTS, predecessors=tuple(all_.values())))
    named = {
        sop.ReferencedSOPInstanceUID
        for study in document.PredecessorDocumentsSequence
        for each in study.ReferencedSeriesSequence
        for sop in each.ReferencedSOPSequence
    }
    assert named == {all_[each].sop_instance_uid for each in replaced}


def test_a_first_document_has_no_predecessor(compose: Composer) -> None:
    assert "PredecessorDocumentsSequence" not in compose(reading(), FACTS)


def test_the_draft_names_the_result_of_the_same_job() -> None:
    result = compose_ai_result(reading(), headers(), FACTS)
    draft = compose_draft_report(reading(), headers(), FACTS)
    assert f"{result.SOPInstanceUID}" in draft.to_json()


def test_times_are_those_of_the_job(compose: Composer) -> None:
    document = compose(reading(), FACTS)
    assert (document.ContentDate, document.ContentTime) == ("20260102", "111213.000000")
    assert (document.InstanceCreationDate, document.SeriesDate) == ("20260102", "20260102")
    assert "TimezoneOffsetFromUTC" not in document  # would re-date the study's own dates, whose zone nobody knows


def test_facts_without_zone_or_digest_are_refused() -> None:
    with pytest.raises(UnusableEvidence, match="zone"):
        DocumentFacts(datetime(2026, 1, 1), "ab")
    with pytest.raises(UnusableEvidence, match="input_digest"):
        DocumentFacts(datetime(2026, 1, 1, tzinfo=UTC), "")


def test_uids_are_valid_and_spread() -> None:
    uids = {derived_uid("a", str(number)) for number in range(1000)} | {derived_uid("a1", "0"), derived_uid("a", "10")}
    assert len(uids) == 1001  # ("a", "10") is one of the thousand
    assert all(UID(uid).is_valid and len(uid) <= 64 and uid.startswith("2.25.") for uid in uids)
    assert derived_uid("ab", "c") != derived_uid("a", "bc")


def test_file_names_its_transfer_syntax_and_implementation(compose: Composer, tmp_path: Path) -> None:
    path = tmp_path / "document.dcm"
    path.write_bytes(write_bytes(compose(reading(), FACTS)))
    meta = dcmread(path).file_meta
    assert meta.TransferSyntaxUID == "1.2.840.10008.1.2.1"
    assert meta.ImplementationVersionName.startswith("PACSAGENT_")
    assert BUNDLE.digest not in str(meta)


def test_headers_that_contradict_the_reading_are_refused() -> None:
    with pytest.raises(UnusableEvidence, match="studies"):
        compose_ai_result(reading(), [], FACTS)
    with pytest.raises(UnusableEvidence, match="headers of one study"):
        compose_ai_result(reading(), [*headers(), *headers(StudyInstanceUID="1.2.3")], FACTS)
    with pytest.raises(UnusableEvidence, match="1 slices have no header"):
        compose_draft_report(reading(of=series(5)), headers(4), FACTS)
    with pytest.raises(UnusableEvidence, match="the reading is of study"):
        compose_ai_result(reading(), headers(StudyInstanceUID="1.2.3"), FACTS)
    with pytest.raises(UnusableEvidence, match="no findings"):
        compose_ai_result(reading().model_copy(update={"findings": ()}), headers(), FACTS)
    with pytest.raises(UnusableEvidence):
        compose_no_result(REFUSAL, [], FACTS)
    with pytest.raises(UnusableEvidence):
        compose_no_result(REFUSAL, headers(StudyInstanceUID=None), FACTS)
