"""What looks like a finding and is none: drawn independently of the findings, just below their thresholds."""

from models.phantoms.lesions import Lesion
from models.phantoms.lesions.nodule import Margin, Nodule
from models.phantoms.plan.airways import prominent_bronchi
from models.phantoms.plan.chest import draw_node
from models.phantoms.plan.draughtsman import Draughtsman


def draw_distractors(draw: Draughtsman) -> list[Lesion]:
    """A random set of distractors for one person."""
    lesions: list[Lesion] = [_granuloma(draw) for _ in range(draw.between(0, 3))]
    lesions += [draw_node(draw, draw.uniform(3.0, 7.0), None) for _ in range(draw.between(2, 7))]
    lesions += [prominent_bronchi(draw) for _ in range(draw.between(0, 1))]
    return lesions


def _granuloma(draw: Draughtsman) -> Nodule:
    """A calcified or soft dot of less than 3 mm."""
    radius = draw.uniform(0.9, 1.4)
    hu = draw.uniform(150.0, 600.0) if draw.chance(0.5) else 20.0
    centre = draw.lung_points(1)[0]
    return Nodule(centre, (radius, radius, radius), hu, Margin.SMOOTH, draw.seed(), finding=None)
