import numpy as np
import pytest

torch = pytest.importorskip("torch")

from models.gtgm.intensity import CHANNELS, ScaledIntensity, standard_values  # noqa: E402
from models.gtgm.volume import Modality, Volume  # noqa: E402

pytestmark = pytest.mark.train


def volume(values, modality):
    return Volume(np.asarray(values, np.float32), (1.0, 1.0, 1.0), modality)


def test_hu_are_left_and_windowed():
    values = np.array([[[-1000.0, -600.0, 40.0]]])
    assert (standard_values(volume(values, Modality.CT)) == values).all()
    scaled = ScaledIntensity(Modality.CT)(torch.from_numpy(values).float()[None, None])
    assert scaled.shape == (1, CHANNELS, 1, 1, 3)
    assert scaled[0, :2, 0, 0].tolist() == [[-1.0, 0.0, 1.0], [-1.0, -1.0, 0.0]]


@pytest.mark.parametrize("modality", [Modality.MR, Modality.EM])
def test_grey_values_do_not_depend_on_the_scanners_scale(modality):
    values = np.random.default_rng(0).normal(300.0, 80.0, (8, 8, 8))
    once, other = standard_values(volume(values, modality)), standard_values(volume(7.0 * values + 100.0, modality))
    assert np.allclose(once, other, atol=1e-4)
    assert abs(np.percentile(once, 99.0) - 1.0) < 1e-4


def test_a_volume_of_one_value_is_empty():
    assert (standard_values(volume(np.full((2, 2, 2), 5.0), Modality.MR)) == 0.0).all()
