"""A reading of several series: every document names the right series, and the images of all."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import dcmread
from pydicom.dataset import Dataset
from review_cases import ACCEPTED, ADDED, documents_of_review, reviewed
from segmented_cases import AXIAL, CORONAL, OBLIQUE
from several_series import (
    OTHER_FRAME_UID,
    SAGITTAL,
    distance,
    mr_headers,
    several_series,
    stacks_of_headers,
    staged,
)
from study_readings import FACTS, FRAME_OF_REFERENCE_UID

from pacs_agent.inference import Heat, SaliencyMap, StudyReading
from pacs_agent.inference.heat import Field, heat_of
from pacs_agent.inference.reading import FindingReading
from pacs_agent.inference.tokens import slice_token
from pacs_agent.results import (
    SliceSeen,
    Subject,
    UnusableEvidence,
    compose_ai_result,
    compose_diagnostic_report,
    compose_draft_report,
    compose_key_objects,
    compose_saliency_map,
    write_bytes,
)
from tests.judges import available_judges, dciodvfy, errors, judge_all
from tests.judges.content_tree import Node, named, tree
from tests.judges.rules import complaints

Place = tuple[str, str]
"""Series and instance."""


def _listed(document: Dataset, keyword: str = "CurrentRequestedProcedureEvidenceSequence") -> set[Place]:
    return {
        (series.SeriesInstanceUID, sop.ReferencedSOPInstanceUID)
        for study in document.get(keyword, [])
        for series in study.ReferencedSeriesSequence
        for sop in series.ReferencedSOPSequence
    }


def _of_study(evidence: Sequence[Dataset]) -> set[Place]:
    return {(str(one.SeriesInstanceUID), str(one.SOPInstanceUID)) for one in evidence}


def _result(read: StudyReading | None = None) -> Node:
    case, evidence = several_series()
    return tree(compose_ai_result(read or case, evidence, FACTS))


def _groups(root: Node) -> list[Node]:
    return [group for each in named(root, "126010") for group in each.children]


def _distance_groups(root: Node) -> list[Node]:
    return [group for group in _groups(root) if list(named(group, "121112", deep=False))]


def test_the_image_library_has_a_group_for_each_series() -> None:
    read, evidence = several_series()
    [library] = named(_result(), "111028")
    images = [
        [
            each.item.ReferencedSOPSequence[0].ReferencedSOPInstanceUID
            for each in group.children
            if each.value_type == "IMAGE"
        ]
        for group in library.children
    ]
    assert images == [[one.sop_instance_uid for one in of.slices] for of in read.all_series]
    assert sum(map(len, images)) == len(evidence)
    frames = [node.item.UID for group in library.children for node in named(group, "112227")]
    assert frames == [FRAME_OF_REFERENCE_UID] * 3 + [OTHER_FRAME_UID] * 2


def test_the_evidence_is_every_image_that_was_read() -> None:
    read, evidence = several_series()
    for compose in (compose_ai_result, compose_draft_report):
        assert _of_study(evidence) <= _listed(compose(read, evidence, FACTS))


def test_points_lie_in_the_frame_of_reference_of_their_series() -> None:
    read, _ = several_series()
    frame_of = {one.sop_instance_uid: of.frame_of_reference_uid for of in read.all_series for one in of.slices}
    seen = set()
    for group in _groups(_result()):
        weights = list(named(group, "SLICE_EVIDENCE", deep=False))
        for weight, peak in zip(weights, named(group, "PEAK_HEAT", deep=False), strict=True):
            uid = weight.children[0].item.ReferencedSOPSequence[0].ReferencedSOPInstanceUID
            assert peak.children[0].item.ReferencedFrameOfReferenceUID == frame_of[uid]
            seen.add(frame_of[uid])
    assert seen == {FRAME_OF_REFERENCE_UID, OTHER_FRAME_UID}


def test_key_objects_name_the_series_of_their_slices() -> None:
    read, evidence = several_series()
    found = compose_key_objects(read, evidence, FACTS)
    assert len(found) == sum(bool(one.evidence) for one in read.findings)
    for one in found:
        assert complaints(dcmread(BytesIO(write_bytes(one)))) == []
        assert _listed(one) <= _of_study(evidence)
    assert len({series for one in found for series, _ in _listed(one)}) == 4


def test_documents_of_a_review_name_the_series_of_their_slices() -> None:
    read, evidence = several_series()
    accepted = ACCEPTED.model_copy(update={"finding": "t_stage"})
    last = evidence[-1]
    seen = SliceSeen(sop_instance_uid=str(last.SOPInstanceUID), frame_number=None)
    added = ADDED.model_copy(update={"finding": "emvi", "slice": seen})
    documents = documents_of_review(reviewed(accepted, added, case=(read, evidence)))
    for document in documents.values():
        assert complaints(dcmread(BytesIO(write_bytes(document)))) == []
    named_images = {place for place in _listed(documents["verified_report"]) if not place[1].startswith("2.25.")}
    assert named_images <= _of_study(evidence)
    assert len({series for series, _ in named_images}) == 4


def test_levels_are_codes_of_our_own() -> None:
    levels = {node.item.ConceptCodeSequence[0].CodeMeaning: node for node in named(_result(), "GRADE")}
    assert set(levels) == {"middle", "T3", "internal"}
    assert levels["T3"].item.ConceptCodeSequence[0].CodeValue == "T_STAGE_T3"


def test_distances_are_numbers_with_their_ends() -> None:
    read, _ = several_series()
    margin, length = _distance_groups(_result())
    for group, said in ((margin, read.distances[0]), (length, read.distances[1])):
        [number] = (node for node in group.children if node.value_type == "NUM")
        [value] = number.item.MeasuredValueSequence
        assert (value.NumericValue, value.MeasurementUnitsCodeSequence[0].CodeValue) == (said.value_mm, "mm")
        assert number.name == said.name
        [line] = (node.item for node in number.children if node.value_type == "SCOORD3D")
        assert line.ReferencedFrameOfReferenceUID == said.frame_of_reference_uid
        np.testing.assert_allclose(np.reshape(line.GraphicData, (2, 3)), said.ends_mm, rtol=1e-5)
        [source] = named(group, "121112", deep=False)
        shown = source.item.ReferencedSOPSequence[0].ReferencedSOPInstanceUID
        of = next(one for one in read.all_series if one.series_instance_uid == said.series_instance_uid)
        assert shown == of.slices[1].sop_instance_uid


def test_reports_say_distances_once() -> None:
    read, evidence = several_series()
    texts = [
        node.item.TextValue
        for node in tree(compose_draft_report(read, evidence, FACTS)).walk()
        if node.value_type == "TEXT"
    ]
    assert "Involved circumferential resection margin: present. Distance to the mesorectal fascia 2.4 mm." in texts
    assert "Rectal tumour: present. Length of the tumour 41.7 mm." in texts
    told = tuple(
        one.model_copy(update={"text": "The margin is 2.4 mm."}) if one.findings == ("crm",) else one
        for one in read.sentences
    )
    again = compose_draft_report(read.model_copy(update={"sentences": told}), evidence, FACTS)
    assert sum("2.4 mm" in node.item.TextValue for node in tree(again).walk() if node.value_type == "TEXT") == 1


def test_a_distance_of_no_frame_of_reference_has_no_coordinates() -> None:
    stored = mr_headers(1, FrameOfReferenceUID=None)
    root = tree(compose_ai_result(staged([stored]), stored, FACTS))
    [group] = _distance_groups(root)
    [number] = (node for node in group.children if node.value_type == "NUM")
    assert number.children
    assert all(node.value_type != "SCOORD3D" for node in group.walk())


@pytest.mark.parametrize(
    ("update", "words"),
    [
        ({"finding": "perforation"}, "no finding of the model"),
        ({"series_instance_uid": "1.2.3"}, "was not read"),
        ({"frame_of_reference_uid": OTHER_FRAME_UID}, "frame of reference"),
        ({"value_mm": float("nan")}, "nan mm"),
        ({"value_mm": -1.0}, "not negative"),
        ({"ends_mm": ((0.0, 0.0, 0.0), (0.0, float("inf"), 0.0))}, "inf"),
    ],
)
def test_a_distance_that_cannot_be_is_refused(update: dict[str, object], words: str) -> None:
    read, evidence = several_series()
    odd = distance(read.series).model_copy(update=update)
    with pytest.raises(UnusableEvidence, match=words):
        compose_ai_result(read.model_copy(update={"distances": (odd,)}), evidence, FACTS)


def test_headers_of_one_series_alone_are_refused() -> None:
    read, _ = several_series()
    with pytest.raises(UnusableEvidence, match="slices have no header"):
        compose_ai_result(read, stacks_of_headers()[0], FACTS)


def test_fhir_names_every_series_once_and_every_distance() -> None:
    read, _ = several_series()
    report = compose_diagnostic_report(read, Subject(), "2.25.1", FACTS)
    [study] = (one for one in report["contained"] if one["resourceType"] == "ImagingStudy")
    assert [one["uid"] for one in study["series"]] == list(
        dict.fromkeys(of.series_instance_uid for of in read.all_series)
    )
    lengths = [
        part["valueQuantity"]["value"]
        for one in report["contained"]
        for part in one.get("component", [])
        if part.get("valueQuantity", {}).get("unit") == "mm"
    ]
    assert sorted(lengths) == [2.4, 41.7]


def _maps(read: StudyReading, form: str) -> Iterator[tuple[SaliencyMap, list[Heat]]]:
    for number, of in enumerate(read.all_series):
        drawn = SaliencyMap.model_validate({"finding": "crm", "series": number, "form": form, "digest": f"{number}"})
        token = slice_token(np.zeros(4, np.float32), np.ones((1, 3, 3), np.float32), np.array([10, 12], np.float32))
        yield drawn, [heat_of(token, 0, one, Field((12, 12), 1.5)) for one in of.slices]


@pytest.mark.parametrize("form", ["patches", "images"])
def test_there_is_a_map_on_each_series(form: str, tmp_path: Path) -> None:
    read, evidence = several_series()
    drawn = list(_maps(read, form))
    read = read.model_copy(update={"saliency_maps": tuple(each for each, _ in drawn)})
    maps = [compose_saliency_map(each, heats, read, evidence, FACTS) for each, heats in drawn]
    assert len({one.SOPInstanceUID for one in maps}) == len(read.all_series)
    for one, of in zip(maps, read.all_series, strict=True):
        assert one.FrameOfReferenceUID == of.frame_of_reference_uid
        assert [each.SeriesInstanceUID for each in one.ReferencedSeriesSequence] == [of.series_instance_uid]
        assert one.NumberOfFrames == len(of.slices)
        path = tmp_path / "map.dcm"
        path.write_bytes(write_bytes(one))
        assert errors(dciodvfy.verdicts(path)) == []
    result = compose_ai_result(read, evidence, FACTS)
    shown = [node.item.ReferencedSOPSequence[0].ReferencedSOPInstanceUID for node in named(tree(result), "130401")]
    assert shown == [one.SOPInstanceUID for one in maps]
    assert {(one.SeriesInstanceUID, one.SOPInstanceUID) for one in maps} <= _listed(result)


def test_a_reading_of_one_series_has_the_uids_that_it_had() -> None:
    stored = mr_headers(1)
    read = staged([stored]).model_copy(update={"distances": ()})
    now = compose_ai_result(read, stored, FACTS)
    kept = StudyReading.model_validate(read.model_dump(exclude={"further_series": True, "distances": True}))
    assert compose_ai_result(kept, stored, FACTS).SOPInstanceUID == now.SOPInstanceUID
    measured = compose_ai_result(read.model_copy(update={"distances": (distance(read.series),)}), stored, FACTS)
    assert measured.SOPInstanceUID != now.SOPInstanceUID


ORIENTATIONS = st.sampled_from([AXIAL, SAGITTAL, CORONAL, OBLIQUE])
FRAMES = st.sampled_from([FRAME_OF_REFERENCE_UID, OTHER_FRAME_UID, None])
STACKS = st.lists(st.tuples(ORIENTATIONS, st.integers(1, 3), FRAMES), min_size=1, max_size=4)


@settings(max_examples=10)
@given(STACKS)
def test_whatever_series_are_read_all_references_are_of_the_study(
    stacks: list[tuple[Sequence[float], int, str | None]],
) -> None:
    stored = [
        mr_headers(number, orientation, count, FrameOfReferenceUID=frame)
        for number, (orientation, count, frame) in enumerate(stacks, start=1)
    ]
    read, evidence = staged(stored), [one for of in stored for one in of]
    known = _of_study(evidence)
    result, draft = compose_ai_result(read, evidence, FACTS), compose_draft_report(read, evidence, FACTS)
    assert _listed(result) == known
    assert _listed(draft) == known | {(result.SeriesInstanceUID, result.SOPInstanceUID)}
    for document in (result, draft, *compose_key_objects(read, evidence, FACTS)):
        written = dcmread(BytesIO(write_bytes(document)))
        assert complaints(written) == []
        assert {series for series, _ in _listed(written)} <= {series for series, _ in known} | {
            result.SeriesInstanceUID
        }


@pytest.mark.peers
@pytest.mark.slow
def test_all_judges_take_documents_of_several_series(tmp_path: Path) -> None:
    assert len(available_judges()) >= 4
    read, evidence = several_series()
    few: tuple[FindingReading, ...] = tuple(
        one for one in read.findings if one.label.key in ("tumour", "crm", "t_stage")
    )
    read = read.model_copy(update={"findings": few})
    none = mr_headers(1, FrameOfReferenceUID=None)
    without = staged([none]).model_copy(update={"findings": staged([none]).findings[:5]})
    documents = {
        "result": compose_ai_result(read, evidence, FACTS),
        "draft": compose_draft_report(read, evidence, FACTS),
        "key": compose_key_objects(read, evidence, FACTS)[0],
        "no frame of reference": compose_ai_result(without, none, replace(FACTS, input_digest="ee")),
    }
    for name, document in documents.items():
        (tmp_path / f"{name}.dcm").write_bytes(write_bytes(document))
    found = judge_all(sorted(tmp_path.glob("*.dcm")))
    assert {path.stem: errors(verdicts) for path, verdicts in found.items() if errors(verdicts)} == {}
