"""Heat lies where the encoder looked: on the slice's pixels and in the patient."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from pacs_agent.imaging import Slice
from pacs_agent.inference.heat import Field, Heat, heat_of, patient_mm
from pacs_agent.inference.tokens import SliceToken, slice_token

ORIENTATIONS = (
    (1.0, 0.0, 0.0, 0.0, 1.0, 0.0),
    (0.0, 1.0, 0.0, 0.0, 0.0, -1.0),
    (0.8, 0.6, 0.0, -0.6, 0.8, 0.0),
)


def a_slice(rows: int, columns: int, spacing: tuple[float, float], orientation: tuple[float, ...], **more) -> Slice:
    facts = {
        "path": Path("a.dcm"),
        "sop_instance_uid": "1.2",
        "sop_class_uid": "1.3",
        "frame_number": None,
        "z_mm": 1.0,
        "position_mm": (-100.0, 20.0, 7.0),
        "slope": 1.0,
        "intercept": 0.0,
    }
    size = {"rows": rows, "columns": columns, "spacing_mm": spacing, "orientation": orientation}
    return Slice.model_validate(facts | size | more)


spacings = st.floats(0.2, 5.0)
slices = st.builds(
    a_slice, st.integers(1, 1024), st.integers(1, 1024), st.tuples(spacings, spacings), st.sampled_from(ORIENTATIONS)
)
fields = st.builds(Field, st.tuples(st.integers(8, 512), st.integers(8, 512)), st.floats(0.5, 3.0))


@st.composite
def tokens(draw: st.DrawFn) -> SliceToken:
    shape = (2, draw(st.integers(1, 12)), draw(st.integers(1, 12)))
    grid = draw(arrays.arrays(np.float32, shape, elements=st.floats(-30, 30, width=32)))
    centre = draw(arrays.arrays(np.float32, 2, elements=st.floats(-200, 1200, width=32)))
    return slice_token(np.zeros(4, np.float32), grid, centre)


def field_row(image_row: float, axis: int, token: SliceToken, one: Slice, field: Field) -> float:
    """Row (or column) of the field at a row of the image: the resampling of the encoder, backwards."""
    offset_mm = (image_row - float(token.field_centre_px[axis])) * one.spacing_mm[axis]
    return offset_mm / field.pixel_mm + (field.size_px[axis] - 1) / 2


@given(tokens(), slices, fields)
def test_a_patch_lies_where_it_was_cropped(token: SliceToken, one: Slice, field: Field) -> None:
    """The centre of patch r is in the middle of the field's rows r × s to (r + 1) × s − 1, whatever the image is."""
    heat = heat_of(token, 1, one, field)
    for axis, count in enumerate(heat.values.shape):
        patch = field.size_px[axis] / count
        for index in (0, count - 1):
            centre_px = heat.origin_px[axis] + index * heat.step_px[axis]
            found = field_row(centre_px, axis, token, one, field)
            assert found == pytest.approx((index + 0.5) * patch - 0.5, abs=1e-3)


@given(tokens(), slices, fields)
def test_the_patient_sees_the_same_grid(token: SliceToken, one: Slice, field: Field) -> None:
    heat = heat_of(token, 0, one, field)
    row, column = heat.values.shape[0] - 1, heat.values.shape[1] - 1
    pixel = heat.origin_px[0] + row * heat.step_px[0], heat.origin_px[1] + column * heat.step_px[1]
    by_steps = np.array(heat.origin_mm) + row * np.array(heat.row_step_mm) + column * np.array(heat.column_step_mm)
    np.testing.assert_allclose(by_steps, patient_mm(one, pixel), atol=1e-6)
    patch_mm = [field.size_px[axis] / heat.values.shape[axis] * field.pixel_mm for axis in (0, 1)]
    np.testing.assert_allclose(np.linalg.norm([heat.row_step_mm, heat.column_step_mm], axis=1), patch_mm, rtol=1e-6)


@given(tokens(), slices, fields)
def test_the_peak_is_the_strongest_patch_of_the_image(token: SliceToken, one: Slice, field: Field) -> None:
    heat = heat_of(token, 0, one, field)
    row, column = heat.peak_px
    assert 0 <= row <= one.rows - 1
    assert 0 <= column <= one.columns - 1
    np.testing.assert_allclose(heat.peak_mm, patient_mm(one, heat.peak_px))
    inside = [value for place, value in placed(heat) if within(place, one)]
    if inside:
        peak = [value for place, value in placed(heat) if np.allclose(place, heat.peak_px)]
        assert max(inside) == pytest.approx(peak[0])
        assert heat.peak_heat == pytest.approx(peak[0])


def placed(heat: Heat) -> list[tuple[tuple[float, float], float]]:
    (row, column), (down, right) = heat.origin_px, heat.step_px
    return [((row + r * down, column + c * right), float(value)) for (r, c), value in np.ndenumerate(heat.values)]


def within(place: tuple[float, float], one: Slice) -> bool:
    return 0 <= place[0] <= one.rows - 1 and 0 <= place[1] <= one.columns - 1


@given(tokens(), slices, fields)
def test_values_are_shares_in_the_order_of_the_logits(token: SliceToken, one: Slice, field: Field) -> None:
    values = heat_of(token, 1, one, field).values
    assert values.dtype == np.float32
    assert ((values >= 0) & (values <= 1)).all()
    expected = 1 / (1 + np.exp(-token.patch_grid[1].astype(np.float64)))
    np.testing.assert_allclose(values, expected, atol=1e-6)


def test_a_lesion_is_found_where_it_was_put() -> None:
    """By hand: 1 mm field pixels, patches of 8, image pixels of 0.5 mm, field centre at pixel (100, 200)."""
    grid = np.full((1, 4, 6), -5.0, np.float32)
    grid[0, 1, 4] = 3.0
    token = slice_token(np.zeros(4, np.float32), grid, np.array([100.0, 200.0], np.float32))
    one = a_slice(512, 512, (0.5, 0.5), ORIENTATIONS[0])
    heat = heat_of(token, 0, one, Field((32, 48), 1.0))
    assert heat.step_px == (16.0, 16.0)
    assert heat.peak_px == (100 - 8, 200 + 24)
    assert heat.peak_mm == (-100 + 112, 20 + 46, 7)
