"""What the scanner adds: the structure of tissue, the blur of the kernel, noise, and the reconstruction circle."""

from dataclasses import dataclass

import numpy as np

from models.phantoms.canvas import Canvas, Floats, Region, smooth_field

_STRUCTURE_HU = np.array([14.0 if region in (1, 2) else 5.0 * (region > 0) for region in Region], np.float32)


@dataclass(frozen=True)
class Scan:
    """How a phantom is scanned; lengths in mm, noise in HU."""

    field_mm: float
    offset_mm: tuple[float, float]
    noise_hu: float
    blur: float
    """Weight of each neighbour in the kernel's three taps."""
    noise_blur: float
    seed: int


def draw_scan(rng: np.random.Generator) -> Scan:
    """Random field of view, table position, dose and kernel."""
    return Scan(
        field_mm=float(rng.uniform(345.0, 430.0)),
        offset_mm=(float(rng.uniform(-18.0, 18.0)), float(rng.uniform(-14.0, 22.0))),
        noise_hu=float(rng.uniform(6.0, 38.0)),
        blur=float(rng.uniform(0.02, 0.2)),
        noise_blur=float(rng.uniform(0.0, 0.25)),
        seed=int(rng.integers(2**31)),
    )


def blurred(volume: Floats, weight: float) -> Floats:
    """Three taps along rows and columns; the outermost pixels stay."""
    out = volume
    for axis in (1, 2):
        before, after = (np.moveaxis(out, axis, 0)[s] for s in (slice(0, -2), slice(2, None)))
        result = out.copy()
        middle = np.moveaxis(result, axis, 0)[1:-1]
        middle *= 1.0 - 2.0 * weight
        middle += weight * before
        middle += weight * after
        out = result
    return out


def finish(canvas: Canvas, scan: Scan) -> Floats:
    """The scanned volume in HU [slices, rows, columns]."""
    rng = np.random.default_rng(scan.seed)
    slices = canvas.grid.shape[0]
    structure = smooth_field(rng, canvas.grid.shape, (max(slices // 3, 2), 40, 40))
    structure *= _STRUCTURE_HU[canvas.region]
    hu = canvas.hu + structure
    noise = rng.standard_normal(canvas.grid.shape, dtype=np.float32)
    if scan.noise_blur > 0.02:
        noise = blurred(noise, scan.noise_blur)
        noise /= noise[:1].std()
    noise *= scan.noise_hu
    hu = blurred(hu, scan.blur)
    hu += noise
    hu[:, ~_circle(canvas, scan)] = -1024.0
    return np.clip(hu, -1024.0, 3071.0, out=hu)


def _circle(canvas: Canvas, scan: Scan) -> np.ndarray:
    x, y = canvas.grid.x_mm - canvas.grid.x_mm.mean(), canvas.grid.y_mm - canvas.grid.y_mm.mean()
    return x[None, :] ** 2 + y[:, None] ** 2 <= (0.5 * scan.field_mm) ** 2
