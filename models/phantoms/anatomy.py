"""One person's thorax as numbers: mm; x to the left, y to the back, z to the head, z = 0 at the lung base."""

from dataclasses import dataclass

import numpy as np

from models.phantoms.blood import Blood, draw_blood
from models.phantoms.findings import Finding


@dataclass(frozen=True)
class Anatomy:
    """Sizes and CT numbers (HU) that vary from person to person and from scan to scan."""

    female: bool
    scale: float
    height_mm: float
    cavity_x_mm: float
    cavity_y_mm: float
    fat_mm: float
    muscle_mm: float
    breast_mm: float
    gland: float
    """Share of gland in the breast, 0 to 1."""
    arms_up: bool
    kyphosis_mm: float
    dome_mm: tuple[float, float]
    """Height of the right and the left diaphragm dome."""
    heart_size: float
    heart_turn: float
    heart_z_mm: float
    heart_x_mm: float
    epicardial_fat_mm: float
    pericardial_fluid_mm: float
    mediastinal_fat: float
    """0 a thin, 1 a fat mediastinum."""
    thymus: float
    """Share of thymic tissue left in the fat before the great vessels, 0 to 1."""
    aorta_mm: float
    arch_z_mm: float
    carina_z_mm: float
    oblique_fissures: tuple[tuple[float, float, float], tuple[float, float, float]]
    """Right and left: height as a share of the lung's, bend, curvature to the side."""
    horizontal_fissure: tuple[float, float, float]
    """Height as a share of the lung's, slope to the back, curvature."""
    rib_pitch_mm: float
    rib_phase: float
    disc_phase: float
    blood: Blood
    lung_hu: float
    lung_gradient_hu: float
    bone_hu: float
    stomach_gas: float
    bowel_gas: float
    table_gap_mm: float
    seed: int

    @property
    def contrast_hu(self) -> float:
        """Added to the blood of the aorta by contrast medium; 0 for a scan without."""
        return self.blood.aorta_hu - self.blood.plain_hu

    @property
    def spine_y_mm(self) -> float:
        """Centre of the vertebral bodies."""
        return 0.70 * self.cavity_y_mm

    @property
    def descending_mm(self) -> tuple[float, float]:
        """x, y of the descending aorta."""
        return 24.0 * self.scale, self.spine_y_mm - 21.0 * self.scale

    @property
    def ascending_mm(self) -> tuple[float, float]:
        """x, y of the ascending aorta."""
        return -13.0 * self.scale, -24.0 * self.scale

    @property
    def heart_axes_mm(self) -> tuple[float, float, float]:
        """Half axes of the heart: long axis, short axis, height."""
        k = self.heart_size * self.scale
        return 62.0 * k, 46.0 * k, 48.0 * k

    @property
    def heart_centre_mm(self) -> tuple[float, float, float]:
        """Centre of the heart; a large one grows to the left and forward."""
        grown = (self.heart_size - 0.9) * 22.0
        return self.heart_x_mm + grown, -25.0 * self.scale - 0.3 * grown, self.heart_z_mm + 0.5 * grown


def draw_anatomy(rng: np.random.Generator, findings: frozenset[Finding]) -> Anatomy:
    """A random person; only heart size and pericardial fluid follow from the findings asked for."""
    female = bool(rng.random() < 0.5)
    scale = float(rng.uniform(0.86, 1.02) if female else rng.uniform(0.94, 1.12))
    height = float(rng.uniform(215.0, 285.0)) * scale**0.5
    large, fluid = Finding.CARDIOMEGALY in findings, Finding.PERICARDIAL_EFFUSION in findings
    habitus = float(rng.beta(1.6, 2.2))
    dome = float(rng.uniform(45.0, 65.0))
    sizes, fluids = (rng.uniform(0.80, 0.98), rng.uniform(1.13, 1.36)), (0.0, rng.uniform(5.0, 27.0))
    return Anatomy(
        female=female,
        scale=scale,
        height_mm=height,
        cavity_x_mm=131.0 * scale * float(rng.uniform(0.95, 1.05)),
        cavity_y_mm=92.0 * scale * float(rng.uniform(0.9, 1.1)),
        fat_mm=4.0 + 34.0 * habitus,
        muscle_mm=float(rng.uniform(8.0, 14.0) if female else rng.uniform(10.0, 20.0)),
        breast_mm=(10.0 + 34.0 * habitus) * float(rng.uniform(0.7, 1.2)) if female else 0.0,
        gland=float(rng.beta(1.2, 2.0)),
        arms_up=bool(rng.random() < 0.85),
        kyphosis_mm=float(rng.uniform(0.0, 14.0)),
        dome_mm=(dome, dome - float(rng.uniform(4.0, 18.0))),
        heart_size=float(sizes[large]),
        heart_turn=float(np.deg2rad(rng.uniform(30.0, 50.0))),
        heart_z_mm=float(rng.uniform(0.28, 0.34)) * height,
        heart_x_mm=float(rng.uniform(14.0, 24.0)) * scale,
        epicardial_fat_mm=float(rng.uniform(2.0, 4.0)) + 4.0 * habitus,
        pericardial_fluid_mm=float(fluids[fluid]),
        mediastinal_fat=float(np.clip(habitus + rng.normal(0.0, 0.2), 0.0, 1.0)),
        thymus=float(rng.beta(0.7, 2.5)),
        aorta_mm=float(rng.uniform(12.0, 17.0)) * scale,
        arch_z_mm=float(rng.uniform(0.69, 0.75)) * height,
        carina_z_mm=float(rng.uniform(0.57, 0.62)) * height,
        oblique_fissures=(_oblique(rng), _oblique(rng)),
        horizontal_fissure=(
            float(rng.uniform(0.44, 0.52)),
            float(rng.uniform(-0.02, 0.06)),
            float(rng.uniform(0.05, 0.25)),
        ),
        rib_pitch_mm=float(rng.uniform(23.0, 29.0)),
        rib_phase=float(rng.uniform(0.0, 1.0)),
        disc_phase=float(rng.uniform(0.0, 1.0)),
        blood=draw_blood(rng),
        lung_hu=float(rng.uniform(-890.0, -800.0)),
        lung_gradient_hu=float(rng.uniform(10.0, 70.0)),
        bone_hu=float(rng.uniform(380.0, 800.0)),
        stomach_gas=float(rng.uniform(0.0, 0.8)),
        bowel_gas=float(rng.uniform(0.0, 1.0)),
        table_gap_mm=float(rng.uniform(2.0, 12.0)),
        seed=int(rng.integers(2**31)),
    )


def _oblique(rng: np.random.Generator) -> tuple[float, float, float]:
    return float(rng.uniform(0.32, 0.39)), float(rng.uniform(0.0, 6.28)), float(rng.uniform(-0.2, 0.15))
