"""Lesions implanted into the open real chest CTs: the phantoms' shapes on backgrounds that no generator made.

The scan's noise is taken off, the lesions are painted, blurred as sharply as the scan's own edges are, and the same
noise is laid over them. Labels are given for what was implanted and for kinds that the scan is free of; what a patient
has of their own is unknown. Patients of the test split are never trained on.
"""

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from models.datasets.background import Background, background
from models.datasets.implant_vessels import draw_arterial, draw_coronary
from models.datasets.real_cases import RealCase
from models.datasets.real_ct import SHARED_DATA, cases_there
from models.datasets.study import LabelledStudy
from models.phantoms.canvas import Canvas, Floats, Grid
from models.phantoms.findings import DESCRIBABLE, FINDINGS, Attributes, Finding, Lobe, Side
from models.phantoms.lesions import Lesion
from models.phantoms.lesions.material import MedicalMaterial
from models.phantoms.lobes import LOBES, lobe_at
from models.phantoms.plan.case import Drawn, Truth
from models.phantoms.plan.cases import DRAW as PHANTOM_DRAW
from models.phantoms.plan.draughtsman import RELEVANT_SHARE, Draughtsman
from models.phantoms.plan.material import draw_material
from models.phantoms.report import write_report

SPLITS = {"train": False, "test": True}
"""Name of a split, and whether its patients are held out."""
SOURCE = "lesions implanted into open real CTs (LIDC-IDRI, RIDER, TotalSegmentator)"
NORMAL_SHARE, PREVALENCE = 0.12, 0.3
REPLACED_HU = (250.0, 600.0)
"""Where lung rises by more, its own fine structure is gone with it: the noise of soft tissue takes its place."""
VISIBLE_ML = 0.02
"""Of an implanted finding, so that its label holds; one that is cut off to less is unknown."""


class ScanDraughtsman(Draughtsman):
    """Places findings in a real scan."""

    def __init__(self, rng: np.random.Generator, ground: Background, body: Canvas) -> None:
        super().__init__(rng, ground.fit.anatomy, body)
        self.ground = ground


def draw_coronary_of_scan(draw: ScanDraughtsman) -> Drawn:
    """Plaques in the fat about the scan's own heart."""
    return draw_coronary(draw, draw.ground.fit.anatomy, draw.ground.grooves_mm)


def draw_arterial_of_scan(draw: ScanDraughtsman) -> Drawn:
    """Plaques in the wall of the scan's own aorta."""
    return draw_arterial(draw, draw.ground.fit.anatomy)


def draw_wires(draw: ScanDraughtsman) -> Drawn:
    """Lines, leads, tubes, stents, screws: what fits into any body; generators and implants would hang in the air."""
    while True:
        lesions, attributes = draw_material(draw)
        if not any(lesion.blocks for lesion in lesions if isinstance(lesion, MedicalMaterial)):
            return lesions, attributes


NOT_IMPLANTED = {Finding.HIATAL_HERNIA, Finding.CARDIOMEGALY, Finding.PERICARDIAL_EFFUSION}
"""They change the shape of organs, not what lies in them."""
DRAW: dict[Finding, Callable[[ScanDraughtsman], Drawn]] = {
    **{finding: draw for finding, draw in PHANTOM_DRAW.items() if finding not in NOT_IMPLANTED},
    Finding.CORONARY_CALCIFICATION: draw_coronary_of_scan,
    Finding.ARTERIAL_CALCIFICATION: draw_arterial_of_scan,
    Finding.MEDICAL_MATERIAL: draw_wires,
}
"""What can be implanted, in the order of drawing: what takes room from the lungs comes first."""


@dataclass(frozen=True)
class Cut:
    """The part of a background that one study shows."""

    grid: Grid
    hu: Floats
    noise_hu: Floats
    region: NDArray[np.uint8]
    thick: int
    """Slices of the scan that one of the study is the mean of."""
    own: frozenset[Finding]
    """What the patient has or may have in this part."""


def _cut(ground: Background, rng: np.random.Generator) -> Cut:
    """Some of the scan's slices, perhaps fewer and thicker, on a field about the body, shifted in HU."""
    case, grid = ground.scan.case, ground.fit.grid
    clear = case.clear_mm is not None and rng.random() < 0.5
    first, last = _covered(ground, rng, clear)
    thin = float(grid.z_mm[1] - grid.z_mm[0]) < 3.0
    group = int(rng.choice([1, 2, 3], p=(0.5, 0.35, 0.15))) if thin else 1
    thick = group if rng.random() < 0.5 else 1
    kept = np.arange(first, last - group + 1, group)
    rows, columns = (_field(ground.body_px[axis], axis_mm, rng) for axis, axis_mm in enumerate((grid.y_mm, grid.x_mm)))

    def taken(volume: NDArray[np.int16]) -> Floats:
        mean: Floats = np.mean([volume[kept + k, rows, columns] for k in range(thick)], axis=0, dtype=np.float32)
        return mean

    hu = taken(ground.clean_hu) + np.float32(rng.normal(0.0, 6.0))
    z_mm = grid.z_mm[kept] + np.float32((thick - 1) / 2.0) * (grid.z_mm[1] - grid.z_mm[0])
    part = Grid(z_mm.astype(np.float32), grid.y_mm[rows], grid.x_mm[columns])
    region = ground.scan.region[kept + thick // 2, rows, columns].copy()
    return Cut(part, hu, taken(ground.noise_hu), region, thick, case.own_when_clear if clear else case.own)


def _covered(ground: Background, rng: np.random.Generator, clear: bool) -> tuple[int, int]:
    """First slice and the one after the last: all of the lungs, mostly, or a stretch of them."""
    z_mm = ground.scan.volume.z_mm - ground.scan.volume.z_mm[0]
    low, high = ground.scan.case.clear_mm if clear and ground.scan.case.clear_mm else (0.0, float(z_mm[-1]))
    bottom, top = ground.lung_slices
    if rng.random() < 0.2:
        bottom += int(0.25 * rng.random() * (top - bottom))
    if rng.random() < 0.2:
        top -= int(0.25 * rng.random() * (top - bottom))
    first = max(bottom - int(rng.integers(0, max(bottom, 1))), int(np.searchsorted(z_mm, low)))
    last = min(top + int(rng.integers(1, max(len(z_mm) - top, 2))), int(np.searchsorted(z_mm, high, side="right")))
    return first, last


def _field(body_px: tuple[int, int], axis_mm: Floats, rng: np.random.Generator) -> slice:
    """Pixels of the body along one axis with a random margin."""
    before, after = rng.uniform(5.0, 45.0, 2) / float(axis_mm[1] - axis_mm[0])
    return slice(max(body_px[0] - int(before), 0), min(body_px[1] + int(after), len(axis_mm)))


def _map_of(cut: Cut) -> Canvas:
    """A coarse copy on which lesions are planned, with voxels of about 6 × 6 × 7 mm."""
    grid = cut.grid
    z_step = max(round(7.0 / float(grid.z_mm[1] - grid.z_mm[0])), 1)
    step = max(round(6.0 / grid.pixel_mm), 1)
    index = np.s_[::z_step, ::step, ::step]
    coarse = Grid(grid.z_mm[::z_step], grid.y_mm[::step], grid.x_mm[::step])
    return Canvas(coarse, cut.hu[index].copy(), cut.region[index].copy())


def draw_kinds(own: frozenset[Finding], rng: np.random.Generator) -> frozenset[Finding]:
    """A random set of kinds that can be implanted and that the patient does not have."""
    if rng.random() < NORMAL_SHARE:
        return frozenset()
    return frozenset(finding for finding in DRAW if rng.random() < PREVALENCE and finding not in own)


def implanted_study(case: RealCase, seed: int, folder: Path = SHARED_DATA) -> LabelledStudy:
    """A real scan with lesions in it, always the same for the same seed.

    Raises RealDataMissing when the scan is not there.
    """
    rng = np.random.default_rng((seed, zlib.crc32(case.patient.encode())))
    ground = background(case, folder)
    cut = _cut(ground, rng)
    canvas = Canvas(cut.grid, cut.hu.copy(), cut.region)
    anatomy = ground.fit.anatomy
    draw = ScanDraughtsman(rng, ground, _map_of(cut))
    lesions: list[Lesion] = []
    drawn: dict[Finding, Attributes] = {}
    wanted = draw_kinds(cut.own, rng)
    for finding, draw_one in DRAW.items():
        if finding in wanted:
            shapes, drawn[finding] = draw_one(draw)
            lesions += shapes
    for lesion in sorted(lesions, key=lambda lesion: lesion.layer):
        lesion.paint(canvas, anatomy)
    hu = _scanned(cut, canvas, ground, rng)
    return _labelled(case, seed, cut, canvas, drawn, ground, hu, rng)


def _scanned(cut: Cut, canvas: Canvas, ground: Background, rng: np.random.Generator) -> NDArray[np.int16]:
    """What was painted as the scanner shows it: blurred, under the scan's own noise."""
    change = canvas.hu - cut.hu
    hu = cut.hu + cut.noise_hu
    for level in np.flatnonzero(change.any(axis=(1, 2))):
        change[level] = ndimage.gaussian_filter(change[level], ground.blur_px, truncate=3.0)
        replaced = np.clip((change[level] - REPLACED_HU[0]) / (REPLACED_HU[1] - REPLACED_HU[0]), 0.0, 1.0)
        hu[level] += change[level]
        if replaced.any():
            noise = ground.tissue_noise(rng, hu[level].shape) / np.float32(np.sqrt(cut.thick))
            hu[level] += replaced * (noise - cut.noise_hu[level])
    rounded: NDArray[np.int16] = np.clip(np.rint(hu), -1024, 3071).astype(np.int16)
    return rounded


def _labelled(
    case: RealCase,
    seed: int,
    cut: Cut,
    canvas: Canvas,
    drawn: dict[Finding, Attributes],
    ground: Background,
    hu: NDArray[np.int16],
    rng: np.random.Generator,
) -> LabelledStudy:
    voxel_ml = float(np.prod(ground.scan.volume.spacing_mm)) * float(np.median(np.diff(cut.grid.z_mm))) / 1000.0
    labels: dict[Finding, bool] = {f: False for f in DRAW if f not in cut.own and f not in drawn}
    masks, attributes = {}, {}
    for finding, truth in drawn.items():
        mask = canvas.masks.get(finding)
        volume = 0.0 if mask is None else float(mask.sum()) * voxel_ml
        if mask is None or volume == 0.0:
            labels[finding] = False
        elif volume >= VISIBLE_ML:
            labels[finding], masks[finding] = True, mask
            attributes[finding] = _measured(finding, truth, mask, cut.grid, ground)
    truths = [Truth(finding, attributes[finding]) for finding in FINDINGS if finding in attributes]
    return LabelledStudy(
        patient=case.patient,
        study=f"{case.patient}-implanted-{seed}",
        source=SOURCE,
        hu=hu,
        z_mm=cut.grid.z_mm,
        spacing_mm=ground.scan.volume.spacing_mm,
        labels={finding: labels[finding] for finding in FINDINGS if finding in labels},
        masks=masks,
        attributes=attributes,
        sentences=tuple(s for s in write_report(truths, rng) if s.finding in labels),
    )


def _measured(
    finding: Finding, drawn: Attributes, mask: NDArray[np.bool_], grid: Grid, ground: Background
) -> Attributes:
    """Sides and lobes from where the mask lies; grade and count as drawn."""
    describable = DESCRIBABLE[finding]
    if not describable.sides:
        return drawn
    slices, rows, columns = np.nonzero(mask)
    where = lobe_at(grid.x_mm[columns], grid.y_mm[rows], grid.z_mm[slices], ground.fit.anatomy)
    parts = np.bincount(where, minlength=len(LOBES)) / len(where)
    relevant = [lobe for lobe, part in zip(LOBES, parts, strict=True) if part >= RELEVANT_SHARE]
    sides = frozenset(side for side in Side if _share(parts, side) >= RELEVANT_SHARE)
    return Attributes(sides, frozenset(relevant) if describable.lobes else frozenset(), drawn.grade, drawn.count)


def _share(parts: NDArray[np.float64], side: Side) -> float:
    return float(sum(part for lobe, part in zip(LOBES, parts, strict=True) if Lobe(lobe).side == side))


@dataclass(frozen=True)
class ImplantSource:
    """Implanted studies of one split, made on demand; the patients take turns."""

    split: str
    count: int
    first_seed: int = 0
    patches: bool = True

    @property
    def name(self) -> str:
        """Name of the collection."""
        return f"implants-{self.split}"

    @property
    def code(self) -> tuple[str, ...]:
        """Source files on which its studies depend."""
        files = (
            "implants.py",
            "background.py",
            "implant_vessels.py",
            "fitted.py",
            "real_ct.py",
            "real_cases.py",
            "thorax_regions.py",
        )
        return (*(f"datasets/{file}" for file in files), "phantoms")

    @property
    def cases(self) -> tuple[RealCase, ...]:
        """The patients of the split whose scans are there."""
        return tuple(case for case in cases_there() if case.held_out == SPLITS[self.split])

    def __len__(self) -> int:
        """Number of studies; none where the real scans are absent."""
        return self.count if self.cases else 0

    def study(self, index: int) -> LabelledStudy:
        """A study, always the same for the same index."""
        cases = self.cases
        return implanted_study(cases[index % len(cases)], self.first_seed + index)


def implants(split: str, count: int, first_seed: int = 0) -> ImplantSource:
    """That many implanted studies of the split "train" or "test"; their patients are disjoint.

    Held out for tests: LIDC-IDRI-0314 and the CTA. Empty where `../shared/data` is absent.
    """
    if split not in SPLITS:
        raise ValueError(f"no split {split!r} of the real scans: choose one of {', '.join(SPLITS)}")
    return ImplantSource(split, count, first_seed)
