"""Series of one anatomy: planes, partial volume, coil bias, Rician noise, stored values."""

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from models.phantoms.canvas import Floats, Point
from models.phantoms.pelvis.geometry import Geometry, centred, crop_for, sample, sample_labels
from models.phantoms.pelvis.person import Person
from models.phantoms.pelvis.sequence import HIGH_B, LOW_B, PROTOCOL, Plane, Sequence, Weighting, lookup
from models.phantoms.pelvis.volume import Volume
from models.phantoms.scan import blurred

_TILE = 96
_POOL = 2**21
HIGHEST_STORED = 4095
_FAT_SIGNAL = 0.3
"""About what fat gives in the common T2 series; noise is told against it."""


@dataclass(frozen=True, eq=False)
class Series:
    """Images of one sequence: stored values uint16 [slices, rows, columns]; ADC in 1e-6 mm²/s."""

    sequence: Sequence
    geometry: Geometry
    pixels: NDArray[np.uint16]
    labels: NDArray[np.uint8]
    """Tissue at the centre of each pixel."""

    def moved(self, by_mm: Point) -> "Series":
        """The same images elsewhere."""
        return replace(self, geometry=self.geometry.moved(by_mm))


@dataclass(frozen=True)
class Scanner:
    """How a study is scanned; never by the disease."""

    tilt_deg: float
    """Of the axial slices: how far they are turned with the rectum, which leans back on its way up."""
    middle_mm: Point
    axial_mm: float
    sagittal_mm: float
    wide_mm: float
    """Fields of view: of the axial T2, of the sagittal and coronal T2, of DWI and T1."""
    pixel_mm: float
    distance_mm: float
    signal_to_noise: float
    bias: tuple[float, ...]
    gain: float
    seed: int


def draw_scanner(rng: np.random.Generator) -> Scanner:
    """A random protocol of a scanner."""
    return Scanner(
        tilt_deg=float(rng.uniform(4.0, 22.0)),
        middle_mm=(float(rng.normal(0.0, 3.0)), float(rng.uniform(4.0, 14.0)), float(rng.uniform(58.0, 66.0))),
        axial_mm=float(rng.uniform(180.0, 215.0)),
        sagittal_mm=float(rng.uniform(200.0, 225.0)),
        wide_mm=float(rng.uniform(225.0, 262.0)),
        pixel_mm=float(rng.uniform(0.64, 0.78)),
        distance_mm=float(rng.choice((3.6, 3.9, 4.2))),
        signal_to_noise=float(rng.uniform(14.0, 34.0)),
        bias=tuple(float(v) for v in rng.normal(0.0, (0.10, 0.12, 0.15, 0.16, 0.08, 0.08))),
        gain=float(rng.uniform(1500.0, 3200.0)),
        seed=int(rng.integers(2**31)),
    )


def geometry_of(sequence: Sequence, scanner: Scanner, fineness: float) -> Geometry:
    """Where the slices of a sequence lie; `fineness` below 1 makes coarser pixels for quick tests."""
    x, y, z = scanner.middle_mm
    if sequence.plane is Plane.SAGITTAL:
        middle, field = (x, y, z + 10.0), scanner.sagittal_mm
        directions, slices = ((0.0, 1.0, 0.0), (0.0, 0.0, -1.0)), (24, 3.6, 3.2)
    elif sequence.plane is Plane.CORONAL:
        middle, field = (x, y + 4.0, z + 8.0), scanner.sagittal_mm
        directions, slices = (_leaning((0.0, 0.0, -1.0), scanner.tilt_deg), (24, 3.9, 3.5))
    else:
        middle, field = (x, y, z), scanner.axial_mm if sequence.weighting is Weighting.T2 else scanner.wide_mm
        count = round(136.0 / scanner.distance_mm)
        slices = (count, scanner.distance_mm, scanner.distance_mm - 0.4)
        # Diffusion and T1 are often planned straight.
        tilt = scanner.tilt_deg if sequence.weighting is Weighting.T2 else 0.0
        directions = _leaning((0.0, 1.0, 0.0), tilt)
    pixel = scanner.pixel_mm * {Weighting.T2: 1.0, Weighting.T1: 1.25}.get(sequence.weighting, 2.5) / fineness
    return centred(middle, directions[0], directions[1], pixel, slices, round(field / pixel))


def _leaning(down: Point, tilt_deg: float) -> tuple[Point, Point]:
    """Rows to the left, and a direction down the columns turned about the x axis."""
    cos, sin = float(np.cos(np.deg2rad(tilt_deg))), float(np.sin(np.deg2rad(tilt_deg)))
    _, y, z = down
    return (1.0, 0.0, 0.0), (0.0, cos * y + sin * z, cos * z - sin * y)


def render_study(volume: Volume, person: Person, scanner: Scanner, fineness: float = 1.0) -> tuple[Series, ...]:
    """All series of the protocol, in its order."""
    done: list[Series] = []
    for number, sequence in enumerate(PROTOCOL):
        if sequence.weighting is Weighting.ADC:
            done.append(adc_map(sequence, done))
        else:
            rng = np.random.default_rng((scanner.seed, number))
            done.append(_render(volume, person, scanner, sequence, fineness, rng, _labels_like(done, sequence)))
    return tuple(done)


def _labels_like(done: list[Series], sequence: Sequence) -> NDArray[np.uint8] | None:
    """Labels of the series before, where that lies on the same planes."""
    if not done:
        return None
    last = done[-1].sequence
    return done[-1].labels if (last.weighting, last.plane) == (sequence.weighting, sequence.plane) else None


def _render(
    volume: Volume,
    person: Person,
    scanner: Scanner,
    sequence: Sequence,
    fineness: float,
    rng: np.random.Generator,
    labels: NDArray[np.uint8] | None,
) -> Series:
    geometry = geometry_of(sequence, scanner, fineness)
    crop = crop_for(volume, geometry)
    table = lookup(sequence, person)
    part = volume.labels[crop.index]
    values = table.signal[part]
    values += table.texture[part] * _texture(crop.index, volume.voxel_mm)
    diffusion = sequence.weighting is Weighting.DWI
    image = sample(values, crop, geometry, 3, 2 if geometry.pixel_mm > 1.3 else 1)
    for index in range(len(image)):
        image[index] = blurred(image[index], 0.10 if diffusion else 0.16)
    image *= _bias(scanner, geometry.shape, rng)
    noise = _FAT_SIGNAL / scanner.signal_to_noise * {Weighting.T1: 0.8, Weighting.DWI: 0.55}.get(sequence.weighting, 1)
    pixels = _stored(rician(image, noise, rng), scanner.gain * (1.1 if diffusion else 1.0))
    return Series(sequence, geometry, pixels, sample_labels(volume, geometry) if labels is None else labels)


@lru_cache(maxsize=1)
def _tile() -> Floats:
    """A periodic field of unit spread: half of it fine, half of it coarse."""
    rng = np.random.default_rng(20_261_123)
    white = rng.standard_normal((_TILE, _TILE, _TILE), dtype=np.float32)
    fine, coarse = (gaussian_filter(white, s, mode="wrap") for s in (1.1, 2.6))
    field = fine / fine.std() + coarse / coarse.std()
    return np.asarray(field / field.std(), np.float32)


def _texture(index: tuple[slice, slice, slice], voxel_mm: float) -> Floats:
    # The shortest axis in memory first: the others then copy whole rows and planes.
    field = _tile()
    for axis in (2, 1, 0):
        span = index[axis]
        field = field.take((np.arange(span.start, span.stop) * voxel_mm).astype(np.intp) % _TILE, axis=axis)
    return field


def _bias(scanner: Scanner, shape: tuple[int, int, int], rng: np.random.Generator) -> Floats:
    """Smooth shading of the coils, the product of three curves; a little of it differs from series to series."""
    curves = []
    for axis, count in enumerate(shape):
        place = np.linspace(-1.0, 1.0, count, dtype=np.float32)
        slope, bend = scanner.bias[2 * axis] + rng.normal(0.0, 0.03), scanner.bias[2 * axis + 1]
        curves.append(np.exp(slope * place + bend * place**2).astype(np.float32))
    return curves[0][:, None, None] * curves[1][:, None] * curves[2]


@lru_cache(maxsize=1)
def _white() -> Floats:
    """White noise to cut from: fresh draws for every slice cost as much as all the rest."""
    return np.random.default_rng(20_261_124).standard_normal(_POOL, dtype=np.float32)


def rician(image: Floats, sigma: float, rng: np.random.Generator) -> Floats:
    """The magnitude of the image with noise in its real and its imaginary part (Gudbjartsson and Patz, MRM 1995)."""
    out = np.empty_like(image)
    size = image[0].size
    for index, level in enumerate(image):
        real, imaginary = (
            _white()[start : start + size].reshape(level.shape) * np.float32(sigma)
            for start in rng.integers(0, _POOL - size, 2)
        )
        real += level
        np.sqrt(real * real + imaginary * imaginary, out=out[index])
    return out


def _stored(image: Floats, gain: float) -> NDArray[np.uint16]:
    return np.asarray(np.rint(np.clip(image * np.float32(gain), 0.0, HIGHEST_STORED)), np.uint16)


def adc_map(sequence: Sequence, done: list[Series]) -> Series:
    """The apparent diffusion coefficient from the two b values, ln(S1 / S2) / (b2 - b1), in 1e-6 mm²/s.

    0 where the first image holds little but noise, as the scanners do it.
    """
    low, high = (next(s for s in done if s.sequence.b_value == b) for b in (LOW_B, HIGH_B))
    first, second = low.pixels.astype(np.float32), high.pixels.astype(np.float32)
    with np.errstate(divide="ignore", invalid="ignore"):
        adc = np.log(np.maximum(first, 1.0) / np.maximum(second, 1.0)) * np.float32(1e6 / (HIGH_B - LOW_B))
    threshold = 0.06 * float(np.quantile(first, 0.98))
    adc[first < threshold] = 0.0
    return Series(sequence, low.geometry, _stored(adc, 1.0), low.labels)
