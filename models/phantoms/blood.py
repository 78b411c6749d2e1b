"""CT numbers of blood and of what it feeds, by contrast phase."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np


class Phase(StrEnum):
    """When the scan was taken after contrast medium was given."""

    NONE = "none"
    PULMONARY = "pulmonary arterial"
    ARTERIAL = "arterial"
    VENOUS = "venous"


@dataclass(frozen=True)
class Blood:
    """CT number in HU of each blood pool, and how much the tissues gain."""

    phase: Phase
    plain_hu: float
    vena_cava_hu: float
    """Superior vena cava and the arm veins; the inferior one holds less contrast medium in the early phases."""
    lower_cava_hu: float
    right_heart_hu: float
    pulmonary_artery_hu: float
    pulmonary_vein_hu: float
    aorta_hu: float
    """Left heart and systemic arteries."""
    muscle_gain_hu: float
    organ_gain_hu: float
    """Gain of the liver; spleen and kidneys gain more."""


_POOLS: dict[Phase, tuple[tuple[float, float], ...]] = {
    Phase.PULMONARY: ((350, 900), (5, 40), (230, 400), (230, 420), (120, 300), (60, 220), (2, 8), (2, 10)),
    Phase.ARTERIAL: ((100, 500), (10, 60), (80, 220), (90, 250), (180, 330), (200, 380), (4, 14), (10, 30)),
    Phase.VENOUS: ((80, 130), (70, 120), (80, 125), (80, 125), (80, 125), (80, 130), (10, 22), (35, 60)),
}
"""Gain in HU of venae cavae, right heart, pulmonary arteries and veins, aorta, muscle, liver."""
_SHARES = {Phase.NONE: 0.4, Phase.PULMONARY: 0.15, Phase.ARTERIAL: 0.15, Phase.VENOUS: 0.3}


def draw_blood(rng: np.random.Generator) -> Blood:
    """A random contrast phase with random CT numbers."""
    phase = tuple(_SHARES)[int(rng.choice(len(_SHARES), p=list(_SHARES.values())))]
    plain, level = float(rng.uniform(34.0, 50.0)), float(rng.uniform(0.0, 1.0))
    gains = [
        low + (0.7 * level + 0.3 * rng.random()) * (high - low) for low, high in _POOLS.get(phase, ((0.0, 0.0),) * 8)
    ]
    cava, lower, right_heart, artery, vein, aorta = (plain + float(gain) for gain in gains[:6])
    muscle, organ = (float(gain) for gain in gains[6:])
    return Blood(phase, plain, cava, lower, right_heart, artery, vein, aorta, muscle, organ)
