"""Other scanners' views of the same anatomy: what may change without making the text wrong, per modality.

CT numbers are absolute, so they move by a few HU only; grey values of MR and EM have no unit, so brightness, contrast
and, in MR, shading across the field may change.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from models.gtgm.intensity import WINDOWS
from models.gtgm.volume import Modality

Floats = NDArray[np.float32]
_SOFT: dict[str, Any] = {"mode": "nearest", "truncate": 3.0}


@dataclass(frozen=True)
class Variation:
    """Largest changes of a modality, in its standard values (HU, or 0..1)."""

    offset: float
    noise: float
    blur_voxels: float
    gain: float = 0.0
    gamma: float = 0.0
    shading: float = 0.0
    window: float = 0.05
    """Of a window's edges, as a share of its width."""


VARIATIONS: dict[Modality, Variation] = {
    Modality.CT: Variation(offset=10.0, noise=30.0, blur_voxels=0.7),
    Modality.MR: Variation(offset=0.02, noise=0.06, blur_voxels=0.7, gain=0.2, gamma=0.3, shading=0.25),
    Modality.EM: Variation(offset=0.05, noise=0.08, blur_voxels=0.8, gain=0.2, gamma=0.25),
}


def varied(values: Floats, modality: Modality, rng: np.random.Generator) -> Floats:
    """Standard values [d, h, w] as another scanner might have given them."""
    most = VARIATIONS[modality]
    x = values
    if most.gamma:
        x = np.sign(x) * np.abs(x) ** np.float32(np.exp(rng.uniform(-most.gamma, most.gamma)))
    if most.shading:
        x = x * _shading(x.shape, most.shading, rng)
    x = x * np.float32(np.exp(rng.uniform(-most.gain, most.gain))) + np.float32(rng.uniform(-most.offset, most.offset))
    x = ndimage.gaussian_filter(x, rng.uniform(0.0, most.blur_voxels), **_SOFT)
    noise = rng.standard_normal(x.shape, np.float32) * np.float32(rng.uniform(0.0, most.noise))
    return np.asarray(x + noise, np.float32)


def _shading(shape: tuple[int, ...], most: float, rng: np.random.Generator) -> Floats:
    """A smooth factor of 1 ± most: a plane and a saddle through the field."""
    z, y, x = np.meshgrid(*(np.linspace(-1.0, 1.0, n, dtype=np.float32) for n in shape), indexing="ij", sparse=True)
    a, b, c, d = rng.uniform(-most, most, 4).astype(np.float32) / np.float32(2.0)
    return np.asarray(np.exp(a * z + b * y + c * x + d * y * x), np.float32)


def varied_windows(modality: Modality, rng: np.random.Generator) -> Floats:
    """Windows [CHANNELS, 2] with slightly other edges."""
    windows = np.array(WINDOWS[modality], np.float32)
    most = VARIATIONS[modality].window * (windows[:, 1:] - windows[:, :1])
    return np.asarray(windows + rng.uniform(-1.0, 1.0, windows.shape) * most, np.float32)
