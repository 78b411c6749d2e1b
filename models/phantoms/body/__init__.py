"""The normal thorax: a person's surfaces, and the painters of its parts.

An Anatomy goes in, a painted Canvas comes out.
"""

from models.phantoms.body.paint import body_width_mm, heart_radius, level_of, paint_body, paint_regions
from models.phantoms.body.vessels import arch_mm

__all__ = ["arch_mm", "body_width_mm", "heart_radius", "level_of", "paint_body", "paint_regions"]
