"""CT of several phases: contrast and phase by attributes first, kernels told apart, and what is no scan named so."""

import random
from typing import Any

import pytest
from ct_acquisitions import AGENT, enhanced_ct, enhanced_frame, moved, scan
from hypothesis import given, settings
from hypothesis import strategies as st
from imaging_slices import ct_slice, headers
from pydicom import Dataset
from test_imaging_geometry import CORONAL

from pacs_agent.imaging import Correction, is_same_scan, reconstruction_order
from pacs_agent.imaging.acquisition import BolusPhase, Component, Contrast, Stack, Weighting, group_study

ARTERIAL, PORTAL, DELAYED = BolusPhase.ARTERIAL, BolusPhase.PORTAL_VENOUS, BolusPhase.DELAYED


def stacks_of(*parts: list[Dataset]) -> tuple[Stack, ...]:
    return group_study(headers([dataset for part in parts for dataset in part])).stacks


def phases_of(*parts: list[Dataset]) -> dict[int, tuple[int, int] | None]:
    """Number and count of the phase by series number."""
    found = stacks_of(*parts)
    return {
        one.series_number: (one.phase.value.number, one.phase.value.count) if one.phase.value else None for one in found
    }


def test_phases_are_in_order_of_time_with_bolus_and_reason() -> None:
    found = stacks_of(
        scan(9, "100000", "Abd nativ 3.0"),
        scan(4, "100530", "Abd ART 1.5 B30f", **AGENT),
        scan(2, "100610", "PV phase", **AGENT),
        scan(3, "101030", "DELAYED 5 MIN", **AGENT),
    )
    by_number = {one.series_number: one for one in found}
    assert [by_number[number].name for number in (9, 4, 2, 3)] == [
        "CT axial, before contrast, phase 1 of 4",
        "CT axial, after contrast, arterial, phase 2 of 4",
        "CT axial, after contrast, portal venous, phase 3 of 4",
        "CT axial, after contrast, delayed, phase 4 of 4",
    ]
    assert by_number[2].phase.value and by_number[2].phase.value.after_first_s == 370
    assert "portal venous: the description says so" in by_number[2].reason
    assert "phase 3 of 4: in order of time of acquisition" in by_number[2].reason


def test_reconstructions_of_one_scan_are_one_phase_and_told_apart() -> None:
    found = stacks_of(
        scan(2, "100000", ConvolutionKernel="B30f"),
        scan(3, "100530", ConvolutionKernel=["Br40f", "3"], **AGENT),
        scan(4, "100531", ConvolutionKernel="B70f", **AGENT),
        scan(5, "100530.5", count=3, gap_mm=4.0, ConvolutionKernel="B30f", **AGENT),
    )
    assert [one.phase.value and one.phase.value.number for one in found] == [1, 2, 2, 2]
    assert [one.name.rpartition("kernel ")[2] for one in found] == ["B30f", "Br40f 3", "B70f", "B30f"]
    native, soft, sharp, thick = found
    assert not any(is_same_scan(native, one) for one in (soft, sharp, thick))
    assert is_same_scan(soft, sharp) and is_same_scan(thick, soft)
    assert sorted((thick, sharp, soft), key=reconstruction_order) == [soft, thick, sharp]


def test_a_scan_is_known_by_its_irradiation_event_before_its_time() -> None:
    one, other = {"IrradiationEventUID": "1.9.1"}, {"IrradiationEventUID": "1.9.2"}
    found = phases_of(scan(1, "100000", **one), scan(2, "100004", **one), scan(3, "100005", **other))
    assert found == {1: (1, 2), 2: (1, 2), 3: (2, 2)}


def test_a_kernel_of_its_own_series_belongs_to_a_phase_of_a_series_of_several() -> None:
    several = [scan(2, time, AcquisitionNumber=i) for i, time in enumerate(("100000", "100030"))]
    found = stacks_of(*several, scan(3, "100031", ConvolutionKernel="B70f"))
    assert [one.phase.value and one.phase.value.number for one in found] == [1, 2, 2]
    untimed = [scan(2, "100000", TemporalPositionIdentifier=i) for i in (1, 2)]
    assert [one.phase.value and one.phase.value.number for one in stacks_of(*untimed)] == [1, 2]


def test_both_kernels_in_one_series_are_two_stacks_of_one_phase() -> None:
    found = stacks_of(*[scan(2, "100000", ConvolutionKernel=kernel) for kernel in ("B30f", "B70f")])
    assert sorted((one.kernel, len(one.frames)) for one in found) == [("B30f", 6), ("B70f", 6)]
    assert [one.phase.value for one in found] == [None, None]


def test_phases_in_one_series_are_split() -> None:
    found = stacks_of(*[scan(2, time, AcquisitionNumber=i) for i, time in enumerate(("100000", "100030", "100100"))])
    assert [(len(one.frames), one.phase.value and one.phase.value.number) for one in found] == [(6, 1), (6, 2), (6, 3)]
    assert found[1].phase.reason == "AcquisitionNumber numbers the images of each place"


def test_a_scan_of_the_trunk_is_a_phase_of_one_of_the_liver() -> None:
    liver, trunk, head = scan(2, "100500", count=5), scan(3, "100540", count=30), scan(4, "100400", count=5)
    assert phases_of(liver, trunk, moved(head, 500)) == {2: (1, 2), 3: (2, 2), 4: None}


def test_without_times_the_names_of_the_phases_tell_their_order() -> None:
    found = stacks_of(
        scan(2, None, "Leber venös"), scan(3, None, "Leber arteriell"), scan(4, None, "Leber nativ"), scan(5, None)
    )
    assert [one.phase.value and one.phase.value.number for one in found] == [3, 2, 1, None]
    assert "times are not known" in found[0].phase.reason


def test_the_time_an_image_was_computed_says_nothing_of_phases() -> None:
    assert phases_of(scan(2, None, ContentTime="100000"), scan(3, None, ContentTime="100300")) == {2: None, 3: None}


@pytest.mark.parametrize(
    ("attributes", "contrast"),
    [
        ({}, Contrast.NONE_NAMED),
        (AGENT, Contrast.AFTER),
        ({**AGENT, "SeriesDescription": "W/O"}, Contrast.BEFORE),
        ({**AGENT, "ContrastBolusStartTime": "100100"}, Contrast.BEFORE),
        ({**AGENT, "ContrastBolusStartTime": "095900"}, Contrast.AFTER),
        ({"ContrastBolusAgent": "ORAL"}, Contrast.NONE_NAMED),
        ({"ContrastBolusAgent": "Telebrix", "ContrastBolusRoute": "p.o."}, Contrast.NONE_NAMED),
        ({"ContrastBolusAgent": "ORAL & IV"}, Contrast.AFTER),
        ({"SeriesDescription": "+C"}, Contrast.AFTER),
        ({"SeriesDescription": "CTA Aorta"}, Contrast.AFTER),
    ],
)
def test_contrast_of_ct(attributes: dict[str, Any], contrast: Contrast) -> None:
    [found] = stacks_of(scan(2, "100000", **attributes))
    assert found.contrast.value is contrast


@pytest.mark.parametrize("bolus", [{"description": "Abd art"}, {"description": "PreMonitoring", "count": 1}])
def test_what_was_taken_before_the_bolus_came_is_before_contrast(
    bolus: dict[str, Any],
) -> None:
    found = stacks_of(scan(2, "100000", "Abd 3.0", **AGENT), scan(3, "100500", **bolus, **AGENT))
    assert found[0].contrast.value is Contrast.BEFORE
    assert found[0].contrast.reason.endswith("but it was taken before the bolus came")


@pytest.mark.parametrize(
    ("attributes", "weighting", "component"),
    [
        ({"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER", "CT_SOM5 TOP"]}, Weighting.LOCALIZER, Component.MAGNITUDE),
        ({"ImageType": ["DERIVED", "SECONDARY", "OTHER", "CT_SOM5 PROT"]}, Weighting.LOCALIZER, Component.MAGNITUDE),
        ({"SeriesDescription": "Dose Report"}, Weighting.LOCALIZER, Component.MAGNITUDE),
        ({"SeriesDescription": "VNC 1.5"}, Weighting.MAP, Component.MAGNITUDE),
        ({"ImageType": ["DERIVED", "SECONDARY", "REFORMATTED", "AVERAGE"]}, Weighting.ATTENUATION, Component.REFORMAT),
        ({"ImageType": ["DERIVED", "SECONDARY", "AXIAL", "CT_SOM5 MPR"]}, Weighting.ATTENUATION, Component.REFORMAT),
        ({"ImageType": ["DERIVED", "SECONDARY", "MIP"]}, Weighting.ATTENUATION, Component.PROJECTION),
        ({"SeriesDescription": "Thorax MIP 10.0"}, Weighting.ATTENUATION, Component.PROJECTION),
        ({"ImageType": ["DERIVED", "PRIMARY", "AXIAL"]}, Weighting.ATTENUATION, Component.MAGNITUDE),
    ],
)
def test_what_is_no_scan_is_told_as_what_it_is(
    attributes: dict[str, Any], weighting: Weighting, component: Component
) -> None:
    [found] = stacks_of([ct_slice(**attributes)])
    assert (found.weighting.value, found.component.value) == (weighting, component)
    assert weighting is Weighting.ATTENUATION or "says" in found.reason or "the image type holds" in found.reason


def test_a_reformat_has_the_phase_of_its_scan_and_is_none_itself() -> None:
    coronal = [
        ct_slice((0, 2.0 * i, 0), CORONAL, ImageType=["DERIVED", "SECONDARY", "AXIAL"], SeriesInstanceUID="1.3.7",
                 SeriesNumber=7, AcquisitionTime="100530", StudyDate="20260102", SeriesDescription="")
        for i in range(4)
    ]  # fmt: skip
    found = stacks_of(scan(2, "100000"), scan(3, "100530", **AGENT), coronal)
    assert (found[2].component.value, found[2].phase.value) == (Component.REFORMAT, found[1].phase.value)
    assert "reformat: derived coronal slices" in found[2].reason


def test_a_screenshot_is_left_out_as_what_it_is() -> None:
    page = ct_slice(
        SOPClassUID="1.2.840.10008.5.1.4.1.1.7", ImageType=["DERIVED", "SECONDARY"], SeriesDescription="Dose Report"
    )
    [left_out] = group_study(headers([page])).left_out
    assert left_out.reason == (
        "no slice of CT or MR: it is of Secondary Capture Image Storage, by its description a page that nobody reads"
    )


def test_enhanced_ct_of_several_phases_and_kernels() -> None:
    phases = (("100000", "PRE_CONTRAST"), ("100500", "ARTERIAL"), ("100540", "PORTAL_VENOUS"))
    frames = [
        enhanced_frame(2.0 * z, time, phase, kernel)
        for kernel in ("STANDARD", "LUNG")
        for time, phase in phases
        for z in range(4)
    ]
    found = stacks_of([enhanced_ct(frames, SeriesDescription="")])
    assert sorted(one.name for one in found) == [
        f"CT axial, {said}, kernel {kernel}"
        for said in (
            "after contrast, arterial, phase 2 of 3",
            "after contrast, portal venous, phase 3 of 3",
            "before contrast, phase 1 of 3",
        )
        for kernel in ("LUNG", "STANDARD")
    ]
    assert all(len(one.frames) == 4 for one in found)
    assert any("ContrastBolusAgentPhase is ARTERIAL" in one.reason for one in found)


def test_corrections_stand_before_what_ct_says() -> None:
    said = Correction("scanner 3", contrast=Contrast.AFTER, bolus_phase=PORTAL)
    [found] = group_study(headers(scan(2, "100000", "Abd nativ")), lambda _: (said,)).stacks
    assert (found.bolus_phase.value, found.contrast.value) == (PORTAL, Contrast.AFTER)
    assert found.corrected_by == ("scanner 3",)


TIMES = st.lists(st.integers(0, 3000), min_size=1, max_size=5, unique=True)


@given(TIMES, st.randoms(use_true_random=False))
@settings(max_examples=15)
def test_phases_follow_time_whatever_the_order_of_files_and_numbers(minutes: list[int], shuffle: random.Random) -> None:
    clock = {number: f"{8 + m // 600:02d}{m // 10 % 60:02d}{m % 10 * 6:02d}" for number, m in enumerate(minutes, 1)}
    files = [dataset for number, time in clock.items() for dataset in scan(number, time, count=3)]
    shuffle.shuffle(files)
    found = phases_of(files)
    if len(minutes) == 1:
        assert found == {1: None}
        return
    order = sorted(clock, key=lambda number: clock[number])
    assert [found[number] for number in order] == [(place, len(order)) for place in range(1, len(order) + 1)]


@given(st.lists(st.sampled_from([ARTERIAL, PORTAL, DELAYED]), min_size=2, max_size=3, unique=True))
@settings(max_examples=10)
def test_named_phases_without_times_come_in_the_order_of_a_bolus(phases: list[BolusPhase]) -> None:
    found = phases_of(*[scan(number, None, f"Abd {phase}", count=2) for number, phase in enumerate(phases, 1)])
    order = sorted(range(len(phases)), key=lambda place: list(BolusPhase).index(phases[place]))
    assert [found[place + 1] for place in order] == [(place, len(phases)) for place in range(1, len(phases) + 1)]


@given(st.lists(st.tuples(st.sampled_from(["B30f", "B70f", "STANDARD", ""]), st.booleans()), min_size=1, max_size=4))
@settings(max_examples=15)
def test_every_slice_of_ct_is_in_one_stack(made: list[tuple[str, bool]]) -> None:
    parts = [
        scan(number, "100000", count=3, ConvolutionKernel=kernel or None, **(AGENT if agent else {}))
        for number, (kernel, agent) in enumerate(made, 1)
        if kernel
    ]
    found = stacks_of(*parts)
    uids = [frame.header.sop_instance_uid for one in found for frame in one.frames]
    assert len(uids) == len(set(uids)) == 3 * len(parts)
    assert all(is_same_scan(one, other) == is_same_scan(other, one) for one in found for other in found)
