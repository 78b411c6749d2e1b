"""The DICOM conformance statement says what the code does: SOP classes, syntaxes, statuses, resources, documents."""

import inspect
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from flask import Flask
from pydicom.dataset import Dataset
from pydicom.sr.coding import Code
from pydicom.uid import UID, BasicTextSRStorage, Comprehensive3DSRStorage, CTImageStorage

from pacs_agent.archive import (
    IMPLEMENTATION_CLASS_UID,
    IMPLEMENTATION_VERSION_NAME,
    STORAGE_SOP_CLASSES,
    TRANSFER_SYNTAXES,
    Archive,
)
from pacs_agent.archive.dicomweb import dicomweb_blueprint
from pacs_agent.archive.dicomweb.attributes import ATTRIBUTES
from pacs_agent.assemble.verdict import OPEN_TIMES
from pacs_agent.bring_in import MOST_FOUND
from pacs_agent.bring_in import dimse as bring_in_dimse
from pacs_agent.config import DimseTlsSettings, Settings
from pacs_agent.db import Database
from pacs_agent.deliver.answer import Verdict, verdict_of
from pacs_agent.deliver.commitment import SAME_ASSOCIATION_S
from pacs_agent.deliver.kinds import KINDS
from pacs_agent.deliver.vouching import CLASS_INSTANCE_CONFLICT
from pacs_agent.imaging.measure import Measured
from pacs_agent.imaging.series import OrderedSeries, Plane, Slice
from pacs_agent.inference.heat import Field as HeatField
from pacs_agent.inference.heat import heat_of
from pacs_agent.inference.reading import (
    BundleIdentity,
    FindingLabel,
    FindingReading,
    Presence,
    PriorStudy,
    SaliencyMap,
    Sentence,
    SliceEvidence,
    StudyReading,
)
from pacs_agent.inference.reading import Code as ReadingCode
from pacs_agent.inference.segmented import Segmentation, SegmentedRegion, Structure
from pacs_agent.inference.tokens import slice_token
from pacs_agent.ops.dicom_tls import CIPHER_SUITES, HANDSHAKE_TIMEOUT_S
from pacs_agent.receive import Intake, attendance, commitment
from pacs_agent.receive import refusal as refusals
from pacs_agent.receive.contexts import SERVICE_TRANSFER_SYNTAXES
from pacs_agent.receive.places import IDLE_S
from pacs_agent.receive.services import MISTYPED_ARGUMENT, PROCESSING_FAILURE, RESOURCE_LIMITATION
from pacs_agent.receive.store import NOT_AUTHORISED, SUCCESS
from pacs_agent.receive.wire.negotiation import MOST_AT_A_TIME, SMALLEST_MAXIMUM_BYTES
from pacs_agent.receive.wire.pdus import LARGEST_REQUEST_BYTES, MAXIMUM_PDU_BYTES
from pacs_agent.results import (
    REASONS,
    Action,
    DocumentFacts,
    FindingReview,
    InstanceReference,
    ObjectKind,
    Predecessor,
    Refusal,
    ReviewedReading,
    Reviewer,
    codes,
    compose_ai_result,
    compose_assessment,
    compose_draft_report,
    compose_key_objects,
    compose_no_result,
    compose_saliency_map,
    compose_secondary_capture,
    compose_segmentation,
    compose_verified_report,
    since_prior,
)
from pacs_agent.results.document import SERIES_NUMBERS
from pacs_agent.results.facts import BESIDE_REPORTS
from pacs_agent.results.text import character_set

STATEMENT = (Path(__file__).resolve().parents[2] / "docs" / "conformance.md").read_text(encoding="utf-8")


def section(title: str) -> str:
    """The text under a heading of any depth, up to the next heading."""
    found = re.search(rf"^#+ {re.escape(title)}\n(.*?)(?=^#|\Z)", STATEMENT, re.MULTILINE | re.DOTALL)
    assert found, f"the statement has no section {title!r}"
    return found.group(1)


def rows(title: str) -> list[str]:
    """The lines of the tables of a section, without their heads."""
    lines = [line for line in section(title).splitlines() if line.startswith("|")]
    ruled = [number for number, line in enumerate(lines) if set(line) <= set("|-")]
    return [line for number, line in enumerate(lines) if number not in ruled and number + 1 not in ruled]


def test_storage_sop_classes() -> None:
    assert rows("3.1.2 SOP classes") == [
        f"| Verification | {UID('1.2.840.10008.1.1')} |",
        *(f"| {name} | {uid} |" for uid, name in STORAGE_SOP_CLASSES.items()),
    ]


def test_transfer_syntaxes() -> None:
    assert rows("3.1.3 Transfer syntaxes") == [f"| {name} | {uid} |" for uid, name in TRANSFER_SYNTAXES.items()]
    assert all(UID(uid).name in section("3.1.3 Transfer syntaxes") for uid in SERVICE_TRANSFER_SYNTAXES)


def status_rows() -> Iterator[str]:
    kinds = [each for _, each in inspect.getmembers(refusals, inspect.isclass) if issubclass(each, refusals.Refusal)]
    for kind in sorted(kinds, key=lambda each: each.status):
        if kind is not refusals.Refusal:
            yield f"| 0x{kind.status:04X} | {kind.reason} | {inspect.getdoc(kind)} |"


def test_statuses() -> None:
    success, not_authorised, *refused = rows("3.1.4 Statuses of C-STORE")
    assert success.startswith(f"| 0x{SUCCESS:04X} |")
    assert not_authorised.startswith(f"| 0x{NOT_AUTHORISED:04X} |")
    assert refused == list(status_rows())


def test_meaning_of_answers() -> None:
    stated = [tuple(cell.strip() for cell in row.split("|")[1:3]) for row in rows("3.2.2 Storage as SCU")]
    assert stated
    assert stated == [(status, str(verdict_of(int(status, 16)))) for status, _ in stated]
    assert {verdict for _, verdict in stated} == set(Verdict)


def test_association_limits() -> None:
    settings = Settings().dimse
    assert rows("3.1.1 Associations") == [
        f"| AE title | {settings.ae_title} | `dimse.ae_title` |",
        f"| TCP port | {settings.port} | `dimse.port` |",
        f"| address | {settings.host} | `dimse.host` |",
        f"| associations at a time | {settings.max_associations} | `dimse.max_associations` |",
        f"| network and DIMSE time-out | {settings.network_timeout_s:g} s | `dimse.network_timeout_s` |",
        f"| associations of one AE title at one address | {settings.max_associations_per_peer} "
        "| `dimse.max_associations_per_peer` |",
        f"| negotiation time-out | {settings.negotiation_timeout_s:g} s | `dimse.negotiation_timeout_s` |",
        f"| time for a PDU | {settings.pdu_timeout_s:g} s | `dimse.pdu_timeout_s` |",
        f"| time for a message | {settings.message_timeout_s:g} s | `dimse.message_timeout_s` |",
        f"| largest instance | {settings.max_object_mb} MB | `dimse.max_object_mb` |",
        f"| largest association request | {LARGEST_REQUEST_BYTES} bytes | fixed |",
        f"| smallest maximum PDU length of the peer | {SMALLEST_MAXIMUM_BYTES} bytes | fixed |",
        f"| asynchronous operations performed | {MOST_AT_A_TIME}, over TLS 1 | fixed |",
        f"| maximum PDU length received | {MAXIMUM_PDU_BYTES} bytes | fixed |",
        f"| implementation class UID | {IMPLEMENTATION_CLASS_UID} | fixed |",
        f"| implementation version name | {IMPLEMENTATION_VERSION_NAME} | fixed |",
    ]


def _path(rule: str) -> str:
    """A Flask rule in the notation of PS3.18."""
    return re.sub(r"<(?:path:)?(\w+)>", r"{\1}", rule)


def test_dicomweb_resources(database: Database, tmp_path: Path) -> None:
    app = Flask("statement")
    archive = Archive(database, tmp_path)
    app.register_blueprint(dicomweb_blueprint(archive, Intake(database, archive)))
    served = {
        f"| {method} | `{_path(rule.rule)}` |"
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        if rule.endpoint != "static"
    }
    assert {row.rsplit("|", 2)[0] + "|" for row in rows("3.3.1 Resources")} == served


def test_query_attributes() -> None:
    assert rows("3.3.2 Search attributes") == [
        f"| {each.keyword} | ({each.tag[:4]},{each.tag[4:]}) | {each.level.name.lower()} | {each.matching.value} |"
        for each in ATTRIBUTES
    ]


def test_kinds_of_destination() -> None:
    described = rows("3.2.1 Destinations")
    assert [row.split("`")[1] for row in described] == list(KINDS)
    for row, kind in zip(described, KINDS.values(), strict=True):
        assert re.findall(r"`(\w+)`", row)[1:] == list(kind.settings_type.model_fields)


@pytest.mark.parametrize("term", ["ISO_IR 192", "GB18030", "GBK", "ISO_IR 100", "ISO 2022 IR 87", "ISO 2022 IR 58"])
def test_character_sets(term: str) -> None:
    assert character_set(term) == term
    assert f"`{term}`" in section("6 Character sets")


# the documents we write


def _documents() -> dict[ObjectKind, Dataset]:
    """One document of each kind with everything an image can give it."""
    header, reading, facts = _header(), _reading(), _facts()
    return {
        ObjectKind.AI_RESULT: compose_ai_result(reading, [header], facts),
        ObjectKind.DRAFT_REPORT: compose_draft_report(reading, [header], facts),
        ObjectKind.NO_RESULT: compose_no_result(Refusal("localizer", "only localizers"), [header], facts),
        ObjectKind.ASSESSMENT: compose_assessment(_reviewed(reading, header), facts),
        ObjectKind.VERIFIED_REPORT: compose_verified_report(_reviewed(reading, header), facts),
        ObjectKind.SEGMENTATION: compose_segmentation(_segmentation(reading), [_with_geometry(header)], facts),
        ObjectKind.KEY_OBJECTS: compose_key_objects(reading, [header], facts)[0],
        ObjectKind.SALIENCY_MAP: _saliency_map(reading, header, facts),
        ObjectKind.SECONDARY_CAPTURE: compose_secondary_capture(reading, [header], facts),
    }


def _saliency_map(reading: StudyReading, header: Dataset, facts: DocumentFacts) -> Dataset:
    token = slice_token(np.zeros(1, np.float32), np.zeros((1, 1, 1), np.float32), np.zeros(2, np.float32))
    heat = heat_of(token, 0, reading.series.slices[0], HeatField((1, 1), 1.0))
    drawn = SaliencyMap(finding="nodule", form="images", digest="ab")
    return compose_saliency_map(drawn, [heat], reading, [header], facts)


def _segmentation(reading: StudyReading) -> Segmentation:
    lung = ReadingCode(value="39607008", scheme="SCT", meaning="Lung")
    measured = Measured(
        volume_ml=1,
        longest_diameter_mm=1,
        diameter_slice=0,
        diameter_ends_mm=((0, 0, 0), (1, 0, 0)),
        short_diameter_mm=1,
        mean_hu=0,
        sd_hu=0,
    )
    region = SegmentedRegion(
        structure=Structure("lung", "Lung", lung, lung, (1, 2, 3), "organ"),
        number=1,
        side="left",
        box=(slice(0, 1), slice(0, 1), slice(0, 1)),
        crop=np.ones((1, 1, 1), np.bool_),
        measured=measured,
    )
    return Segmentation(reading.bundle, reading.series, (region,))


def _with_geometry(header: Dataset) -> Dataset:
    header.Rows = header.Columns = 1
    header.ImagePositionPatient, header.ImageOrientationPatient = [0, 0, 0], [1, 0, 0, 0, 1, 0]
    header.PixelSpacing, header.RescaleSlope, header.RescaleIntercept, header.Modality = [1, 1], 1, 0, "CT"
    header.LossyImageCompression, header.LossyImageCompressionRatio = "01", 10
    header.LossyImageCompressionMethod = "ISO_10918_1"
    return header


def _reviewed(reading: StudyReading, header: Dataset) -> ReviewedReading:
    return ReviewedReading(
        reading=reading,
        read_at=_facts().composed_at,
        version=1,
        verified=True,
        reviewer=Reviewer(login="ada", name="Ada", person_name="Lovelace^Ada"),
        organization="Hospital",
        findings=(FindingReview(finding="nodule", action=Action.ACCEPTED),),
        text=None,
        ai_result=InstanceReference("1.2.1", "1.2.5", Comprehensive3DSRStorage, "1.2.6"),
        draft_report=InstanceReference("1.2.1", "1.2.7", BasicTextSRStorage, "1.2.8"),
        images={},
        header=header,
    )


def _header() -> Dataset:
    header = Dataset()
    header.SOPClassUID, header.SOPInstanceUID = CTImageStorage, "1.2.3.1"
    header.StudyInstanceUID, header.SeriesInstanceUID = "1.2.1", "1.2.2"
    header.StudyDescription, header.Manufacturer, header.IssuerOfPatientID = "CT", "SCANNERS", "HOSP"
    header.PatientIdentityRemoved, header.DeidentificationMethod = "YES", "basic"
    header.IssuerOfPatientIDQualifiersSequence = [Dataset()]
    header.IssuerOfAccessionNumberSequence = [Dataset()]
    return header


def _facts() -> DocumentFacts:
    predecessors = tuple(Predecessor(kind, CTImageStorage, "1.2", "1.2.1", "1.4") for kind in ObjectKind)
    return DocumentFacts(datetime(2026, 1, 2, tzinfo=UTC), "ab" * 32, predecessors)


def _reading() -> StudyReading:
    lung = ReadingCode(value="39607008", scheme="SCT", meaning="Lung")
    one = Slice(
        path=Path("a"),
        sop_instance_uid="1.2.3.1",
        sop_class_uid=CTImageStorage,
        frame_number=None,
        z_mm=0,
        position_mm=(0, 0, 0),
        orientation=(1, 0, 0, 0, 1, 0),
        rows=1,
        columns=1,
        spacing_mm=(1, 1),
        slope=1,
        intercept=0,
    )
    finding = FindingReading(
        label=FindingLabel(key="nodule", name="Nodule", code=lung, site=lung),
        probability=0.9,
        operating_point=0.5,
        presence=Presence.PRESENT,
        slice_weights=(1.0,),
        evidence=(SliceEvidence(index=0, sop_instance_uid="1.2.3.1", frame_number=None, weight=1.0),),
    )
    series = OrderedSeries(
        study_instance_uid="1.2.1",
        series_instance_uid="1.2.2",
        frame_of_reference_uid="1.2.4",
        modality="CT",
        plane=Plane.AXIAL,
        description="",
        body_part="CHEST",
        slices=(one,),
    )
    bundle = BundleIdentity(
        name="model",
        version="1",
        digest="ab",
        device_uid="2.25.1",
        manufacturer="maker",
        intended_use="use",
        training_data="data",
        demo=False,
    )
    said = (Sentence(text="A nodule.", findings=("nodule",), positive=True),)
    read = StudyReading(bundle=bundle, series=series, findings=(finding,), sentences=said, impression=said)
    prior = PriorStudy(study_instance_uid="1.2.0", study_date="20250503", job_id="earlier")
    return read.model_copy(update={"since_prior": since_prior(read, read, prior)})


def test_created_documents() -> None:
    expected = [
        f"| {kind.value} | {UID(document.SOPClassUID).name} | {document.SOPClassUID} "
        f"| {_template(document)} | {SERIES_NUMBERS[kind]} |"
        for kind, document in _documents().items()
    ]
    assert rows("8.1 Created documents") == expected


def _template(document: Dataset) -> str:
    templates = document.get("ContentTemplateSequence")
    return f"TID {templates[0].TemplateIdentifier}" if templates else "–"


def test_storage_commitment() -> None:
    name, uid = UID(commitment.PUSH_MODEL).name.removesuffix(" SOP Class"), commitment.PUSH_MODEL
    table = rows("3.1.5 Storage Commitment")
    assert table[0] == f"| {name} | {uid} | {commitment.PUSH_MODEL_INSTANCE} |"
    statuses = (
        *(SUCCESS, PROCESSING_FAILURE, commitment.NO_SUCH_INSTANCE, commitment.NO_SUCH_EVENT),
        *(commitment.NO_SUCH_ARGUMENT, commitment.INVALID_ARGUMENT, commitment.NO_SUCH_CLASS),
        *(commitment.NO_SUCH_ACTION, commitment.NOT_AUTHORISED, MISTYPED_ARGUMENT, RESOURCE_LIMITATION),
    )
    stated = [row.split("|")[1].strip() for row in table if row.startswith("| 0x")]
    assert stated == [f"0x{status:04X}" for status in statuses]
    assert f"most {commitment.MOST_INSTANCES} instances" in section("3.1.5 Storage Commitment")
    reasons = [row.split("|")[1].strip() for row in rows("3.2.4 Storage Commitment as SCP")]
    assert reasons == [f"0x{reason:04X}" for reason in (commitment.NO_SUCH_INSTANCE, CLASS_INSTANCE_CONFLICT)]
    assert f"for {SAME_ASSOCIATION_S:g} s" in section("3.2.3 Storage Commitment as SCU")


def test_associations_that_stay_open() -> None:
    assert IDLE_S == 600
    assert "for ten minutes at least, gives way" in section("3.1.1 Associations")
    assert OPEN_TIMES == 4
    assert "the quiet time is four times as long" in STATEMENT
    aborted_mb = attendance.READ_TO_NOWHERE_TIMES * attendance.LARGEST_REQUEST_BYTES >> 20
    assert f"One larger than {aborted_mb} MB is aborted" in section("3.1.5 Storage Commitment")


def test_cipher_suites() -> None:
    assert rows("7.1 DICOM over TLS") == [f"| `{suite}` |" for suite in CIPHER_SUITES]
    assert f"port {DimseTlsSettings.model_fields['port'].default}" in section("7.1 DICOM over TLS")
    assert f"take {HANDSHAKE_TIMEOUT_S:g} s" in section("7.1 DICOM over TLS")


def test_query_retrieve_of_bring_in() -> None:
    stated = [tuple(cell.strip() for cell in row.split("|")[1:3]) for row in rows("3.4 Bring in")]
    used = (f"StudyRootQueryRetrieveInformationModel{operation}" for operation in ("Find", "Move", "Get"))
    assert stated == [(UID(uid).name, uid) for uid in (getattr(bring_in_dimse, name) for name in used)]
    assert f"first {MOST_FOUND} answers" in section("3.4 Bring in")


def test_attributes_of_created_documents() -> None:
    documents = _documents().values()
    tags = sorted({element.tag for document in documents for element in document})
    names = {element.tag: element.keyword for document in documents for element in document}
    stated = [tuple(cell.strip() for cell in row.split("|")[1:3]) for row in rows("8.2 Attributes")]
    assert stated == [(names[tag], f"({tag.group:04X},{tag.element:04X})") for tag in tags]


def test_headings_of_text_documents() -> None:
    headings = {
        item.ConceptNameCodeSequence[0].CodeMeaning
        for kind, document in _documents().items()
        if kind not in {ObjectKind.AI_RESULT, ObjectKind.ASSESSMENT} | BESIDE_REPORTS
        for item in document.ContentSequence
        if item.ValueType == "CONTAINER"
    }
    assert headings == {row.split("|")[3].strip() for row in rows("8.4 Draft report and no result")}


def test_local_codes() -> None:
    local = [
        code for code in vars(codes).values() if isinstance(code, Code) and code.scheme_designator == codes.LOCAL_SCHEME
    ]
    assert rows("8.5 Local codes") == [f"| {code.value} | {code.meaning} |" for code in local]
    assert f"`{codes.LOCAL_SCHEME}`" in section("8.5 Local codes")


def test_reasons_for_rejecting() -> None:
    stated = re.findall(r"`([A-Z_]+)`", section("8.5 Local codes").partition("A reason for rejecting")[2])
    assert stated == [code.value for code in map(codes.reason_code, REASONS) if code]


def test_actions_of_a_review() -> None:
    assert [row.split("|")[1].strip() for row in rows("8.7 Assessment and verified report")] == list(Action)
