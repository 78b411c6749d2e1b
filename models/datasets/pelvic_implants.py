"""Rectal tumours implanted into real pelvic MR: the phantoms' shape in a real rectum, rendered in every series.

One tumour in patient coordinates is taken through each stack's own geometry: the mean over its slice thickness and its
pixels, blurred as sharply as the scanner is, under noise with the texture of that stack's own. ADC and calculated b
follow from the changed diffusion images. What the patient has else is not told: unknown items stay unknown.
"""

import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from models.datasets.background import EVEN_SHARE, NOISE_LENGTH_PX
from models.datasets.pelvic_cases import PelvicCase
from models.datasets.pelvic_contrast import tones_of
from models.datasets.pelvic_rectum import VOXEL_MM, GrownTumour, grow, ring_lengths_mm
from models.datasets.pelvic_study import Kind, RealPelvis, RealStack, load_pelvis
from models.datasets.real_ct import SHARED_DATA
from models.phantoms.canvas import Floats
from models.phantoms.pelvis.plan import TumourPlan
from models.phantoms.pelvis.tissue import SIGNALS, Tissue

SHARPNESS_PX = 0.6
"""Standard deviation of the point spread in pixels: a sinc of full width 1.2 at half its height, and the echo train."""
GRAIN_PX = 0.5
"""The same of the noise's grain."""
UNEVEN = 1.5
"""How much more uneven than a phantom's: a real cancer's T2 signal varies by .24 of its mean, noise included."""
THROUGH = 5
"""Samples over the thickness of a slice."""
CROP_MM = 60.0
"""Half the side of the square about the tumour from which a stack's noise is taken."""
HIGHEST_STORED = 4095
LEAST = 1e-3
"""Share of a pixel below which a tumour changes nothing."""

Bools = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class ImplantedStack:
    """A real stack with the tumour in it, and where it is."""

    real: RealStack
    pixels: NDArray[np.uint16]
    mask: Bools
    """Pixels at least half of which are tumour [slices, rows, columns]."""
    share: Floats
    """How much of each pixel's signal is the tumour's."""


@dataclass(frozen=True, eq=False)
class ImplantedPelvis:
    """A real study with an implanted tumour."""

    case: PelvicCase
    seed: int
    tumour: GrownTumour
    stacks: tuple[ImplantedStack, ...]


def draw_plan(case: PelvicCase, seed: int, t_stage: int | None = None) -> TumourPlan:
    """A random tumour for which a patient's rectum has room. Raises ValueError for a T stage for which it has none."""
    if t_stage is not None and t_stage not in case.stages:
        raise ValueError(f"no room for T{t_stage} in {case.patient}: choose one of {case.stages}")
    rng = np.random.default_rng((seed, zlib.crc32(case.patient.encode())))
    stage = t_stage or int(rng.choice(case.stages))
    first, last = ring_lengths_mm(case)
    length = float(min(rng.uniform(16.0, 26.0) if stage <= 2 else rng.uniform(22.0, 34.0), last - first - 4.0))
    lower = float(rng.uniform(first + 2.0, last - 2.0 - length))
    centre = float(rng.uniform(-case.half_turn, case.half_turn))
    extent = float(np.deg2rad(rng.uniform(60.0, 150.0) if stage <= 2 else rng.uniform(100.0, 240.0)))
    if stage == 4:
        centre, lower = float(rng.normal(0.0, 0.15)), float(first + rng.uniform(2.0, 5.0))
        extent, length = min(extent, float(np.deg2rad(150.0))), min(length, 24.0)
    near = bool(rng.random() < 0.4)
    return TumourPlan(
        t_stage=stage,
        lower_mm=lower,
        length_mm=length,
        centre=centre,
        extent=extent,
        bulge_mm=float(rng.uniform(4.0, 9.0)),
        ulcer=float(rng.uniform(0.0, 0.6)),
        muscle_share=float(rng.uniform(0.55, 0.8)),
        depth_mm=float(rng.uniform(9.0, 16.0) if near else rng.uniform(3.0, 7.0)),
        floor_mm=float(rng.uniform(0.2, 0.8) if near else rng.uniform(1.8, 4.0)),
        breach_mm=float(rng.uniform(7.0, 10.0)),
        peritoneal=False,
        emvi=False,
        suspicious_nodes=0,
        seed=int(rng.integers(2**31)),
    )


def implant(case: PelvicCase, seed: int, t_stage: int | None = None, folder: Path = SHARED_DATA) -> ImplantedPelvis:
    """A patient's study with a tumour, always the same for the same seed.

    Raises RealDataMissing when the study is not there, and ValueError as `draw_plan` does.
    """
    pelvis, tumour = load_pelvis(case, folder), grow(case, draw_plan(case, seed, t_stage))
    return ImplantedPelvis(case, seed, tumour, rendered(pelvis, tumour, np.random.default_rng((seed, 3))))


def rendered(pelvis: RealPelvis, tumour: GrownTumour, rng: np.random.Generator) -> tuple[ImplantedStack, ...]:
    """A tumour in every stack of a study."""
    tones, texture = tones_of(pelvis, tumour, rng), _texture(tumour, rng)
    stacks: list[ImplantedStack] = []
    for place, stack in enumerate(pelvis.stacks):
        share, varied, mask = sampled(stack, tumour, texture)
        if place in tones.stored:
            spread = UNEVEN * SIGNALS[Tissue.TUMOUR].texture
            pixels = _mixed(stack, share, tones.stored[place] * (share + spread * varied), rng)
        else:
            pixels = stack.pixels
        stacks.append(ImplantedStack(stack, pixels, mask, share))
    return tuple(_derived(one, stacks) if one.real.kind in (Kind.ADC, Kind.CALCULATED) else one for one in stacks)


def _texture(tumour: GrownTumour, rng: np.random.Generator) -> Floats:
    """Unevenness of unit spread within the tumour, the same in all stacks."""
    white = rng.standard_normal(tumour.coverage.shape, dtype=np.float32)
    fine, coarse = (ndimage.gaussian_filter(white, size / VOXEL_MM) for size in (0.9, 2.2))
    field = fine / fine.std() + coarse / coarse.std()
    return np.asarray(field / field.std(), np.float32)


def sampled(stack: RealStack, tumour: GrownTumour, texture: Floats) -> tuple[Floats, Floats, Bools]:
    """Share of the tumour in each pixel, the same times its unevenness, and where it fills half of a pixel."""
    share, varied = (np.zeros(stack.pixels.shape, np.float32) for _ in range(2))
    mask = np.zeros(stack.pixels.shape, bool)
    points = tumour.points_mm
    uneven = tumour.coverage * texture
    within = (np.arange(2) - 0.5) / 2.0 if stack.pixel_mm > 2.0 * VOXEL_MM else np.zeros(1)
    steps = [(r, c) for r in within for c in within]
    for index in range(len(stack.pixels)):
        away, rows, columns = stack.places(points, index)
        close = np.abs(away) < 0.5 * stack.thickness_mm + VOXEL_MM
        if not close.any():
            continue
        window = tuple(_span(v[close], size) for v, size in zip((rows, columns), stack.pixels.shape[1:], strict=True))
        r, c = np.meshgrid(*(np.arange(span.start, span.stop) for span in window), indexing="ij")
        for through in ((np.arange(THROUGH) - 0.5 * (THROUGH - 1)) / THROUGH) * stack.thickness_mm:
            for down, across in steps:
                at = _mm(stack, index, r + down, c + across, through)
                places = tumour.index_of(at)
                share[index][window] += ndimage.map_coordinates(tumour.coverage, places, order=1)
                varied[index][window] += ndimage.map_coordinates(uneven, places, order=1)
        count = THROUGH * len(steps)
        mask[index] = share[index] >= 0.5 * count
        share[index] = ndimage.gaussian_filter(share[index] / count, SHARPNESS_PX, truncate=3.0)
        varied[index] = ndimage.gaussian_filter(varied[index] / count, SHARPNESS_PX, truncate=3.0)
    share[share < LEAST] = 0.0
    return share, varied, mask


def _span(places: NDArray[np.float64], size: int) -> slice:
    low, high = int(np.floor(places.min())) - 3, int(np.ceil(places.max())) + 4
    return slice(min(max(low, 0), size), max(min(high, size), 0))


def _mm(
    stack: RealStack, index: int, rows: NDArray[np.float64], columns: NDArray[np.float64], through_mm: float
) -> NDArray[np.float64]:
    """Points of pixels of a slice in patient coordinates. PS3.3 C.7.6.2.1.1."""
    start = stack.first_mm[index] + through_mm * stack.normal
    down, across = rows[..., None] * stack.along_columns, columns[..., None] * stack.along_rows
    return np.asarray(start + stack.pixel_mm * (down + across))


def _mixed(stack: RealStack, share: Floats, signal: Floats, rng: np.random.Generator) -> NDArray[np.uint16]:
    """The tumour's signal in the place of what was there, and as much noise as went with it."""
    slices = np.flatnonzero(share.any(axis=(1, 2)))
    pixels = stack.pixels.copy()
    if not len(slices):
        return pixels
    window = _crop(stack, share)
    noise = _noise(stack.pixels[slices][:, *window].astype(np.float32), rng)
    for index, laid in zip(slices, noise, strict=True):
        part, image = share[index][window], stack.pixels[index][window].astype(np.float32)
        mixed = (1.0 - part) * image + signal[index][window] + np.sqrt(1.0 - (1.0 - part) ** 2) * laid
        changed = part > 0.0
        pixels[index][window][changed] = np.clip(np.rint(mixed), 0, HIGHEST_STORED).astype(np.uint16)[changed]
    return pixels


def _crop(stack: RealStack, share: Floats) -> tuple[slice, slice]:
    """Rows and columns about the tumour."""
    spans = []
    for axis, size in ((2, stack.pixels.shape[1]), (1, stack.pixels.shape[2])):
        there = np.flatnonzero(share.any(axis=(0, axis)))
        middle, half = (there[0] + there[-1]) // 2, round(CROP_MM / stack.pixel_mm)
        spans.append(slice(max(int(middle) - half, 0), min(int(middle) + half, size)))
    return spans[0], spans[1]


def _noise(images: Floats, rng: np.random.Generator) -> Floats:
    """As much noise as the evenest part of images shows, with the grain of their pixels."""
    detail = images - ndimage.gaussian_filter(images, (0.0, NOISE_LENGTH_PX, NOISE_LENGTH_PX))
    local = np.sqrt(ndimage.uniform_filter(detail**2, (0, 5, 5)))
    spread = float(np.quantile(local[images > 0.0], EVEN_SHARE))
    white = rng.standard_normal(images.shape, dtype=np.float32)
    grain = ndimage.gaussian_filter(white, (0.0, GRAIN_PX, GRAIN_PX))
    return np.asarray(grain * (spread / grain.std()), np.float32)


def _derived(one: ImplantedStack, stacks: list[ImplantedStack]) -> ImplantedStack:
    """ADC and calculated b of the changed diffusion images: what the fit to them changes is added to what was stored.

    S(b) = S0 exp(-b ADC) by least squares of the logarithms. Where the scanner had left out noise, the fit itself.
    """
    weighted = [each for each in stacks if each.real.kind is Kind.DIFFUSION]
    changed = one.share > 0.0
    before = _fitted(weighted, [each.real.pixels for each in weighted], changed)
    after = _fitted(weighted, [each.pixels for each in weighted], changed)
    stored = one.real.pixels[changed].astype(float)
    if one.real.kind is Kind.ADC:
        new = np.where(stored > 0.0, stored + after[1] - before[1], after[1])
    else:
        then, now = (s0 * np.exp(-1e-6 * one.real.b_value * adc) for s0, adc in (before, after))
        new = stored + now - then
    pixels = one.real.pixels.copy()
    pixels[changed] = np.clip(np.rint(new), 0, HIGHEST_STORED).astype(np.uint16)
    return ImplantedStack(one.real, pixels, one.mask, one.share)


def _fitted(
    weighted: list[ImplantedStack], pixels: list[NDArray[np.uint16]], where: Bools
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """S0, and ADC in 1e-6 mm²/s, of some pixels."""
    b = np.array([each.real.b_value for each in weighted])
    logs = np.stack([np.log(np.maximum(image[where], 1).astype(float)) for image in pixels])
    slope = -((b - b.mean())[:, None] * (logs - logs.mean(0))).sum(0) / ((b - b.mean()) ** 2).sum()
    return np.exp(logs.mean(0) + slope * b.mean()), 1e6 * slope
