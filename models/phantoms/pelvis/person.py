"""One person's pelvis as numbers: mm; x to the left, y to the back, z to the head, z = 0 at the anal verge."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from models.phantoms.canvas import Point


class Sex(StrEnum):
    """Sex of the person, as far as the pelvic organs show it."""

    FEMALE = "F"
    MALE = "M"


class Filling(StrEnum):
    """What the rectum holds."""

    GAS = "gas"
    CONTENT = "content"
    EMPTY = "empty"


@dataclass(frozen=True)
class Person:
    """Sizes that vary from person to person; nothing of it depends on a tumour."""

    sex: Sex
    scale: float
    half_width_mm: float
    half_depth_mm: float
    fat_front_mm: float
    fat_back_mm: float
    fat_side_mm: float
    visceral_fat: float
    """0 a thin, 1 a thick mesorectum."""
    lumen_mm: float
    """Mean radius of the rectal lumen."""
    filling: Filling
    submucosa_mm: float
    muscularis_mm: float
    anorectal_mm: float
    """Length of the anal canal, from the verge to the anorectal junction."""
    reflection_mm: float
    """Height of the peritoneal reflection over the anal verge, along the rectum."""
    curve_mm: tuple[float, ...]
    """How far the rectum's line leaves the common one, at the knots of `tube`."""
    sway_mm: tuple[float, float]
    """Swings of the rectum to the sides: amplitude, phase in radians."""
    bladder_mm: Point
    prostate: float
    """Size of the prostate relative to a common one; of the uterus in a woman."""
    benign_nodes: int
    placement_mm: Point
    """Where the anal verge lies in the scanner."""
    seed: int

    @property
    def female(self) -> bool:
        """Whether she is a woman."""
        return self.sex is Sex.FEMALE


KNOTS = 12


def draw_person(rng: np.random.Generator) -> Person:
    """A random adult."""
    female = bool(rng.random() < 0.42)
    scale = float(rng.uniform(0.92, 1.05) if female else rng.uniform(0.96, 1.08))
    habitus = float(rng.beta(1.7, 2.0))
    reflection = rng.uniform(68.0, 86.0) if female else rng.uniform(80.0, 98.0)
    return Person(
        sex=Sex.FEMALE if female else Sex.MALE,
        scale=scale,
        half_width_mm=(158.0 + 40.0 * habitus) * scale,
        half_depth_mm=(98.0 + 22.0 * habitus) * scale,
        fat_front_mm=8.0 + 34.0 * habitus * float(rng.uniform(0.8, 1.1)),
        fat_back_mm=10.0 + 22.0 * habitus,
        fat_side_mm=14.0 + 34.0 * habitus * (1.15 if female else 0.85),
        visceral_fat=float(np.clip(habitus + rng.normal(0.0, 0.2), 0.0, 1.0)),
        lumen_mm=float(rng.uniform(6.5, 13.0)),
        filling=Filling(str(rng.choice([each.value for each in Filling], p=[0.4, 0.3, 0.3]))),
        submucosa_mm=float(rng.uniform(2.2, 3.4)),
        muscularis_mm=float(rng.uniform(1.9, 2.8)),
        anorectal_mm=float(rng.uniform(30.0, 40.0) if female else rng.uniform(34.0, 45.0)),
        reflection_mm=float(reflection),
        curve_mm=tuple(float(v) for v in rng.normal(0.0, 2.0, KNOTS)),
        sway_mm=(float(rng.uniform(1.0, 6.0)), float(rng.uniform(0.0, 6.28))),
        bladder_mm=(float(rng.uniform(26.0, 44.0)), float(rng.uniform(20.0, 32.0)), float(rng.uniform(16.0, 34.0))),
        prostate=float(rng.uniform(0.85, 1.3)),
        benign_nodes=int(rng.integers(1, 7)),
        placement_mm=(float(rng.uniform(-15, 15)), float(rng.uniform(-20, 40)), float(rng.uniform(-120, -40))),
        seed=int(rng.integers(2**31)),
    )
