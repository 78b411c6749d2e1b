"""What the documents say, item by item."""

import time
from collections.abc import Callable
from io import BytesIO
from typing import Any

import pytest
from highdicom.sr import Comprehensive3DSR
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import BasicTextSRStorage, Comprehensive3DSRStorage, SegmentationStorage
from study_readings import FACTS, FRAME_OF_REFERENCE_UID, finding, headers, reading, series

from pacs_agent.inference.attributes import Attributes
from pacs_agent.inference.reading import Presence
from pacs_agent.results import (
    Refusal,
    UnusableEvidence,
    compose_ai_result,
    compose_draft_report,
    compose_no_result,
    write_bytes,
)
from tests.judges.content_tree import Node, named, tree


def _groups(document: Dataset) -> list[Node]:
    return [group for measurements in named(tree(document), "126010") for group in measurements.children]


def _code(node: Node) -> str:
    item = node.item.ConceptCodeSequence[0]
    return str(item.get("CodeValue") or item.LongCodeValue)


def _number(node: Node) -> float:
    return float(node.item.MeasuredValueSequence[0].NumericValue)


def test_ai_result_is_tid_1500() -> None:
    document = compose_ai_result(reading(), headers(), FACTS)
    assert document.SOPClassUID == Comprehensive3DSRStorage
    assert document.ContentTemplateSequence[0].TemplateIdentifier == "1500"
    assert [node.code[0] for node in tree(document).children if node.value_type == "CONTAINER"] == [
        "111028",
        "126010",
        "121070",
        "121072",
    ]


def test_every_finding_has_a_group_and_only_those_not_absent_have_slices() -> None:
    read = reading("present", series(12), findings_read=9)
    document = compose_ai_result(read, headers(12), FACTS)
    for group, expected in zip(_groups(document), read.findings, strict=True):
        items = {node.code[0]: node for node in group.children}
        assert items["112039"].item.TextValue == expected.label.key
        assert _code(items["121071"]) == expected.label.code.value
        assert _number(items["122157"]) == pytest.approx(100 * expected.probability)
        assert _number(items["121052"].children[0]) == pytest.approx(100 * expected.operating_point)
        slices = [
            node.children[0].item.ReferencedSOPSequence[0].ReferencedSOPInstanceUID
            for node in named(group, "SLICE_EVIDENCE")
        ]
        assert slices == [each.sop_instance_uid for each in expected.evidence]


def _qualities(group: Node) -> dict[str, str]:
    """Qualitative evaluations of a group beside presence: concept → value."""
    codes = [node for node in group.children if node.value_type == "CODE" and node.relationship == "CONTAINS"]
    return {node.code[0]: _code(node) for node in codes if node.code[0] not in ("276214006", "121071", "121052")}


def _sites(group: Node) -> list[tuple[str, ...]]:
    return [tuple(_code(each) for each in site.walk()) for site in named(group, "363698007", deep=False)]


LUNG, RIGHT, LEFT, BOTH = "39607008", "24028007", "7771000", "51440002"
UPPER, MIDDLE, LOWER = "45653009", "72481006", "90572001"


@pytest.mark.parametrize(
    ("said", "sites"),
    [
        (Attributes(), [(LUNG,)]),
        (Attributes(sides=("left",)), [(LUNG, LEFT)]),
        (Attributes(sides=("right", "left")), [(LUNG, BOTH)]),
        (Attributes(lobes=("left lower lobe",)), [(LOWER, LEFT)]),
        (Attributes(lobes=("right middle lobe",)), [(MIDDLE,)]),
        (
            Attributes(sides=("right", "left"), lobes=("right upper lobe", "right middle lobe", "left upper lobe")),
            [(UPPER, RIGHT), (MIDDLE,), (UPPER, LEFT)],
        ),
    ],
)
def test_sides_and_lobes_are_finding_sites(said: Attributes, sites: list[tuple[str, ...]]) -> None:
    read = reading()
    found = read.findings[0].model_copy(update={"attributes": said})
    document = compose_ai_result(read.model_copy(update={"findings": (found,)}), headers(), FACTS)
    (group,) = _groups(document)
    assert _sites(group) == sites


@pytest.mark.parametrize(
    ("said", "words", "qualities"),
    [
        (Attributes(), ("mild", "moderate", "severe"), {}),
        (Attributes(grade=2), ("mild", "moderate", "extensive"), {"246112005": "24484000"}),
        (Attributes(grade=0), ("small", "moderate", "large"), {"112025": "255507004"}),
        (Attributes(grade=1), (), {"246112005": "6736007"}),
        (Attributes(count="many"), (), {"246206008": "COUNT_MANY"}),
        (
            Attributes(grade=1, count="one"),
            ("small", "medium-sized", "large"),
            {"112025": "255508009", "246206008": "COUNT_ONE"},
        ),
    ],
)
def test_grade_and_count_are_qualities(said: Attributes, words: tuple[str, ...], qualities: dict[str, str]) -> None:
    read = reading()
    found = read.findings[0].model_copy(update={"attributes": said, "grades": words})
    document = compose_ai_result(read.model_copy(update={"findings": (found,)}), headers(), FACTS)
    (group,) = _groups(document)
    assert _qualities(group) == qualities


def test_where_a_finding_is_strongest_is_a_point_in_the_patient() -> None:
    read = reading("present", series(12))
    document = compose_ai_result(read, headers(12), FACTS)
    for group, expected in zip(_groups(document), read.findings, strict=True):
        peaks = list(named(group, "PEAK_HEAT", deep=False))
        points = [node.children[0].item for node in peaks]
        found = [tuple(point.GraphicData) for point in points]
        assert found == [pytest.approx(each.peak_mm) for each in expected.evidence]
        assert [_number(node) for node in peaks] == [
            pytest.approx(100 * each.peak_heat, abs=1e-4) for each in expected.evidence
        ]
        assert {point.ReferencedFrameOfReferenceUID for point in points} <= {FRAME_OF_REFERENCE_UID}


def test_a_point_that_is_no_place_is_refused() -> None:
    read = reading()
    strong = read.findings[0].evidence[0].model_copy(update={"peak_mm": (0.0, float("nan"), 0.0)})
    wrong = read.findings[0].model_copy(update={"evidence": (strong,)})
    with pytest.raises(UnusableEvidence, match="no place in the patient"):
        compose_ai_result(read.model_copy(update={"findings": (wrong,)}), headers(), FACTS)


def test_the_bands_and_the_method_are_parameters_of_the_algorithm() -> None:
    document = compose_ai_result(reading(), headers(), FACTS)
    parameters = [[node.item.TextValue for node in named(group, "111002")] for group in _groups(document)]
    assert parameters == [["slice evidence by slice weights", "operating point 50.0 %", "uncertain from 40.0 %"]] * 3


@pytest.mark.parametrize(
    ("presence", "value"),
    [(Presence.PRESENT, "52101004"), (Presence.ABSENT, "272519000"), (Presence.UNCERTAIN, "373068000")],
)
def test_presence_is_coded_by_cid_240(presence: Presence, value: str) -> None:
    of = series()
    read = reading().model_copy(update={"findings": (finding(0, 0.4, presence, of=of),)})
    document = compose_ai_result(read, headers(), FACTS)
    assert [_code(node) for node in named(tree(document), "121052")] == [value]


def test_a_finding_keeps_its_tracking_uid_in_a_new_document() -> None:
    first = compose_ai_result(reading("present"), headers(), FACTS)
    second = compose_ai_result(reading("uncertain"), headers(), FACTS)
    uids = [[node.item.UID for node in named(tree(each), "112040")] for each in (first, second)]
    assert uids[0] == uids[1]


def test_image_library_lists_every_image_once() -> None:
    document = compose_ai_result(reading(), headers(), FACTS)
    (library,) = named(tree(document), "111028")
    (group,) = library.children
    images = [node for node in group.children if node.value_type == "IMAGE"]
    assert [node.item.ReferencedSOPSequence[0].ReferencedSOPInstanceUID for node in images] == [
        each.SOPInstanceUID for each in headers()
    ]
    assert [node.item.UID for node in named(group, "112227")] == [FRAME_OF_REFERENCE_UID]


def test_frames_of_a_multi_frame_image_are_referenced_by_number() -> None:
    of = series(9, frames=True)
    document = compose_ai_result(
        reading("present", of), headers(1, SOPClassUID=of.slices[0].sop_class_uid, NumberOfFrames=9), FACTS
    )
    frames = [
        node.children[0].item.ReferencedSOPSequence[0].ReferencedFrameNumber
        for node in named(tree(document), "SLICE_EVIDENCE")
    ]
    assert frames == [1, 2, 3, 3, 4, 5]
    (library,) = named(tree(document), "111028")
    (image,) = [node for node in library.walk() if node.value_type == "IMAGE"]
    assert "ReferencedFrameNumber" not in image.item.ReferencedSOPSequence[0]


def test_positive_sentences_name_their_findings_and_slices_negative_ones_no_slices() -> None:
    document = compose_draft_report(reading("present"), headers(), FACTS)
    (section,) = named(tree(document), "59776-5")
    kinds = [[child.value_type for child in sentence.children] for sentence in section.children]
    assert kinds == [["CODE", "IMAGE", "IMAGE", "IMAGE"], ["CODE"], ["CODE", "IMAGE", "IMAGE", "IMAGE"]]
    assert {child.relationship for sentence in section.children for child in sentence.children} == {"INFERRED FROM"}


def test_draft_report_without_findings_has_no_key_images() -> None:
    sections = [node.code[0] for node in tree(compose_draft_report(reading("nothing"), headers(), FACTS)).children]
    assert "55113-5" not in sections
    assert "59776-5" in sections


def test_a_product_model_is_not_called_a_demonstration() -> None:
    document = compose_ai_result(reading(demo=False), headers(), FACTS)
    assert "clinical use" not in document.to_json().replace("Demonstration of the workflow", "")
    assert document.SeriesDescription == "AI result: AI-generated, unverified"


def test_no_result_says_why_in_code_and_words() -> None:
    document = compose_no_result(Refusal("too_few_slices", "12 slices, 60 are needed"), headers(), FACTS)
    assert document.SOPClassUID == BasicTextSRStorage
    conclusions = list(named(tree(document), "121077"))
    assert [_code(node) for node in conclusions[:2]] == ["NO_RESULT", "too_few_slices"]
    assert conclusions[1].item.ConceptCodeSequence[0].CodeMeaning == "Too few slices"
    assert "12 slices, 60 are needed" in conclusions[2].item.TextValue


def test_no_result_of_a_study_without_images() -> None:
    document = compose_no_result(
        Refusal("no_images", "no images"), headers(1, SOPClassUID=SegmentationStorage, Modality="SEG"), FACTS
    )
    (reported,) = named(tree(document), "121058")
    assert _code(reported) == "363679005"


@pytest.mark.parametrize("probability", [-0.01, 1.01, float("nan"), float("inf")])
def test_a_probability_that_is_none_is_refused(probability: float) -> None:
    read = reading()
    wrong = read.findings[0].model_copy(update={"probability": probability})
    with pytest.raises(UnusableEvidence, match="from 0 to 1"):
        compose_ai_result(read.model_copy(update={"findings": (wrong,)}), headers(), FACTS)


@pytest.mark.parametrize("change", [{"sop_instance_uid": "1.2.3"}, {"index": 4}, {"index": -1}, {"frame_number": 1}])
@pytest.mark.parametrize("compose", [compose_ai_result, compose_draft_report])
def test_evidence_that_names_another_slice_is_refused(compose: Callable[..., Dataset], change: dict[str, Any]) -> None:
    read = reading()
    strong = read.findings[0].evidence[0].model_copy(update=change)
    wrong = read.findings[0].model_copy(update={"evidence": (strong,)})
    with pytest.raises(UnusableEvidence, match="another image there, or none"):
        compose(read.model_copy(update={"findings": (wrong,)}), headers(), FACTS)


def test_highdicom_reads_the_ai_result() -> None:
    read = reading("present", series(12), findings_read=9)
    written = dcmread(BytesIO(write_bytes(compose_ai_result(read, headers(12), FACTS))))
    groups = Comprehensive3DSR.from_dataset(written).content.get_image_measurement_groups()
    assert [group.tracking_identifier for group in groups] == [each.label.key for each in read.findings]
    for group, expected in zip(groups, read.findings, strict=True):
        probability, *numbers = group.get_measurements()
        weights = numbers[::2]  # each is followed by its point
        assert probability.value == pytest.approx(100 * expected.probability)
        assert [weight.referenced_images[0].referenced_sop_instance_uid for weight in weights] == [
            each.sop_instance_uid for each in expected.evidence
        ]


@pytest.mark.alone
def test_nine_findings_on_three_hundred_slices_are_composed_quickly() -> None:
    read, evidence = reading("present", series(300), findings_read=9), headers(300)

    def seconds() -> float:
        started = time.process_time()
        compose_ai_result(read, evidence, FACTS)
        return time.process_time() - started

    assert min(seconds() for _ in range(8)) < 0.15
