"""Facts of a CT: what was scanned, the body, the lungs, fluid, heart, calcium."""

import numpy as np

from models.gtgm.facts.acquisition import acquisition_facts
from models.gtgm.facts.fact import Fact, Kind
from models.gtgm.facts.grid import blocks, factors_for, scaled
from models.gtgm.facts.lungs import lung_facts
from models.gtgm.facts.middle import middle_facts
from models.gtgm.facts.pleura import fluid_layers
from models.gtgm.facts.thorax import BONE_HU, Thorax, thorax_of
from models.gtgm.volume import Volume

WORKING_MM = 2.0
"""Finer scans are averaged to about this: noise averages out and every scan is measured alike."""
LOWEST_HU, HIGHEST_HU = -1024.0, 3071.0
FAT_HU = (-150.0, -30.0)
SMALLEST_BODY_ML = 500.0


def ct_facts(volume: Volume) -> list[Fact]:
    """The facts of a CT volume in HU; of what is not in it, no facts."""
    factors = factors_for(volume.spacing_mm, WORKING_MM, volume.values.shape)
    values = np.nan_to_num(blocks(volume.values, factors), nan=LOWEST_HU, posinf=HIGHEST_HU, neginf=LOWEST_HU)
    thorax = thorax_of(np.clip(values, LOWEST_HU, HIGHEST_HU), scaled(volume.spacing_mm, factors))
    return [
        *acquisition_facts(volume),
        *_body_facts(thorax),
        *lung_facts(thorax),
        *_fluid_facts(thorax),
        *middle_facts(thorax),
    ]


def _body_facts(thorax: Thorax) -> list[Fact]:
    volume_ml = float(thorax.body.sum()) * thorax.coarse_ml
    if volume_ml < SMALLEST_BODY_ML:
        return []
    inside = thorax.coarse[thorax.body]
    widths = thorax.body.any(axis=1).sum(axis=1)
    width = float(np.percentile(widths[widths > 0], 50)) * thorax.coarse_step_mm[2]
    return [
        Fact("body_volume", Kind.BODY_VOLUME, volume_ml / 1000.0, "L"),
        Fact("body_width", Kind.BODY_WIDTH, width, "mm"),
        Fact("fat_share", Kind.FAT_SHARE, 100.0 * float(((inside > FAT_HU[0]) & (inside < FAT_HU[1])).mean()), "%"),
        Fact("bone_share", Kind.BONE_SHARE, 100.0 * float((inside > BONE_HU).mean()), "%"),
    ]


def _fluid_facts(thorax: Thorax) -> list[Fact]:
    """Volume, depth and density of the fluid-like layer of each side; 0 mL where a lung is and no fluid."""
    layers = fluid_layers(thorax)
    facts: list[Fact] = []
    for side, closed in zip(("right", "left"), thorax.closed, strict=True):
        if side in layers:
            layer = layers[side]
            facts += [
                Fact(f"fluid_volume.{side}", Kind.FLUID_VOLUME, layer.volume_ml, "mL", side),
                Fact(f"fluid_depth.{side}", Kind.FLUID_DEPTH, layer.depth_mm, "mm", side),
                Fact(f"fluid_density.{side}", Kind.FLUID_DENSITY, layer.mean_hu, "HU", side),
            ]
        elif closed.any():
            facts.append(Fact(f"fluid_volume.{side}", Kind.FLUID_VOLUME, 0.0, "mL", side))
    return facts
