"""Thorax CT phantoms: a seed becomes a CT volume with masks, labels, slice ranges and a report."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.phantoms.anatomy import Anatomy
from models.phantoms.body import paint_body
from models.phantoms.canvas import Canvas, Floats, Grid
from models.phantoms.findings import FINDINGS, Finding
from models.phantoms.lesions import Layer
from models.phantoms.plan import Case, Truth, draw_case
from models.phantoms.report import TrueSentence, write_report
from models.phantoms.texture import Scan, draw_scan, finish
from models.phantoms.tree import grow, paint_tree

MIN_SLICES, MAX_SLICES = 60, 120


@dataclass(frozen=True)
class Phantom:
    """A CT volume of which everything is known.

    `hu` int16 [slices, rows, columns], slices in ascending z (towards the head), rows to the back, columns to the left.
    """

    seed: int
    hu: NDArray[np.int16]
    z_mm: Floats
    first_pixel_mm: tuple[float, float]
    """x, y of the centre of the first pixel."""
    pixel_mm: float
    masks: dict[Finding, NDArray[np.bool_]]
    truths: tuple[Truth, ...]
    sentences: tuple[TrueSentence, ...]
    contrast: bool

    @property
    def labels(self) -> dict[Finding, bool]:
        """Which findings are there."""
        there = {truth.finding for truth in self.truths}
        return {finding: finding in there for finding in FINDINGS}

    @property
    def slice_ranges(self) -> dict[Finding, tuple[int, int]]:
        """First and last slice of each finding that is there."""
        ranges = {}
        for finding, mask in self.masks.items():
            slices = np.flatnonzero(mask.any(axis=(1, 2)))
            ranges[finding] = (int(slices[0]), int(slices[-1]))
        return ranges

    @property
    def report(self) -> str:
        """The report as text, one sentence per line."""
        return "\n".join(sentence.text.replace(" .", ".").replace(" ,", ",") for sentence in self.sentences)


def generate(
    seed: int,
    slices: int | None = None,
    size_px: int = 224,
    findings: Iterable[Finding] | None = None,
    kept_slices: int | None = None,
) -> Phantom:
    """The phantom of a seed: random findings unless given, 60 to 120 slices unless given.

    The person and the findings do not depend on the grid. With `kept_slices` only that many are rendered, most of them
    through findings: cheap training material for a slice encoder.
    """
    case = draw_case(seed, None if findings is None else frozenset(findings))
    rng = np.random.default_rng((seed, 1))
    scan = draw_scan(rng)
    count = slices or int(rng.integers(MIN_SLICES, MAX_SLICES + 1))
    z_mm = slice_positions(case.anatomy, count, rng)
    if kept_slices is not None:
        z_mm = _choose_slices(case, z_mm, kept_slices, rng)
    canvas = paint(case, grid_of(scan, z_mm, size_px))
    return _phantom(case, canvas, scan, rng)


def slice_positions(anatomy: Anatomy, count: int, rng: np.random.Generator) -> Floats:
    """Z of the slices: from below the lung bases to above the apices."""
    low, high = -rng.uniform(36.0, 85.0), anatomy.height_mm * rng.uniform(1.03, 1.12)
    return np.linspace(low, high, count, dtype=np.float32)


def _choose_slices(case: Case, z_mm: Floats, kept: int, rng: np.random.Generator) -> Floats:
    chosen = set(rng.choice(len(z_mm), size=min(kept // 3, len(z_mm)), replace=False).tolist())
    ranges = [lesion.z_range(case.anatomy) for lesion in case.lesions] or [(-50.0, case.anatomy.height_mm)]
    while len(chosen) < min(kept, len(z_mm)):
        low, high = ranges[int(rng.integers(len(ranges)))]
        chosen.add(int(np.abs(z_mm - rng.uniform(low, high)).argmin()))
        if rng.random() < 0.1:
            chosen.add(int(rng.integers(len(z_mm))))
    return z_mm[sorted(chosen)[:kept]]


def grid_of(scan: Scan, z_mm: Floats, size_px: int) -> Grid:
    """The pixel grid of a scan."""
    axis = ((np.arange(size_px) - (size_px - 1) / 2.0) * (scan.field_mm / size_px)).astype(np.float32)
    return Grid(z_mm, axis + scan.offset_mm[1], axis + scan.offset_mm[0])


def paint(case: Case, grid: Grid) -> Canvas:
    """Body, then what takes room from the lungs, vessels, and what lies in the lungs."""
    canvas = Canvas.empty(grid)
    paint_body(canvas, case.anatomy)
    _paint_layer(canvas, case, Layer.BODY)
    paint_tree(canvas, case.anatomy, grow(case.anatomy))
    _paint_layer(canvas, case, Layer.LUNG)
    _paint_layer(canvas, case, Layer.METAL)
    return canvas


def _paint_layer(canvas: Canvas, case: Case, layer: Layer) -> None:
    for lesion in case.lesions:
        if lesion.layer == layer:
            lesion.paint(canvas, case.anatomy)


def _phantom(case: Case, canvas: Canvas, scan: Scan, rng: np.random.Generator) -> Phantom:
    masks = {finding: mask for finding, mask in canvas.masks.items() if mask.any()}
    hu = np.round(finish(canvas, scan)).astype(np.int16)
    grid = canvas.grid
    return Phantom(
        seed=case.seed,
        hu=hu,
        z_mm=grid.z_mm,
        first_pixel_mm=(float(grid.x_mm[0]), float(grid.y_mm[0])),
        pixel_mm=grid.pixel_mm,
        masks=masks,
        truths=case.truths,
        sentences=write_report(case.truths, rng),
        contrast=case.anatomy.contrast_hu > 0.0,
    )
