"""What a slice is told of its series and its place is the same for a phantom and for its DICOM files."""

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("torch")
from models.msvlm.rectal.acquired import acquired_by_phantom
from models.msvlm.rectal.phantoms import slice_centre_mm
from models.phantoms.pelvis import PROTOCOL, generate_pelvis
from models.phantoms.pelvis.dicom import write_study
from pacs_agent.imaging import Answer, Component, Plane, Weighting, group_study, read_headers
from pacs_agent.imaging.acquisition import Phase
from pacs_agent.inference.staging.acquired import PHASES, PLANES, ContrastId, SequenceId, acquired_by_stack, is_readable
from pacs_agent.inference.staging.scale import intensity_range

pytestmark = pytest.mark.train


@pytest.fixture(scope="module")
def phantom():
    return generate_pelvis(5, fineness=0.2, voxel_mm=3.0)


@pytest.fixture(scope="module")
def stacks(phantom, tmp_path_factory):
    paths = write_study(phantom, tmp_path_factory.mktemp("pelvis"))
    return [stack for stack in group_study(read_headers(paths)).stacks if is_readable(stack)]


def test_a_study_from_dicom_is_told_as_the_phantom_is(stacks):
    assert sorted(acquired_by_stack(stack).ids for stack in stacks) == sorted(
        acquired_by_phantom(sequence).ids for sequence in PROTOCOL
    )
    assert sorted(acquired_by_stack(stack).b_value for stack in stacks) == sorted(
        sequence.b_value or 0.0 for sequence in PROTOCOL
    )


def test_phases_are_told_by_number_and_of_one_before_and_one_after_contrast_by_contrast(stacks):
    after = next(stack for stack in stacks if acquired_by_stack(stack).contrast is ContrastId.AFTER)
    assert (after.phase.value.number, after.phase.value.count) == (2, 2) and acquired_by_stack(after).phase == 0
    for number, told in ((3, 3), (40, PHASES - 1)):
        dynamic = replace(after, phase=Answer(Phase(number, 60, None), "in order of time"))
        assert acquired_by_stack(dynamic).phase == told


def test_what_shows_no_anatomy_or_shows_it_again_is_not_read(stacks):
    for field, value in (
        ("weighting", Answer(Weighting.LOCALIZER, "")),
        ("weighting", Answer(Weighting.MAP, "")),
        ("component", Answer(Component.PHASE, "")),
        ("repetition", 2),
        ("modality", "CT"),
    ):
        assert not is_readable(replace(stacks[0], **{field: value})), field


def test_no_two_series_of_the_protocol_are_told_alike():
    told = [(acquired_by_phantom(sequence).ids, acquired_by_phantom(sequence).b_value) for sequence in PROTOCOL]
    assert len(set(told)) == len(PROTOCOL)
    contrasts = {sequence.key: acquired_by_phantom(sequence).contrast for sequence in PROTOCOL}
    assert contrasts["t1"] is ContrastId.BEFORE and contrasts["t1_contrast"] is ContrastId.AFTER
    assert contrasts["t2_axial"] is ContrastId.NOT_GIVEN


def test_the_middle_of_an_image_lies_half_its_size_from_its_first_pixel(phantom):
    series = phantom.one("t2_sagittal")
    geometry = series.geometry
    corner, middle = np.array(geometry.position_mm(3)), slice_centre_mm(series, 3)
    half = 0.5 * (geometry.shape[1] - 1) * geometry.pixel_mm
    assert middle - corner == pytest.approx([0.0, half, -half])
    assert PLANES[acquired_by_phantom(series.sequence).plane] is Plane.SAGITTAL


def test_the_range_of_intensities_is_robust_and_that_of_adc_absolute():
    values = np.concatenate([np.zeros(500), np.linspace(100, 1100, 5000), [4095.0] * 5])
    low, high = intensity_range(values, SequenceId.T2)
    assert 100 <= low < 130 and 1080 < high < 1110
    assert intensity_range(values, SequenceId.ADC) == (0.0, 3000.0)
    assert intensity_range(values / 1000.0, SequenceId.ADC) == (0.0, 3.0)
    assert intensity_range(np.zeros(9), SequenceId.T1) == (0.0, 1.0)
    assert intensity_range(np.full(9, 7), SequenceId.T1) == (7.0, 8.0)
