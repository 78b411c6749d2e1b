"""Measurements in the AI result, tied to segments and findings; numbers in sentences on findings that are present."""

import math
import re
from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import pytest
from measured_cases import measured_case, on_the_left, without_lesions
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import Tag
from segmented_cases import SEGMENTER, image_headers, ordered, segmentation
from study_readings import FACTS

from pacs_agent.inference.reading import Presence, StudyReading
from pacs_agent.results import (
    UnusableEvidence,
    compose_ai_result,
    compose_draft_report,
    compose_segmentation,
    with_measurements,
    write_bytes,
)
from tests.judges import dciodvfy, errors, judge_all
from tests.judges.content_tree import Node, named, tree
from tests.judges.rules import verdicts as our_verdicts

ALL_SORTS = ("axial", "oblique", "enhanced", "no frame of reference")


def _measured(case: str = "axial", **presence: Presence) -> tuple[StudyReading, list[Dataset]]:
    read, found, stored = measured_case(case, **presence)
    return with_measurements(read, found, stored), stored


def _said(read: StudyReading, key: str) -> str:
    [text] = [one.text for one in read.sentences if one.findings == (key,)]
    return text


def _groups(document: Dataset) -> list[Node]:
    groups = [group for each in named(tree(document), "126010") for group in each.children]
    return [group for group in groups if any(named(group, "121191", deep=False))]


def _value(group: Node, concept: str) -> float:
    return float(next(named(group, concept, deep=False)).item.MeasuredValueSequence[0].NumericValue)


@pytest.mark.parametrize("case", ALL_SORTS)
def test_documents_with_measurements_keep_our_rules_and_dciodvfys(case: str, tmp_path: Path) -> None:
    read, stored = _measured(case)
    for compose in (compose_ai_result, compose_draft_report):
        path = tmp_path / "document.dcm"
        path.write_bytes(write_bytes(compose(read, stored, FACTS)))
        assert our_verdicts(path) == []
        assert errors(dciodvfy.verdicts(path)) == []


@pytest.mark.peers
@pytest.mark.slow
def test_all_judges_pass_documents_with_measurements(tmp_path: Path) -> None:
    for case in ("axial", "enhanced"):
        read, stored = _measured(case, effusion=Presence.ABSENT)
        (tmp_path / f"{case}.dcm").write_bytes(write_bytes(compose_ai_result(read, stored, FACTS)))
    found = judge_all(sorted(tmp_path.glob("*.dcm")))
    assert {path.stem: errors(verdicts) for path, verdicts in found.items() if errors(verdicts)} == {}


def test_a_group_without_its_segment_is_caught(tmp_path: Path) -> None:
    read, stored = _measured()
    document = compose_ai_result(read, stored, FACTS)
    group = _groups(document)[2].item
    group.ContentSequence = [
        item for item in group.ContentSequence if item.ConceptNameCodeSequence[0].CodeValue != "121191"
    ]
    path = tmp_path / "broken.dcm"
    path.write_bytes(write_bytes(document))
    assert our_verdicts(path) != []


def test_each_group_refers_to_its_segment() -> None:
    read, found, stored = measured_case()
    outlined = compose_segmentation(found, stored, FACTS)
    groups = _groups(compose_ai_result(with_measurements(read, found, stored), stored, FACTS))
    assert len(groups) == len(found.regions)
    for group, segment in zip(groups, outlined.SegmentSequence, strict=True):
        [reference] = next(named(group, "121191", deep=False)).item.ReferencedSOPSequence
        assert reference.ReferencedSOPInstanceUID == outlined.SOPInstanceUID
        assert reference.ReferencedSegmentNumber == segment.SegmentNumber
        assert segment.TrackingUID == next(named(group, "112040", deep=False)).item.UID
        assert next(named(group, "112039", deep=False)).item.TextValue == segment.TrackingID


def test_what_a_group_says() -> None:
    """The effusion: 3 slices 2 mm apart of 3 × 6 pixels of 1.5 × 1.25 mm, less 3 pixels; on the finding's site."""
    read, stored = _measured()
    [group] = [one for one in _groups(compose_ai_result(read, stored, FACTS)) if "effusion" in _text(one, "112039")]
    assert _value(group, "118565006") == pytest.approx((3 * 18 - 3) * 1.5 * 1.25 * 2 / 1000, abs=5e-4)
    assert _value(group, "103339001") == pytest.approx(math.hypot(6 * 1.25, 2 * 1.5), abs=0.01)
    means = [node.item.MeasuredValueSequence[0].NumericValue for node in named(group, "112031", deep=False)]
    assert means == [12, 0]
    assert _code(group, "121071") == "60046008"
    assert _code(group, "363698007") == "3120008"
    assert _text(group, "111001") == SEGMENTER.name


def _text(group: Node, concept: str) -> str:
    return str(next(named(group, concept, deep=False)).item.TextValue)


def _code(group: Node, concept: str) -> str:
    return str(next(named(group, concept, deep=False)).item.ConceptCodeSequence[0].CodeValue)


def test_an_outline_alone_makes_no_finding() -> None:
    """The group is there and says that the finding is not; no sentence has a number of it."""
    read, stored = _measured(effusion=Presence.ABSENT)
    [group] = [one for one in _groups(compose_ai_result(read, stored, FACTS)) if "effusion" in _text(one, "112039")]
    assert _code(group, "121052") == "272519000"
    assert not re.search(r"\d", _said(read, "pleural_effusion"))
    assert re.search(r"\d", _said(read, "nodule"))


def test_numbers_are_said_of_what_is_present() -> None:
    read, _ = _measured()
    assert _said(read, "pleural_effusion").endswith(" By segmentation, its volume is 0.2 mL on the right.")
    # rows 15 to 17 are 4.5 mm, columns 12 to 14 3.75 mm
    assert _said(read, "nodule").endswith(" By segmentation, it measures 5 by 5 mm, image 5.")
    assert read.sentences[-1].text == "Volumes by segmentation: right lung 1.2 mL, left lung 0.8 mL."


def test_no_number_is_said_of_what_is_uncertain_or_was_not_segmented() -> None:
    read, _ = _measured(nodule=Presence.UNCERTAIN)
    assert "segmentation" not in _said(read, "nodule")
    before, found, stored = measured_case()
    without = with_measurements(before, without_lesions(found), stored)
    assert _said(without, "pleural_effusion") == _said(before, "pleural_effusion")


def test_an_image_number_that_cannot_be_read_costs_nothing_else() -> None:
    read, found, stored = measured_case()
    broken = deepcopy(stored)
    for header in broken:
        header[0x00200013] = RawDataElement(Tag(0x00200013), "IS", 6, b"1e400 ", 0, False, True)
    assert ", image " in _said(with_measurements(read, found, stored), "nodule")
    said = _said(with_measurements(read, found, broken), "nodule")
    assert " mm" in said
    assert "image" not in said


def test_no_number_is_said_of_another_side() -> None:
    before, found, stored = measured_case()
    read = with_measurements(on_the_left(before, "pleural_effusion"), found, stored)
    assert "segmentation" not in _said(read, "pleural_effusion")


@pytest.mark.parametrize("case", ["axial", "enhanced"])
@pytest.mark.parametrize("nodule", Presence)
@pytest.mark.parametrize("effusion", Presence)
def test_every_number_in_the_text_was_measured(case: str, nodule: Presence, effusion: Presence) -> None:
    before, _, _ = measured_case(case, nodule, effusion)
    assert not any(re.search(r"\d", one.text) for one in (*before.sentences, *before.impression))
    read, stored = _measured(case, nodule=nodule, effusion=effusion)
    assert read.measurements is not None
    measured = [one.measured for one in read.measurements.regions]
    known = {f"{value:.{digits}f}" for one in measured for value in _numbers(one) for digits in (0, 1)}
    images = {str(one.frame_number or index) for one in read.series.slices for index in range(1, len(stored) + 1)}
    for sentence in (*read.sentences, *read.impression):
        for number in re.findall(r"\d+(?:\.\d+)?", sentence.text):
            assert number in known | images


def _numbers(one: object) -> list[float]:
    return [getattr(one, name) for name in ("volume_ml", "longest_diameter_mm", "short_diameter_mm")]


def test_the_draft_report_has_the_words() -> None:
    read, stored = _measured()
    said = [
        node.item.TextValue
        for node in tree(compose_draft_report(read, stored, FACTS)).walk()
        if "TextValue" in node.item
    ]
    assert [one.text for one in read.sentences if one.text in said] == [one.text for one in read.sentences]


def test_a_reading_without_measurements_is_written_as_before() -> None:
    read, found, stored = measured_case()
    assert _groups(compose_ai_result(read, stored, FACTS)) == []
    with_nothing = with_measurements(read, replace(found, regions=()), stored)
    assert _groups(compose_ai_result(with_nothing, stored, FACTS)) == []
    assert with_nothing.sentences == read.sentences


def test_another_series_is_refused() -> None:
    read, _, stored = measured_case()
    other = image_headers(SeriesInstanceUID="1.2.3.4")
    with pytest.raises(UnusableEvidence, match="segment the series that is read"):
        with_measurements(read, segmentation(ordered(other)), stored)
