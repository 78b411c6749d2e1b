"""Enhanced multi-frame images: geometry from shared and per-frame functional groups."""

import numpy as np
import pytest
from imaging_slices import AXIAL, enhanced_ct, gradient, headers, saved
from pydicom import Dataset

from pacs_agent.imaging import ReasonCode, UnusableSeries, order_series, read_headers, read_slices

DOWNWARDS = [(0, 0, 2.0 * (5 - i)) for i in range(6)]


def test_frames_are_sorted_by_position(tmp_path) -> None:
    series = order_series(read_headers(saved([enhanced_ct(DOWNWARDS)], tmp_path)))
    assert [one.frame_number for one in series.slices] == [6, 5, 4, 3, 2, 1]
    assert [one.z_mm for one in series.slices] == [0, 2, 4, 6, 8, 10]
    assert {(one.slope, one.intercept) for one in series.slices} == {(2.0, -1024.0)}


def test_each_slice_reads_its_own_frame(tmp_path) -> None:
    series = order_series(read_headers(saved([enhanced_ct(DOWNWARDS)], tmp_path)))
    for slice_, stored in zip(series.slices, read_slices(series), strict=True):
        np.testing.assert_array_equal(stored, gradient(first=slice_.frame_number - 1))
    picked = list(read_slices(series, [4, 0]))
    assert [int(stored[0, 0]) for stored in picked] == [1, 5]


def test_a_frames_own_group_goes_before_the_shared_one() -> None:
    dataset = enhanced_ct(DOWNWARDS)
    own = Dataset()
    own.RescaleSlope, own.RescaleIntercept = 3, -5
    dataset.PerFrameFunctionalGroupsSequence[2].PixelValueTransformationSequence = [own]
    slopes = {one.frame_number: one.slope for one in order_series(headers([dataset])).slices}
    assert slopes == {1: 2, 2: 2, 3: 3, 4: 2, 5: 2, 6: 2}


def test_a_series_in_two_enhanced_images() -> None:
    lower, upper = enhanced_ct([(0, 0, i) for i in range(3)]), enhanced_ct([(0, 0, i) for i in range(3, 6)])
    assert [one.z_mm for one in order_series(headers([upper, lower])).slices] == [0, 1, 2, 3, 4, 5]


def without(*path: str) -> Dataset:
    dataset = enhanced_ct(DOWNWARDS)
    if path[0] == "shared":
        del dataset.SharedFunctionalGroupsSequence[0][path[1]]
    else:
        del dataset.PerFrameFunctionalGroupsSequence[-1]
    return dataset


@pytest.mark.parametrize(
    ("dataset", "code"),
    [
        (without("shared", "PlaneOrientationSequence"), ReasonCode.NO_GEOMETRY),
        (without("shared", "PixelMeasuresSequence"), ReasonCode.NO_GEOMETRY),
        (without("shared", "PixelValueTransformationSequence"), ReasonCode.UNUSABLE_RESCALE),
        (without("last frame"), ReasonCode.NO_GEOMETRY),
        (enhanced_ct([(0, 0, 0)] * 3), ReasonCode.DUPLICATE_POSITIONS),
        (enhanced_ct(DOWNWARDS, orientation=[*AXIAL[:5], 1.0]), ReasonCode.NO_GEOMETRY),
    ],
)
def test_refused(dataset: Dataset, code: ReasonCode) -> None:
    with pytest.raises(UnusableSeries) as caught:
        order_series(headers([dataset]))
    assert caught.value.code is code


def test_highdicom_reads_the_same_geometry(tmp_path) -> None:
    highdicom = pytest.importorskip("highdicom")
    path = saved([enhanced_ct(DOWNWARDS)], tmp_path)[0]
    volume = highdicom.imread(path).get_volume()
    series = order_series(read_headers([path]))
    assert volume.spacing[0] == pytest.approx(series.thickness_mm)
    first = [series.slices[0].position_mm, series.slices[-1].position_mm]
    assert any(np.allclose(volume.position, place) for place in first)
