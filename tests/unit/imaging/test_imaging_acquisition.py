"""Sequences, b-values, contrast and phases by attributes first, each with its reason."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from imaging_slices import CTImageStorage, headers, saved, stack
from mr_acquisitions import (
    EPI,
    PD_TSE,
    T1_TSE,
    T2_TSE,
    VIBE,
    enhanced_mr,
    frame_at,
    item,
    mr_slice,
    mr_stack,
    shared_axial,
)
from pydicom import Dataset
from pydicom.datadict import dictionary_VR
from pydicom.dataelem import RawDataElement
from pydicom.tag import Tag

from pacs_agent.imaging import read_headers
from pacs_agent.imaging.acquisition import Component, Contrast, Nulling, Stack, Weighting, group_study


def stacks_of(*parts: list[Dataset]) -> tuple[Stack, ...]:
    return group_study(headers([dataset for part in parts for dataset in part])).stacks


def only(*parts: list[Dataset]) -> Stack:
    [found] = stacks_of(*parts)
    return found


DERIVED = {"ImageType": ["DERIVED", "SECONDARY"]}
INVERTED = {"ScanningSequence": ["SE", "IR"]}


@pytest.mark.parametrize(
    ("attributes", "weighting", "nulling"),
    [
        (T2_TSE, Weighting.T2, Nulling.NONE),
        (T1_TSE, Weighting.T1, Nulling.NONE),
        (PD_TSE, Weighting.PROTON_DENSITY, Nulling.NONE),
        (T2_TSE | {"RepetitionTime": 900, "EchoTime": 90}, Weighting.T2, Nulling.NONE),  # HASTE
        (T2_TSE | {"ScanOptions": ["PFP", "FS"]}, Weighting.T2, Nulling.FAT),
        (T2_TSE | INVERTED | {"EchoTime": 60, "InversionTime": 160}, Weighting.T2, Nulling.FAT),
        (T2_TSE | INVERTED | {"RepetitionTime": 9000, "InversionTime": 2500}, Weighting.T2, Nulling.FLUID),
        (T1_TSE | INVERTED | {"RepetitionTime": 2000, "InversionTime": 860}, Weighting.T1, Nulling.FLUID),
        (T2_TSE | {"InversionTime": 160}, Weighting.T2, Nulling.NONE),  # of a spectral pulse, not of the sequence
        (VIBE, Weighting.T1, Nulling.NONE),
        (VIBE | {"ScanningSequence": ["GR", "IR"], "FlipAngle": 9, "InversionTime": 900}, Weighting.T1, Nulling.NONE),
        (VIBE | {"EchoTime": 20, "RepetitionTime": 28}, Weighting.T2_STAR, Nulling.NONE),
        (VIBE | {"SequenceVariant": ["SS", "SK"], "FlipAngle": 55}, Weighting.BALANCED, Nulling.NONE),
        (EPI | {"DiffusionBValue": 800.0}, Weighting.DIFFUSION, Nulling.NONE),
        (EPI | {"ImageType": ["DERIVED", "PRIMARY", "DIFFUSION", "ADC", "ND"]}, Weighting.ADC, Nulling.NONE),
        (EPI | {"ImageType": ["DERIVED", "PRIMARY", "DIFFUSION", "TRACEW"]}, Weighting.DIFFUSION, Nulling.NONE),
        (EPI, Weighting.UNKNOWN, Nulling.NONE),
        ({}, Weighting.UNKNOWN, Nulling.NONE),
    ],
)
def test_attributes_alone(attributes: dict[str, Any], weighting: Weighting, nulling: Nulling) -> None:
    found = only(mr_stack(**attributes))
    assert (found.weighting.value, found.nulling.value) == (weighting, nulling)
    assert found.weighting.value.value in found.reason


@pytest.mark.parametrize(
    ("attributes", "description", "weighting", "reason"),
    [
        (T2_TSE, "t1_tse_tra", Weighting.T2, "though SeriesDescription says t1_tse_tra"),
        (T1_TSE, "t1_tse_tra", Weighting.T1, "SE with echo time 11 ms, repetition time 650 ms"),
        (T1_TSE | {"RepetitionTime": 1400}, "PD TSE", Weighting.PROTON_DENSITY, "SeriesDescription says PD TSE"),
        (VIBE | {"FlipAngle": 8}, "tfl_3d PD ref_tra", Weighting.PROTON_DENSITY, "SeriesDescription"),
        (VIBE | {"FlipAngle": 14, "RepetitionTime": 800}, "", Weighting.PROTON_DENSITY, "most likely by GR with"),
        (VIBE | {"FlipAngle": 9}, "", Weighting.T1, "most likely by GR with echo time 1.8 ms"),
        (
            EPI | DERIVED | {"DiffusionBValue": 800.0},
            "ADC map",
            Weighting.ADC,
            "ADC map of a derived image, and its b-value",
        ),
        (EPI | {"DiffusionBValue": 800.0}, "DWI + ADC", Weighting.DIFFUSION, "though SeriesDescription says"),
        (VIBE | {"AngioFlag": "Y"}, "", Weighting.TIME_OF_FLIGHT, "AngioFlag is Y"),
        (VIBE | {"FlipAngle": 6, "AngioFlag": "Y", "ContrastBolusAgent": "Gd"}, "", Weighting.T1, "most likely by GR"),
        (VIBE, "localizer", Weighting.LOCALIZER, "SeriesDescription says localizer"),
        (VIBE, "TOF_3D", Weighting.TIME_OF_FLIGHT, "SeriesDescription says TOF_3D"),
        (EPI | {"AcquisitionContrast": "DIFFUSION"}, "t2_tse", Weighting.DIFFUSION, "AcquisitionContrast is DIFFUSION"),
        (EPI | {"DiffusionBValue": 0.0}, "", Weighting.UNKNOWN, "neither"),
        ({"ProtocolName": "t2_tse_sag"}, "Rectum", Weighting.T2, "ProtocolName says t2_tse_sag"),
    ],
)
def test_which_attribute_decides(
    attributes: dict[str, Any], description: str, weighting: Weighting, reason: str
) -> None:
    found = only(mr_stack(SeriesDescription=description, **attributes))
    assert found.weighting.value is weighting
    assert reason in found.weighting.reason


def with_private(group: int, creator: str, element: int, vr: str, value: object, **changes: Any) -> list[Dataset]:
    """Diffusion images with a vendor's own b-value; without creator where the creator is empty."""
    datasets = mr_stack(2, **(EPI | changes))
    for dataset in datasets:
        if creator:
            dataset.private_block(group, creator, create=True).add_new(element, vr, value)
        else:
            dataset.add_new((group, 0x1000 | element), vr, value)
    return datasets


@pytest.mark.parametrize(
    ("datasets", "b_value"),
    [
        (with_private(0x0019, "SIEMENS MR HEADER", 0x0C, "IS", 400), 400),
        (with_private(0x0019, "SIEMENS MR HEADER", 0x0C, "UN", b"400 "), 400),
        (with_private(0x0019, "", 0x0C, "UN", b"400 ", Manufacturer="SIEMENS"), 400),
        (with_private(0x0043, "GEMS_PARM_01", 0x39, "IS", [800, 8, 0, 0]), 800),
        (with_private(0x0043, "GEMS_PARM_01", 0x39, "IS", [1000000750, 8, 0, 0]), 750),
        (with_private(0x0043, "GEMS_PARM_01", 0x39, "UN", b"1000001500\\8\\0\\0"), 1500),
        (with_private(0x2001, "Philips Imaging DD 001", 0x03, "FL", 1000.0), 1000),
        (with_private(0x2001, "Philips Imaging DD 001", 0x03, "UN", b"\x00\x00\x7a\x44"), 1000),
        (mr_stack(2, SequenceName="*ep_b50t", **EPI), 50),
        (mr_stack(2, SequenceName="ep_b1000#12", **EPI), 1000),
        (mr_stack(2, SeriesDescription="ep2d_diff_b1400_tra", **EPI), 1400),
    ],
)
def test_b_values_of_vendors(datasets: list[Dataset], b_value: float, tmp_path: Path) -> None:
    found = only(datasets)
    assert (found.weighting.value, found.b_value.value) == (Weighting.DIFFUSION, b_value)
    [from_file] = group_study(read_headers(saved(datasets, tmp_path))).stacks
    assert from_file.b_value == found.b_value


@pytest.mark.parametrize(
    "datasets",
    [
        with_private(0x0019, "SIEMENS MR HEADER", 0x0C, "UN", b"\xff\xfe"),
        with_private(0x0043, "GEMS_PARM_01", 0x39, "IS", [7, 8, 0, 0], **T2_TSE),  # something else in a spin echo
        with_private(0x2001, "Philips Imaging DD 001", 0x03, "FL", -1.0),
        with_private(0x2001, "Philips Imaging DD 001", 0x03, "FL", float("nan")),
        with_private(0x0019, "", 0x0C, "IS", 400, Manufacturer="GE MEDICAL SYSTEMS"),
        mr_stack(2, SequenceName="ep_b50_800", **EPI),  # of an ADC map
        mr_stack(2, DiffusionBValue=float("inf"), **EPI),
    ],
)
def test_what_is_no_b_value(datasets: list[Dataset]) -> None:
    assert only(datasets).b_value.value is None


def test_several_b_values_of_one_series_are_split_and_b_0_stays_with_them() -> None:
    found = stacks_of(
        *[mr_stack(4, DiffusionBValue=b, first_number=i * 10, **EPI) for i, b in enumerate((0.0, 400.0, 800.0))]
    )
    assert [one.name for one in found] == ["DWI b0 axial", "DWI b400 axial", "DWI b800 axial"]
    assert "in a series of others" in found[0].reason


def test_directions_of_one_b_value_are_repetitions() -> None:
    scattered = (995.0, 1000.0, 1000.0)
    found = stacks_of(*[mr_stack(3, DiffusionBValue=b, first_number=i * 10, **EPI) for i, b in enumerate(scattered)])
    assert [(one.b_value.value, one.repetition, len(one.frames)) for one in found] == [(1000, i, 3) for i in (1, 2, 3)]
    assert all(one.phase.value is None for one in found)


def test_a_b_value_that_only_the_description_names_among_others_is_not_guessed() -> None:
    found = only(mr_stack(SeriesDescription="ep2d_diff_b50_400_800_tra", **EPI))
    assert found.b_value.value is None
    assert "names b 50, 400, 800" in found.b_value.reason


def test_echoes_and_dixon_parts_are_split() -> None:
    echoes = [mr_stack(3, **(PD_TSE | {"EchoTime": te, "EchoNumbers": i})) for i, te in enumerate((20, 90), start=1)]
    assert [one.weighting.value for one in stacks_of(*echoes)] == [Weighting.PROTON_DENSITY, Weighting.T2]
    parts = [mr_stack(3, ImageType=["DERIVED", "PRIMARY", "DIXON", part], **VIBE) for part in ("WATER", "FAT")]
    assert {one.component.value for one in stacks_of(*parts)} == {Component.WATER, Component.FAT}


def test_phases_of_one_series_by_temporal_position() -> None:
    dynamic = [
        mr_stack(4, TemporalPositionIdentifier=i, AcquisitionTime="100000", first_number=50 - 10 * i, **VIBE)
        for i in (1, 2, 3)
    ]
    found = stacks_of(*dynamic)
    assert [(one.phase.value.number, one.phase.value.count) for one in found if one.phase.value] == [
        (1, 3),
        (2, 3),
        (3, 3),
    ]
    assert found[0].phase.reason == "TemporalPositionIdentifier numbers the images of each place"
    assert {frame.header.dataset.TemporalPositionIdentifier for frame in found[1].frames} == {2}


@pytest.mark.parametrize("missing", [0, 1])
def test_phases_of_one_series_by_time(missing: int) -> None:
    dynamic = [
        mr_stack(4, AcquisitionTime=time, **VIBE)[missing * i :] for i, time in enumerate(("235950", "235959.5"))
    ]
    found = stacks_of(*dynamic)
    assert [(one.phase.value.number, one.phase.value.after_first_s) for one in found if one.phase.value] == [
        (1, 0),
        (2, 9.5),
    ]


def test_phases_of_slices_that_each_have_their_own_time() -> None:
    datasets = []
    for i in (0, 1):
        for j, dataset in enumerate(mr_stack(3, **VIBE)):
            dataset.AcquisitionTime = f"1000{10 * i + 2 * j:02d}"
            datasets.append(dataset)
    found = stacks_of(datasets)
    assert [len(one.frames) for one in found] == [3, 3]
    assert found[1].phase.reason == "by the order of time at each place"
    assert [frame.header.dataset.AcquisitionTime for frame in found[1].frames] == ["100010", "100012", "100014"]


def t1(number: int, time: str, **changes: Any) -> list[Dataset]:
    settings = VIBE | {"SeriesInstanceUID": f"1.2.{number}", "SeriesNumber": number, "AcquisitionTime": time} | changes
    return mr_stack(4, **settings)


def test_phases_across_series_in_order_of_time_not_of_number() -> None:
    agent = {"ContrastBolusAgent": "Gadovist"}
    found = stacks_of(t1(9, "095500"), t1(5, "100130", **agent), t1(7, "100030", **agent))
    by_number = {one.series_number: one for one in found}
    phases = {number: one.phase.value.number for number, one in by_number.items() if one.phase.value}
    assert phases == {9: 1, 7: 2, 5: 3}
    assert [by_number[i].contrast.value for i in (9, 7, 5)] == [Contrast.BEFORE, Contrast.AFTER, Contrast.AFTER]
    assert by_number[5].phase.value and by_number[5].phase.value.after_first_s == 390
    assert by_number[9].contrast.reason == "taken before the first images of the study with contrast"


def test_other_places_and_repeated_sequences_are_no_phases() -> None:
    elsewhere = t1(2, "100100", ContrastBolusAgent="Gd")
    for dataset in elsewhere:
        dataset.ImagePositionPatient = [0, 0, float(dataset.ImagePositionPatient[2]) + 200]
    assert all(one.phase.value is None for one in stacks_of(t1(1, "100000"), elsewhere))
    assert all(one.phase.value is None for one in stacks_of(t1(1, "100000"), t1(2, "100100")))


@pytest.mark.parametrize(
    ("attributes", "contrast"),
    [
        ({}, Contrast.NONE_NAMED),
        ({"ContrastBolusAgent": "NONE"}, Contrast.NONE_NAMED),
        ({"ContrastBolusAgent": "Dotarem"}, Contrast.AFTER),
        ({"ContrastBolusAgent": "Dotarem", "SeriesDescription": "t1 vibe nativ"}, Contrast.BEFORE),
        ({"SeriesDescription": "t1_tse_tra_KM"}, Contrast.AFTER),
        ({"ContrastBolusAgent": "Gd", "ContrastBolusStartTime": "1010", "AcquisitionTime": "100959"}, Contrast.BEFORE),
        ({"ContrastBolusAgent": "Gd", "ContrastBolusStartTime": "1010", "AcquisitionTime": "101001"}, Contrast.AFTER),
        ({"ContrastBolusAgentSequence": [item(CodeMeaning="Gadobutrol")]}, Contrast.AFTER),
    ],
)
def test_contrast(attributes: dict[str, Any], contrast: Contrast) -> None:
    assert only(mr_stack(**(VIBE | attributes))).contrast.value is contrast


def test_the_first_of_a_dynamic_series_may_be_before_the_bolus() -> None:
    dynamic = [mr_stack(3, TemporalPositionIdentifier=i, ContrastBolusAgent="Gd", **VIBE) for i in (1, 2, 3)]
    assert [one.contrast.value for one in stacks_of(*dynamic)] == [Contrast.UNCERTAIN, Contrast.AFTER, Contrast.AFTER]


def ct(number: int, time: str, count: int = 6, **changes: Any) -> list[Dataset]:
    settings = {"SeriesInstanceUID": f"1.3.{number}", "SeriesNumber": number, "AcquisitionTime": time} | changes
    return stack(count, **settings)


def test_ct_of_several_phases() -> None:
    agent = {"ContrastBolusAgent": "Imeron 400"}
    found = stacks_of(
        ct(1, "100000", 1, ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"]),
        ct(2, "100100"),
        ct(3, "100531", ConvolutionKernel="B70f", **agent),
        ct(4, "100530", ConvolutionKernel="B30f", **agent),
        ct(5, "100610", **agent),
    )
    said = [(one.weighting.value, one.contrast.value, one.phase.value and one.phase.value.number) for one in found]
    assert said == [
        (Weighting.LOCALIZER, Contrast.BEFORE, None),
        (Weighting.ATTENUATION, Contrast.BEFORE, 1),
        (Weighting.ATTENUATION, Contrast.AFTER, 2),
        (Weighting.ATTENUATION, Contrast.AFTER, 2),
        (Weighting.ATTENUATION, Contrast.AFTER, 3),
    ]
    assert found[4].name == "CT axial, after contrast, phase 3 of 3"


def test_enhanced_mr_is_read_frame_by_frame() -> None:
    shared = shared_axial(
        MRTimingAndRelatedParametersSequence=item(RepetitionTime=4500.0, FlipAngle=90.0),
        MREchoSequence=item(EffectiveEchoTime=63.0),
        MRModifierSequence=item(SpectrallySelectedSuppression="FAT", InversionRecovery="NO"),
    )
    frames = [
        frame_at(
            3.0 * z,
            MRDiffusionSequence=item(DiffusionBValue=b),
            MRImageFrameTypeSequence=item(
                FrameType=["ORIGINAL", "PRIMARY", "DIFFUSION", "NONE"], AcquisitionContrast="DIFFUSION"
            ),
        )
        for z in (2, 0, 1)
        for b in (50.0, 800.0)
    ]
    adc = frame_at(0.0, MRImageFrameTypeSequence=item(FrameType=["DERIVED", "PRIMARY", "DIFFUSION", "ADC"]))
    found = stacks_of([enhanced_mr([*frames, adc], shared, EchoPulseSequence="SPIN", EchoPlanarPulseSequence="YES")])
    assert [one.name for one in found] == [
        "ADC axial, fat nulled",
        "DWI b50 axial, fat nulled",
        "DWI b800 axial, fat nulled",
    ]
    assert [frame.frame_number for frame in found[1].frames] == [3, 5, 1]
    assert found[1].echo_ms == 63


def test_enhanced_mr_of_several_phases_and_timings() -> None:
    shared = shared_axial(
        MRTimingAndRelatedParametersSequence=item(RepetitionTime=4.2, FlipAngle=12.0),
        MREchoSequence=item(EffectiveEchoTime=1.8),
    )
    phases = ("PRE_CONTRAST", "ARTERIAL", "PORTAL_VENOUS")
    frames = [
        frame_at(
            3.0 * z,
            FrameContentSequence=item(TemporalPositionIndex=i, FrameAcquisitionDateTime=f"2026010210{i:02d}00.5+0100"),
            ContrastBolusUsageSequence=item(ContrastBolusAgentPhase=phase),
        )
        for z in range(3)
        for i, phase in enumerate(phases, start=1)
    ]
    found = stacks_of([enhanced_mr(frames, shared, EchoPulseSequence="GRADIENT")])
    assert [(one.weighting.value, one.contrast.value) for one in found] == [
        (Weighting.T1, Contrast.BEFORE),
        (Weighting.T1, Contrast.AFTER),
        (Weighting.T1, Contrast.AFTER),
    ]
    assert [one.phase.value.after_first_s for one in found if one.phase.value] == [0, 60, 120]


def test_legacy_converted_images_keep_their_attributes_unassigned() -> None:
    dataset = enhanced_mr([frame_at(0.0), frame_at(3.0)], shared_axial())
    dataset.SOPClassUID = "1.2.840.10008.5.1.4.1.1.4.4"
    dataset.SharedFunctionalGroupsSequence[0].UnassignedSharedConvertedAttributesSequence = [item(**T2_TSE)]
    assert only([dataset]).weighting.value is Weighting.T2


def test_what_is_no_slice_is_left_out_with_its_reason() -> None:
    document, twin = mr_slice(SOPClassUID="1.2.840.10008.5.1.4.1.1.88.33", Modality="SR"), mr_slice(**T2_TSE)
    study = group_study(headers([document, twin, twin, mr_slice(ImageOrientationPatient=[1, 0, 0, 1, 0, 0])]))
    assert [len(one.frames) for one in study.stacks] == [1]
    assert sorted(one.reason for one in study.left_out) == [
        "ImageOrientationPatient is no pair of perpendicular unit vectors",
        "a second file of the same SOP Instance UID",
        "no slice of CT or MR: its modality is SR",
    ]
    assert group_study([]).stacks == ()


MALFORMED = ("1e400", "NaN", "x", "", "1\\2", "-3")


@given(
    st.dictionaries(
        st.sampled_from(
            [
                *("EchoTime", "RepetitionTime", "InversionTime", "FlipAngle", "EchoNumbers", "AcquisitionTime"),
                *("TriggerTime", "TemporalPositionIdentifier", "ContrastBolusStartTime", "StudyDate", "SeriesNumber"),
                *("InstanceNumber", "AcquisitionDateTime", "ImagePositionPatient", "SequenceName", "ScanningSequence"),
            ]
        ),
        st.sampled_from(MALFORMED),
    )
)
@settings(max_examples=40)
def test_malformed_values_never_raise(values: dict[str, str]) -> None:
    datasets = mr_stack(2, **T2_TSE)
    for keyword, value in values.items():
        datasets[0][keyword] = as_read_from_a_file(keyword, value)
    study = group_study(headers(datasets))
    assert sum(len(one.frames) for one in study.stacks) + len(study.left_out) == 2


def as_read_from_a_file(keyword: str, value: str) -> RawDataElement:
    """An element whose bytes are decoded when it is looked at."""
    tag, stored = Tag(keyword), value.encode()
    return RawDataElement(tag, dictionary_VR(tag), len(stored), stored, 0, False, True)


def test_ct_slices_of_a_plain_series_are_one_stack() -> None:
    found = only(stack(5))
    assert (found.name, found.modality, found.frames[0].header.dataset.SOPClassUID) == (
        "CT axial",
        "CT",
        CTImageStorage,
    )
