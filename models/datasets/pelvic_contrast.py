"""How bright a rectal tumour is in each stack of a real study: the phantoms' signals, told against its own tissues."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.datasets.pelvic_rectum import GrownTumour, real_tube, wall_points_mm
from models.datasets.pelvic_study import Kind, RealPelvis, RealStack
from models.phantoms.pelvis.tissue import SIGNALS, Tissue

T2_SHARE = (0.23, 0.43)
"""Where a tumour lies in T2 between muscle (0) and fat (1): in the real cancer of the T2 case, and in the phantoms."""
ADC_SPREAD = 0.08
"""Of tumours about the phantoms' common one, as a share."""
BEFORE_MM = (5.0, 9.0, 13.0)
"""Depths in the prostate at which its signal is taken."""
_ZONES = (Tissue.PROSTATE_PERIPHERAL_ZONE, Tissue.PROSTATE_TRANSITION_ZONE)


@dataclass(frozen=True)
class Tones:
    """What a tumour shows in each stack, and its ADC in 1e-6 mm²/s."""

    stored: Mapping[int, float]
    """Stored value by the stack's place in the study; none of what is derived from others (ADC, calculated b)."""
    adc: float


def tones_of(pelvis: RealPelvis, tumour: GrownTumour, rng: np.random.Generator) -> Tones:
    """The tones of a tumour: T2 between wall and fat, diffusion by wall or prostate, PD by the wall.

    Where a plane shows too few of these points beside the tumour, those of the whole rectum are taken.
    """
    share = float(rng.uniform(*T2_SHARE))
    adc = SIGNALS[Tissue.TUMOUR].adc_mm2_per_s * (1.0 + ADC_SPREAD * float(np.clip(rng.normal(), -2.0, 2.0)))
    water = _water(pelvis, tumour)
    stored = {}
    for place, stack in enumerate(pelvis.stacks):
        wall = _about(pelvis, tumour, stack, -0.5 * pelvis.case.muscularis_mm, 0.0)
        if stack.kind is Kind.DIFFUSION:
            stored[place] = water * _spin_echo(Tissue.TUMOUR, stack, adc)
        elif stack.kind is Kind.PROTON_DENSITY:
            stored[place] = float(np.median(wall)) * SIGNALS[Tissue.TUMOUR].proton / SIGNALS[Tissue.MUSCULARIS].proton
        elif stack.kind is Kind.T2:
            muscle, fat = np.quantile(wall, 0.25), np.quantile(_about(pelvis, tumour, stack, 0.0, 0.5), 0.75)
            stored[place] = float(muscle + share * (fat - muscle))
    return Tones(stored, 1000.0 * adc)


def _water(pelvis: RealPelvis, tumour: GrownTumour) -> float:
    """Stored value that water would give without T1, T2 and diffusion: by the prostate or by the wall, the higher.

    A wide rectum's wall is lost between pixels, and a contracted one's outshines the prostate.
    """
    low = min((stack for stack in pelvis.stacks if stack.kind is Kind.DIFFUSION), key=lambda stack: stack.b_value)
    zones = float(np.mean([_spin_echo(zone, low) for zone in _ZONES]))
    wall = _about(pelvis, tumour, low, -0.5 * pelvis.case.muscularis_mm, 0.0)
    by_wall = float(np.median(wall)) / _spin_echo(Tissue.MUSCULARIS, low)
    return max(float(np.median(_prostate(pelvis, low))) / zones, by_wall)


def _spin_echo(tissue: Tissue, stack: RealStack, adc: float | None = None) -> float:
    """Signal of a tissue in a stack: proton (1 - exp(-TR / T1)) exp(-TE / T2) exp(-b ADC), as the phantoms have it."""
    values, header = SIGNALS[tissue], stack.headers[0]
    recovered = 1.0 - np.exp(-float(header.RepetitionTime) / values.t1_ms)
    slowed = float(header.EchoTime) / values.t2_ms + stack.b_value * (adc or values.adc_mm2_per_s) * 1e-3
    return float(values.proton * recovered * np.exp(-slowed))


def _about(
    pelvis: RealPelvis, tumour: GrownTumour, stack: RealStack, beyond_mm: float, share: float
) -> NDArray[np.float64]:
    """Stored values at places about the wall beside the tumour, at all hours."""
    angles, plan, tube = np.linspace(0.0, 2.0 * np.pi, 48, endpoint=False), tumour.plan, real_tube(pelvis.case)
    near = np.linspace(plan.lower_mm - 4.0, plan.lower_mm + plan.length_mm + 4.0, 12)
    for lengths in (near, np.linspace(tube.person.anorectal_mm + 12.0, float(tube.length[-1]) - 8.0, 40)):
        values = stack.values_at(wall_points_mm(pelvis.case, lengths, angles, beyond_mm, share))
        if len(values) >= 40:
            break
    return values


def _prostate(pelvis: RealPelvis, stack: RealStack) -> NDArray[np.float64]:
    """Stored values of the prostate before the rectum."""
    case, tube = pelvis.case, real_tube(pelvis.case)
    heights = np.array([ring.centre_mm for ring in case.rings[: case.prostate_rings]]) @ _normal(case.down)
    lengths = np.interp(heights, tube.z, tube.length)
    angles = np.linspace(-0.45, 0.45, 9)
    points = [wall_points_mm(case, lengths, angles, depth, 1.0) for depth in BEFORE_MM]
    return stack.values_at(np.concatenate(points))


def _normal(down: tuple[float, float, float]) -> NDArray[np.float64]:
    return np.cross((1.0, 0.0, 0.0), down)
