import numpy as np
import pytest

torch = pytest.importorskip("torch")

from models.gtgm.intensity import CHANNELS, WINDOWS, ScaledIntensity, standard_values  # noqa: E402
from models.gtgm.volume import Modality, Volume  # noqa: E402

pytestmark = pytest.mark.train


def volume(values, modality, sequence=""):
    return Volume(np.asarray(values, np.float32), (1.0, 1.0, 1.0), modality, sequence)


def body_in_air(usual, air=8, seed=0):
    """A cube of tissue of 16³ voxels about a usual value, with so many voxels of air beside it, and where it is."""
    rng = np.random.default_rng(seed)
    inside = np.zeros((16, 16, 16 + air), bool)
    inside[:, :, :16] = True
    tissue = rng.normal(usual, 0.1 * usual, inside.shape)
    return np.where(inside, tissue, np.abs(rng.normal(0.0, 0.01 * usual, inside.shape))), inside


def test_hu_are_left_and_windowed():
    values = np.array([[[-1000.0, -600.0, 40.0]]])
    assert (standard_values(volume(values, Modality.CT)) == values).all()
    scaled = ScaledIntensity(Modality.CT)(torch.from_numpy(values).float()[None, None])
    assert scaled.shape == (1, CHANNELS, 1, 1, 3)
    assert scaled[0, :2, 0, 0].tolist() == [[-1.0, 0.0, 1.0], [-1.0, -1.0, 0.0]]


@pytest.mark.parametrize("sequence", ["T2", "T1 contrast", "DWI b800", "ADC", ""])
def test_grey_values_do_not_depend_on_the_scanners_scale(sequence):
    values, _ = body_in_air(20_000.0)
    for modality in (Modality.MR, Modality.EM):
        once, other = (standard_values(volume(v, modality, sequence)) for v in (values, 7.0 * values + 100.0))
        assert np.allclose(once, other, atol=1e-3)


def test_values_of_em_lie_between_its_percentiles():
    values = np.random.default_rng(0).normal(300.0, 80.0, (8, 8, 8))
    once = standard_values(volume(values, Modality.EM))
    assert np.percentile(once, (1.0, 99.0)) == pytest.approx((0.0, 1.0), abs=1e-4)


@pytest.mark.parametrize("sequence", ["T2", "DWI b800", "ADC"])
def test_tissue_of_mr_has_the_same_values_however_much_air_is_around_it(sequence):
    found = []
    for air in (4, 40):
        values, inside = body_in_air(1000.0, air)
        found.append(standard_values(volume(values, Modality.MR, sequence))[inside].mean())
    assert found[0] == pytest.approx(found[1], rel=0.03)


@pytest.mark.parametrize("unit", [1.0, 1e-3, 1e-6])
def test_an_adc_map_is_absolute_whatever_its_unit(unit):
    values, inside = body_in_air(1500.0)
    values[inside & (np.indices(values.shape)[0] < 2)] = 700.0
    once = standard_values(volume(values * unit, Modality.MR, "ADC"))
    assert once[inside][once[inside] < 0.24].size > 0
    assert np.median(once[inside]) == pytest.approx(0.5, abs=0.03)
    assert once[0, 0, 0] == pytest.approx(700.0 / 3000.0, rel=1e-3)


def test_a_small_bright_lesion_on_diffusion_keeps_its_brightness():
    values, _ = body_in_air(100.0)
    values[4:6, 4:6, 4:6] = 400.0
    values[4, 4, 4] = 500.0
    found = standard_values(volume(values, Modality.MR, "DWI b800"))
    brightest = WINDOWS[Modality.MR][2][1]
    assert 0.9 < found[5, 5, 5] < found[4, 4, 4] < brightest
    assert standard_values(volume(values, Modality.MR, "T2"))[5, 5, 5] > brightest


@pytest.mark.parametrize("sequence", ["", "T2", "ADC", "DWI b0"])
def test_a_volume_of_one_value_is_empty(sequence):
    assert (standard_values(volume(np.full((2, 2, 2), 5.0), Modality.MR, sequence)) == 0.0).all()
