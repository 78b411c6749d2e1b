"""What disease a study is to show. A plan is a wish: what came of it is measured on the painted geometry (`truth`)."""

from dataclasses import dataclass

import numpy as np

from models.phantoms.pelvis.person import Person

LONGEST_REACH_MM = 142.0
"""Upper edge of a tumour: what the axial series is sure to cover."""
_STAGES, _STAGE_SHARES = (1, 2, 3, 4), (0.14, 0.24, 0.40, 0.22)


@dataclass(frozen=True)
class TumourPlan:
    """A rectal tumour; angles in radians from the front (12 o'clock) to the patient's left."""

    t_stage: int
    lower_mm: float
    length_mm: float
    centre: float
    extent: float
    bulge_mm: float
    ulcer: float
    """How deep its middle is hollowed, 0 to 1."""
    muscle_share: float
    """T2: how far through the muscularis."""
    depth_mm: float
    """From T3 on: how far beyond the muscularis it would grow if nothing held it back."""
    floor_mm: float
    """How near it may come to the envelope where it does not breach it."""
    breach_mm: float
    """T4: how far beyond the envelope."""
    peritoneal: bool
    """T4: through the peritoneum (4a) and not into an organ (4b)."""
    emvi: bool
    suspicious_nodes: int
    seed: int

    @property
    def middle_mm(self) -> float:
        """Its middle along the rectum."""
        return self.lower_mm + 0.5 * self.length_mm


def draw_plan(seed: int, person: Person, t_stage: int | None) -> TumourPlan:
    """A random tumour, of a T stage if one is given."""
    rng = np.random.default_rng((seed, 20))
    stage = t_stage or int(rng.choice(_STAGES, p=_STAGE_SHARES))
    length = float(rng.uniform(16.0, 38.0) if stage <= 2 else rng.uniform(26.0, 62.0))
    extent = float(np.deg2rad(rng.uniform(60.0, 200.0) if stage <= 2 else rng.uniform(110.0, 330.0)))
    centre = float(rng.uniform(-np.pi, np.pi))
    lower = float(rng.uniform(12.0, max(LONGEST_REACH_MM - length, 14.0)))
    peritoneal = stage == 4 and bool(rng.random() < 0.45)
    if stage == 4:
        centre = float(rng.normal(0.0, 0.22))
        lower = _t4_lower(rng, person, length, peritoneal)
    near = rng.random() < 0.45
    odds = (0.0, 0.04, 0.38, 0.5)[stage - 1]
    nodes = rng.poisson((0.25, 0.6, 1.7, 2.4)[stage - 1])
    return TumourPlan(
        t_stage=stage,
        lower_mm=lower,
        length_mm=min(length, LONGEST_REACH_MM - lower),
        centre=centre,
        extent=min(extent, float(np.deg2rad(220.0))) if stage == 4 else extent,
        bulge_mm=float(rng.uniform(2.5, 7.0)),
        ulcer=float(rng.uniform(0.0, 0.9)),
        muscle_share=float(rng.uniform(0.55, 0.8)),
        depth_mm=float(rng.uniform(9.0, 18.0) if near else rng.uniform(2.0, 8.0)),
        floor_mm=float(rng.uniform(0.2, 0.8) if near else rng.uniform(1.8, 5.0)),
        breach_mm=float(rng.uniform(2.0, 4.0) if peritoneal else rng.uniform(7.0, 10.0)),
        peritoneal=peritoneal,
        emvi=bool(rng.random() < odds),
        suspicious_nodes=min(int(nodes), 7),
        seed=int(rng.integers(2**31)),
    )


def _t4_lower(rng: np.random.Generator, person: Person, length: float, peritoneal: bool) -> float:
    """Lower edge of a T4 tumour: its middle above the reflection, or beside an organ or the anal sphincter."""
    if peritoneal:
        middle = float(rng.uniform(person.reflection_mm + 8.0, person.reflection_mm + 28.0))
    else:
        # Further up the prostate leaves the fascia, and the reflection ends it.
        highest = min(person.anorectal_mm + 22.0, person.reflection_mm - 10.0)
        middle = float(rng.uniform(person.anorectal_mm - 6.0, highest))
    return float(np.clip(middle - 0.5 * length, 8.0, LONGEST_REACH_MM - length))
