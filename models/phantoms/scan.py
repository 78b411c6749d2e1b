"""How a phantom is scanned, and what the scanner adds: partial volume, kernel, noise, streaks, the circle, the tilt."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import label, shift

from models.phantoms.canvas import Floats

METAL_HU = 2500.0
_POOL = 2**21


@dataclass(frozen=True)
class Scan:
    """How a phantom is scanned; lengths in mm, noise in HU."""

    field_mm: float
    offset_mm: tuple[float, float]
    thickness_mm: float | None
    """None: slices touch."""
    noise_hu: float
    """Spread in the middle of the body at 1.7 mm pixels and 2 mm slices."""
    kernel_mm: float
    """Spread of the point spread function."""
    edge_gain: float
    """How much a sharp kernel overshoots at edges; 0 for a soft one."""
    tilt_deg: float
    circle: bool
    """Whether pixels outside the reconstruction circle are empty."""
    top_share: float
    """Where the scan ends, as a share of the lung's height."""
    bottom_mm: float
    seed: int


def draw_scan(rng: np.random.Generator, body_mm: float) -> Scan:
    """Random field of view about a body of some width, coverage, slices, dose and kernel; never by the findings."""
    sharp = bool(rng.random() < 0.4)
    thin = (0.6, 0.75, 1.0, 1.25, 1.5, 2.0, 2.5, 3.0)
    deep, cut = rng.random() < 0.2, rng.random() < 0.12
    return Scan(
        field_mm=float(np.clip(body_mm * rng.uniform(0.97, 1.2), 300.0, 500.0)),
        offset_mm=(float(rng.uniform(-14.0, 14.0)), float(rng.uniform(-12.0, 24.0))),
        thickness_mm=float(rng.choice(thin)) if rng.random() < 0.6 else None,
        noise_hu=float(np.exp(rng.uniform(np.log(5.0), np.log(32.0)))) * (1.25 if sharp else 0.9),
        kernel_mm=float(rng.uniform(0.3, 0.5) if sharp else rng.uniform(0.5, 0.95)),
        edge_gain=float(rng.uniform(0.2, 1.0)) if sharp else 0.0,
        tilt_deg=float(rng.choice((-1.0, 1.0)) * rng.uniform(4.0, 14.0)) if rng.random() < 0.04 else 0.0,
        circle=bool(rng.random() < 0.7),
        top_share=float(rng.uniform(0.97, 1.02) if cut else rng.uniform(1.03, 1.16)),
        bottom_mm=-float(rng.uniform(95.0, 170.0) if deep else rng.uniform(36.0, 85.0)),
        seed=int(rng.integers(2**31)),
    )


@lru_cache(maxsize=1)
def _white() -> Floats:
    """White noise to cut from: a fresh draw for every slice costs as much as all the rest of the scan."""
    return np.random.default_rng(20_260_105).standard_normal(_POOL, dtype=np.float32)


def _cut(rng: np.random.Generator, shape: tuple[int, int]) -> Floats:
    size = shape[0] * shape[1]
    start = int(rng.integers(0, _POOL - size))
    return _white()[start : start + size].reshape(shape)


@dataclass(frozen=True, eq=False)
class Detector:
    """What the scan does to one slice after another; `x` and `y` are the grid's axes in mm."""

    scan: Scan
    x: Floats
    y: Floats
    pixel_mm: float
    thickness_mm: float

    def noise_hu(self, width_mm: float, shoulders: float) -> float:
        """Spread of the noise in a slice of a body of some width; `shoulders` in 0 to 1."""
        pixel = (1.7 / self.pixel_mm) ** 0.7
        slice_factor = (2.0 / max(self.thickness_mm, 0.6)) ** 0.4
        body = float(np.exp(0.006 * (width_mm - 330.0)))
        return float(np.clip(self.scan.noise_hu * pixel * slice_factor * body * (1.0 + 0.5 * shoulders), 2.0, 110.0))

    def filtered(self, image: Floats) -> Floats:
        """The image through the kernel: a small blur, and for a sharp kernel the difference to a wider one."""
        weight = min(0.5 * (self.scan.kernel_mm / self.pixel_mm) ** 2, 0.3)
        soft = blurred(image, weight)
        if self.scan.edge_gain == 0.0:
            return soft
        wide = blurred(soft, min(0.5 * (1.1 / self.pixel_mm) ** 2, 0.3))
        soft += np.float32(self.scan.edge_gain) * (soft - wide)
        return soft


def blurred(image: Floats, weight: float) -> Floats:
    """Three taps along rows and columns; the outermost pixels stay."""
    out = image
    for axis in (0, 1):
        result = out.copy()
        inner = result[1:-1] if axis == 0 else result[:, 1:-1]
        before, after = (out[:-2], out[2:]) if axis == 0 else (out[:, :-2], out[:, 2:])
        inner *= np.float32(1.0 - 2.0 * weight)
        both = before + after
        both *= np.float32(weight)
        inner += both
        out = result
    return out


def scanned(
    volume: Floats, detector: Detector, samples: int, widths_mm: Floats, shoulders: Floats
) -> NDArray[np.int16]:
    """The scanned volume in HU [slices, rows, columns].

    `volume` holds `samples` levels for each slice, whose mean is the slice: partial volume along z. `widths_mm` and
    `shoulders` are those of each slice's body.
    """
    rng = np.random.default_rng(detector.scan.seed)
    count = len(volume) // samples
    out = np.empty((count, *volume.shape[1:]), np.int16)
    spread, outside = _spread(detector), _outside(detector)
    for index in range(count):
        slab = volume[index * samples : (index + 1) * samples]
        hu = slab[0] if samples == 1 else slab.mean(axis=0)
        if float(hu.max()) > METAL_HU:
            hu = hu + metal_streaks(hu, detector, rng)
        sigma = detector.noise_hu(float(widths_mm[index]), float(shoulders[index]))
        noise = _cut(rng, hu.shape) * (spread * np.float32(sigma))
        if shoulders[index] > 0.3:
            noise += np.float32(0.8 * sigma * shoulders[index]) * _streaks(rng, hu.shape) * spread
        noise += hu
        image = detector.filtered(noise)
        image[outside] = -1024.0
        np.clip(image, -1024.0, 3071.0, out=image)
        np.rint(image, out=image)
        out[index] = image
    return out


def _spread(detector: Detector) -> Floats:
    """Noise over the field relative to its middle."""
    far = (detector.x[None, :] ** 2 + detector.y[:, None] ** 2) / np.float32(130.0**2)
    spread = np.float32(0.45) + np.float32(0.65) * np.exp(-far)
    # The kernel takes noise away; the figure asked for is what is left.
    probe = detector.filtered(_white()[: 128 * 128].reshape(128, 128))
    return np.asarray(spread / probe[2:-2, 2:-2].std(), np.float32)


def _outside(detector: Detector) -> NDArray[np.bool_]:
    x, y = detector.x - detector.x.mean(), detector.y - detector.y.mean()
    if not detector.scan.circle:
        return np.zeros((len(y), len(x)), bool)
    return np.asarray(x[None, :] ** 2 + y[:, None] ** 2 > (0.5 * detector.scan.field_mm) ** 2)


def _streaks(rng: np.random.Generator, shape: tuple[int, int]) -> Floats:
    """Horizontal streaks of unit spread: noise that is alike along the rows, as through the shoulders."""
    length = max(shape[1] // 6, 3)
    white = _cut(rng, (shape[0], shape[1] + length))
    total = np.cumsum(white, axis=1, dtype=np.float32)
    return (total[:, length:] - total[:, :-length]) * np.float32(length**-0.5)


def metal_streaks(hu: Floats, detector: Detector, rng: np.random.Generator) -> Floats:
    """Dark and bright bands that leave each piece of metal in a slice, HU."""
    pieces, count = label(hu > METAL_HU)
    added = np.zeros_like(hu)
    sizes = np.bincount(pieces.ravel(), minlength=count + 1)[1:]
    for number in np.argsort(sizes)[::-1][:5]:
        rows, columns = np.nonzero(pieces == number + 1)
        area = len(rows) * detector.pixel_mm**2
        x, y = detector.x - detector.x[columns].mean(), detector.y - detector.y[rows].mean()
        distance = np.hypot(x[None, :], y[:, None])
        near = distance < 110.0
        turn = (np.arctan2(y[:, None] + 0.0 * x[None, :], x[None, :] + 0.0 * y[:, None])[near] / np.pi % 1.0) * 180.0
        bands = np.interp(np.arange(180), np.arange(0, 180, 4), rng.standard_normal(45)).astype(np.float32)
        value = bands[turn.astype(np.int64) % 180] * np.exp(-distance[near] / np.float32(38.0))
        strength = min(60.0 + 9.0 * area, 420.0)
        added[near] += np.float32(strength) * value * np.clip(distance[near] / np.float32(3.0), 0.0, 1.0)
    return added


def sheared(volume: NDArray[np.int16], rows: Floats) -> NDArray[np.int16]:
    """Each slice moved by a number of rows, as in a stack of slices from a tilted gantry."""
    out = np.empty_like(volume)
    for index, by in enumerate(rows):
        out[index] = shift(volume[index], (float(by), 0.0), order=1, mode="nearest")
    return out
