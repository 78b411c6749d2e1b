import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

torch = pytest.importorskip("torch")
from models.datasets.real_ct import SHARED_DATA, read_dicom_archive  # noqa: E402
from models.msvlm.preprocess import (  # noqa: E402
    Windows,
    body_centre_px,
    field_of_body,
    hounsfield_units,
    triangle_weights,
)

pytestmark = pytest.mark.train


def reference_axis(values, centre_px, spacing_mm, field_px, pixel_mm):
    """Triangle resampling of a 1-D signal, value by value."""
    support = max(1.0, pixel_mm / spacing_mm)
    out = np.zeros(field_px)
    for i in range(field_px):
        target = centre_px + (i - (field_px - 1) / 2) * pixel_mm / spacing_mm
        weights = [max(0.0, 1 - abs(j - target) / support) for j in range(len(values))]
        out[i] = np.dot(weights, values) / max(sum(weights), 0.5 * support)
    return out


@given(st.integers(8, 60), st.floats(0.3, 5.0), st.floats(-5, 60), st.sampled_from([0.7, 2.0, 3.1]))
def test_resampling_equals_the_plain_definition(count, spacing, centre, pixel_mm):
    values = np.random.default_rng(count).normal(size=count)
    weights = triangle_weights(torch.tensor([centre]), count, torch.tensor([spacing]), 24, pixel_mm)
    ours = (weights[0].double() @ torch.from_numpy(values)).numpy()
    np.testing.assert_allclose(ours, reference_axis(values, centre, spacing, 24, pixel_mm), atol=2e-4)


def test_resampling_agrees_with_scipy_on_a_finer_grid():
    ndimage = pytest.importorskip("scipy.ndimage")
    image = np.random.default_rng(0).normal(size=(40, 40)).astype(np.float32)
    weights = triangle_weights(torch.tensor([19.5]), 40, torch.tensor([2.0]), 30, 1.0)[0].numpy()
    ours = weights @ image @ weights.T
    axis = 19.5 + (np.arange(30) - 14.5) * 0.5
    expected = ndimage.map_coordinates(image, np.meshgrid(axis, axis, indexing="ij"), order=1)
    np.testing.assert_allclose(ours, expected, atol=1e-4)


def test_a_constant_stays_and_outside_is_air():
    hu = torch.full((1, 50, 60), 40.0)
    field, _ = field_of_body(hu, torch.tensor([[1.0, 1.0]]), (100, 120), 1.0)
    assert field.shape == (1, 100, 120)
    assert torch.allclose(field[0, 40:60, 50:70], torch.tensor(40.0), atol=1e-3)
    assert torch.allclose(field[0, 0], torch.tensor(-1024.0))


def disc(size, spacing, centre_mm, radius_mm=100.0):
    axis = (np.arange(size) - (size - 1) / 2) * spacing
    inside = (axis[:, None] - centre_mm[0]) ** 2 + (axis[None] - centre_mm[1]) ** 2 < radius_mm**2
    return torch.from_numpy(np.where(inside, 40.0, -1000.0).astype(np.float32))[None]


@pytest.mark.parametrize(("size", "spacing"), [(512, 0.7), (256, 1.4), (180, 2.2)])
def test_a_body_has_one_size_at_every_pixel_spacing(size, spacing):
    field, _ = field_of_body(disc(size, spacing, (0, 0)), torch.tensor([[spacing, spacing]]), (120, 160), 2.0)
    area_mm2 = float((field > -480).sum()) * 4.0
    assert area_mm2 == pytest.approx(np.pi * 100**2, rel=0.03)


def test_the_crop_follows_the_body():
    middle, moved = (
        field_of_body(disc(256, 1.5, c), torch.tensor([[1.5, 1.5]]), (160, 160), 2.0)[0] for c in ((0, 0), (-24, 33))
    )
    assert float((middle - moved).abs().mean()) < 12.0


def test_the_centre_of_the_field_is_where_the_body_is():
    _, centre = field_of_body(disc(256, 1.5, (-24, 33)), torch.tensor([[1.5, 1.5]]), (120, 160), 1.4)
    assert centre[0].tolist() == pytest.approx([127.5 - 16, 127.5 + 22], abs=1.0)


def test_a_table_hardly_moves_the_centre():
    plain = disc(256, 1.5, (0, 0))
    with_table = plain.clone()
    with_table[:, 205:208, 20:236] = -100.0
    shift = (body_centre_px(with_table) - body_centre_px(plain)).abs().max()
    assert float(shift) * 1.5 < 10.0


def test_an_empty_slice_is_centred():
    centre = body_centre_px(torch.full((1, 40, 60), -1000.0))
    assert torch.allclose(centre, torch.tensor([[19.5, 29.5]]), atol=1.0)


def test_slope_and_intercept_are_applied_per_slice():
    stored = torch.tensor([[[0, 1000]], [[0, 1000]]], dtype=torch.int16)
    hu = hounsfield_units(stored, torch.tensor([1.0, 2.0]), torch.tensor([-1024.0, 10.0]))
    assert hu.tolist() == [[[-1024.0, -24.0]], [[10.0, 2010.0]]]


def test_windows_run_from_minus_one_to_one():
    channels = Windows(((-160.0, 240.0), (-1350.0, 150.0)))(torch.tensor([[[-2000.0, 40.0, 3000.0]]]))
    assert channels[0, 0, 0].tolist() == pytest.approx([-1.0, 0.0, 1.0])
    assert channels.shape == (1, 2, 1, 3)


@pytest.mark.real_images
def test_the_field_of_a_real_chest_is_centred_on_it():
    path = SHARED_DATA / "ct_dicom" / "LIDC-IDRI-0001_CT.tar.xz"
    if not path.is_file():
        pytest.skip(f"{path.name} is not beside the project")
    volume = read_dicom_archive(path)
    hu = torch.from_numpy(volume.hu[40:110:10]).float()
    field, _ = field_of_body(hu, torch.tensor([volume.spacing_mm] * len(hu)), (160, 160), 2.0)
    offset_px = torch.arange(160) - 79.5
    tissue = (field > -300).float()
    down = (tissue * offset_px[:, None]).sum((1, 2)) / tissue.sum((1, 2))
    across = (tissue * offset_px[None]).sum((1, 2)) / tissue.sum((1, 2))
    assert float(across.abs().max()) * 2.0 < 15.0
    assert float(down.abs().max()) * 2.0 < 30.0
