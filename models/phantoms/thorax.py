"""Thorax CT phantoms: a seed becomes a CT volume with masks, labels, slice ranges and a report."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from models.phantoms.anatomy import Anatomy
from models.phantoms.blood import Phase
from models.phantoms.body import body_width_mm, paint_body
from models.phantoms.canvas import Canvas, Floats, Grid
from models.phantoms.findings import FINDINGS, Finding
from models.phantoms.lesions import Layer
from models.phantoms.plan import Case, Truth, draw_case
from models.phantoms.report import TrueSentence, write_report
from models.phantoms.scan import Detector, Scan, draw_scan, scanned, sheared
from models.phantoms.tree import grow, paint_tree

if TYPE_CHECKING:
    from models.datasets.study import LabelledStudy

MIN_SLICES, MAX_SLICES = 60, 120
THICK_MM = 2.6
"""From this thickness on, a slice is the mean of two levels."""


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
    thickness_mm: float
    tilt_deg: float
    """Of the gantry; each slice is then moved along y by `row_shift_mm` against the lowest one."""
    masks: dict[Finding, NDArray[np.bool_]]
    truths: tuple[Truth, ...]
    sentences: tuple[TrueSentence, ...]
    phase: Phase

    @property
    def contrast(self) -> bool:
        """Whether contrast medium was given."""
        return self.phase != Phase.NONE

    def row_shift_mm(self, index: int) -> float:
        """How far the first row of a slice lies behind that of the lowest slice."""
        return row_shift_mm(self.tilt_deg, float(self.z_mm[index] - self.z_mm[0]))

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

    def study(self) -> "LabelledStudy":
        """The phantom as training and test material."""
        from models.datasets.study import LabelledStudy  # models.datasets imports this package

        return LabelledStudy(
            patient=f"phantom-{self.seed}",
            study=f"phantom-{self.seed}",
            source="phantom",
            hu=self.hu,
            z_mm=self.z_mm,
            spacing_mm=(self.pixel_mm, self.pixel_mm),
            labels=self.labels,
            masks=self.masks,
            attributes={truth.finding: truth.attributes for truth in self.truths},
            sentences=self.sentences,
        )


def generate(
    seed: int,
    slices: int | None = None,
    size_px: int = 224,
    findings: Iterable[Finding] | None = None,
    kept_slices: int | None = None,
    thickness_mm: float | None = None,
) -> Phantom:
    """The phantom of a seed: random findings unless given, 60 to 120 slices unless given.

    The person and the findings do not depend on the grid. With `kept_slices` only that many are rendered, most of them
    through findings: cheap training material for a slice encoder.
    """
    case = draw_case(seed, None if findings is None else frozenset(findings))
    rng = np.random.default_rng((seed, 1))
    chest = np.array([0.45 * case.anatomy.height_mm], np.float32)
    scan = draw_scan(rng, float(body_width_mm(case.anatomy, chest)[0]))
    count = slices or int(rng.integers(MIN_SLICES, MAX_SLICES + 1))
    z_mm = slice_positions(case.anatomy, scan, count)
    distance = float(z_mm[1] - z_mm[0]) if count > 1 else 1.0
    wanted = thickness_mm or scan.thickness_mm or min(max(distance, 0.6), 5.0)
    if kept_slices is not None:
        z_mm = _choose_slices(case, z_mm, kept_slices, rng)
    samples = 2 if wanted >= THICK_MM else 1
    levels = z_mm if samples == 1 else _levels(z_mm, min(wanted / 4.0, 0.24 * distance))
    canvas = paint(case, grid_of(scan, levels, size_px))
    hu = _scan(canvas, case.anatomy, scan, samples, wanted)
    masks = _masks(canvas, samples)
    if scan.tilt_deg:
        rows = np.array([-row_shift_mm(scan.tilt_deg, z - z_mm[0]) / canvas.grid.pixel_mm for z in z_mm], np.float32)
        hu = sheared(hu, rows)
        masks = {finding: sheared(mask.astype(np.int16), np.rint(rows)) > 0 for finding, mask in masks.items()}
    return Phantom(
        seed=seed,
        hu=hu,
        z_mm=z_mm,
        first_pixel_mm=(float(canvas.grid.x_mm[0]), float(canvas.grid.y_mm[0])),
        pixel_mm=canvas.grid.pixel_mm,
        thickness_mm=wanted,
        tilt_deg=scan.tilt_deg,
        masks={finding: mask for finding, mask in masks.items() if mask.any()},
        truths=case.truths,
        sentences=write_report(case.truths, rng),
        phase=case.anatomy.blood.phase,
    )


def slice_positions(anatomy: Anatomy, scan: Scan, count: int) -> Floats:
    """Z of the slices: from below the lung bases to above the apices, or just short of them."""
    return np.linspace(scan.bottom_mm, anatomy.height_mm * scan.top_share, count, dtype=np.float32)


def row_shift_mm(tilt_deg: float, rise_mm: float) -> float:
    """Shift along y of a slice that lies `rise_mm` over another, with a tilted gantry."""
    return float(np.tan(np.deg2rad(tilt_deg)) * rise_mm)


def _levels(z_mm: Floats, half_mm: float) -> Floats:
    return np.stack([z_mm - np.float32(half_mm), z_mm + np.float32(half_mm)], 1).reshape(-1)


def _scan(canvas: Canvas, anatomy: Anatomy, scan: Scan, samples: int, thickness_mm: float) -> NDArray[np.int16]:
    grid = canvas.grid
    detector = Detector(scan, grid.x_mm, grid.y_mm, grid.pixel_mm, thickness_mm)
    z = grid.z_mm[::samples]
    shoulders = np.clip((z / anatomy.height_mm - 0.84) / 0.1, 0.0, 1.0)
    return scanned(canvas.hu, detector, samples, body_width_mm(anatomy, z), shoulders)


def _masks(canvas: Canvas, samples: int) -> dict[Finding, NDArray[np.bool_]]:
    if samples == 1:
        return canvas.masks
    return {finding: mask[::2] | mask[1::2] for finding, mask in canvas.masks.items()}


def _choose_slices(case: Case, z_mm: Floats, kept: int, rng: np.random.Generator) -> Floats:
    chosen = set(rng.choice(len(z_mm), size=min(kept // 3, len(z_mm)), replace=False).tolist())
    ranges = [lesion.z_range(case.anatomy) for lesion in case.lesions if lesion.finding] or [
        (-50.0, case.anatomy.height_mm)
    ]
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
