"""A real scan taken apart for implants: its HU without noise, its noise, its sharpness, and where its organs lie."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, signal

from models.datasets.fitted import Fit, fit, in_heart, lung_voxels
from models.datasets.implant_vessels import grooves_mm
from models.datasets.real_cases import RealCase
from models.datasets.real_ct import SHARED_DATA, RealScan, load_scan
from models.phantoms.canvas import Floats, Region

NOISE_LENGTH_PX, NOISE_CLIP = 2.0, 2.5
EVEN_SHARE = 0.2
"""Share of the soft tissue that is even enough to show the noise alone."""
PATCH_PX, PATCHES, NOISE_FIELDS = 16, 300, 24


@dataclass(frozen=True)
class Background:
    """A real scan ready for implants."""

    scan: RealScan
    fit: Fit
    clean_hu: NDArray[np.int16]
    noise_hu: NDArray[np.int16]
    noise_fields: Floats
    """Made noise with the texture of the scan's soft tissue [n, rows, columns]."""
    blur_px: float
    """Standard deviation of the scan's blur."""
    grooves_mm: NDArray[np.float64]
    """Fat about the heart, x, y, z [n, 3]."""
    lung_slices: tuple[int, int]
    """Lowest and highest slice of the lungs."""
    body_px: tuple[tuple[int, int], tuple[int, int]]
    """First and last row, first and last column of the body."""

    def tissue_noise(self, rng: np.random.Generator, shape: tuple[int, ...]) -> Floats:
        """A slice of noise as the scan's soft tissue has it."""
        noise = self.noise_fields[int(rng.integers(len(self.noise_fields)))]
        rows, columns = (int(rng.integers(0, size)) for size in noise.shape)
        rolled: Floats = np.roll(noise, (rows, columns), (0, 1))[: shape[0], : shape[1]]
        return rolled


@lru_cache(maxsize=4)
def background(case: RealCase, folder: Path = SHARED_DATA) -> Background:
    """The background of a case, taken apart once per process. Raises RealDataMissing."""
    scan = load_scan(case, folder)
    hu = scan.volume.hu.astype(np.float32)
    detail = hu - ndimage.gaussian_filter(hu, (0.0, NOISE_LENGTH_PX, NOISE_LENGTH_PX))
    body, lung = scan.region != Region.OUTSIDE, lung_voxels(scan.region)
    tissue = body & ~lung
    local = np.sqrt(np.maximum(ndimage.uniform_filter(detail**2, (0, 5, 5)), 0.0))
    spread = float(np.quantile(local[tissue], EVEN_SHARE))
    noise = np.rint(np.clip(detail, -NOISE_CLIP * spread, NOISE_CLIP * spread)).astype(np.int16)
    slices = np.flatnonzero(lung.any(axis=(1, 2)))
    rows, columns = np.flatnonzero(body.any(axis=(0, 2))), np.flatnonzero(body.any(axis=(0, 1)))
    place = fit(scan)
    heart = in_heart(place.grid, place.anatomy) & tissue
    return Background(
        scan=RealScan(case, scan.volume, np.where(heart, np.uint8(Region.HEART), scan.region)),
        fit=place,
        clean_hu=scan.volume.hu - noise,
        noise_hu=noise,
        noise_fields=noise_like(detail, tissue & (local < 1.5 * spread)),
        blur_px=edge_blur_px(hu, scan.region),
        grooves_mm=grooves_mm(scan, place),
        lung_slices=(int(slices[0]), int(slices[-1])),
        body_px=((int(rows[0]), int(rows[-1])), (int(columns[0]), int(columns[-1]))),
    )


def noise_like(detail: Floats, even: NDArray[np.bool_]) -> Floats:
    """Fields of noise [n, rows, columns] with spread and grain of the detail in even tissue.

    White noise filtered to the mean power spectrum of patches (noise power spectrum: ICRU Report 87, 2012).
    """
    rng = np.random.default_rng(0)
    full = ndimage.uniform_filter(even.astype(np.float32), (0, PATCH_PX, PATCH_PX))
    half = PATCH_PX // 2
    inner = np.s_[:, half:-half, half:-half]
    places = np.argwhere(full[inner] >= min(0.9, float(full[inner].max())))
    chosen = places[rng.choice(len(places), size=min(PATCHES, len(places)), replace=False)]
    patches = np.stack([detail[s, row : row + PATCH_PX, column : column + PATCH_PX] for s, row, column in chosen])
    patches = patches - patches.mean(axis=(1, 2), keepdims=True)
    power = np.mean(np.abs(np.fft.fft2(patches)) ** 2, axis=0) / PATCH_PX**2
    kernel = np.fft.fftshift(np.fft.ifft2(np.sqrt(power)).real)
    white = rng.standard_normal((NOISE_FIELDS, *detail.shape[1:])).astype(np.float32)
    fields: Floats = signal.fftconvolve(white, kernel[None], mode="same", axes=(1, 2)).astype(np.float32)
    return fields


def edge_blur_px(hu: Floats, region: NDArray[np.uint8]) -> float:
    """Standard deviation in pixels of the scan's blur, from its steepest steps between lung and chest wall.

    A step blurred by a Gaussian rises by at most height / (√(2π) σ) per pixel.
    """
    lung = lung_voxels(region)
    slices, rows, columns = np.nonzero(lung[:, :, 2:-4] & ~lung[:, :, 3:-3])
    profile = np.stack([hu[slices, rows, columns + shift] for shift in range(6)])
    height, rise = profile[-1] - profile[0], np.abs(np.diff(profile, axis=0)).max(axis=0)
    clear = height > 600.0
    if not clear.any():
        return 0.6
    sigma = height[clear] / (np.sqrt(2.0 * np.pi) * rise[clear])
    return float(np.clip(np.quantile(sigma, 0.1), 0.3, 1.5))
