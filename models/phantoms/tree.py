"""Vessels and airways that branch from the hila into the lungs."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from models.phantoms.anatomy import Anatomy
from models.phantoms.canvas import Canvas, Point, box_of_capsule, capsule_distance, edge

GENERATIONS = 7


@dataclass(frozen=True)
class Branch:
    """A straight, tapering piece of a tree; radii in mm."""

    start: Point
    end: Point
    radius_mm: float
    hollow: bool


def grow(anatomy: Anatomy) -> tuple[Branch, ...]:
    """The trees of both lungs; the same for the same anatomy."""
    rng = np.random.default_rng(anatomy.seed + 1)
    branches: list[Branch] = []
    for side in (-1.0, 1.0):
        hilum = np.array([side * 34.0 * anatomy.scale, 6.0, anatomy.carina_z_mm - 22.0])
        for direction in _lobar_directions(side):
            branches += _branch(rng, hilum, direction, 5.6 * anatomy.scale, 0)
    return tuple(branches)


def _lobar_directions(side: float) -> tuple[np.ndarray, ...]:
    ways = (
        (0.5, -0.2, 1.0),
        (0.8, -0.9, 0.4),
        (1.0, 0.1, -0.1),
        (0.7, 0.8, 0.3),
        (0.6, 0.5, -1.0),
        (0.7, -0.6, -0.7),
        (0.4, 0.7, 0.9),
        (0.9, 0.9, -0.5),
    )
    return tuple(np.array([side * x, y, z]) / np.linalg.norm((x, y, z)) for x, y, z in ways)


def _branch(
    rng: np.random.Generator, start: np.ndarray, direction: np.ndarray, radius: float, generation: int
) -> Iterator[Branch]:
    length = (9.0 + 4.2 * radius) * rng.uniform(0.75, 1.25)
    end = start + direction * length
    yield Branch(_point(start), _point(end), radius, hollow=False)
    if generation < 2:
        beside = np.array([0.0, -1.9 * radius, 0.0])
        yield Branch(_point(start + beside), _point(end + beside), 0.75 * radius, hollow=True)
    if generation + 1 == GENERATIONS:
        return
    for turn in (-1.0, 1.0):
        bend = np.cross(direction, rng.standard_normal(3))
        bend /= np.linalg.norm(bend) + 1e-6
        child = direction + turn * rng.uniform(0.35, 0.75) * bend
        yield from _branch(rng, end, child / np.linalg.norm(child), radius * rng.uniform(0.64, 0.84), generation + 1)


def _point(place: np.ndarray) -> Point:
    return float(place[0]), float(place[1]), float(place[2])


def paint_tree(canvas: Canvas, anatomy: Anatomy, branches: tuple[Branch, ...]) -> None:
    """Paints all branches where they run through lung."""
    for branch in branches:
        _paint(canvas, branch, 30.0 + 0.8 * anatomy.contrast_hu)


def _paint(canvas: Canvas, branch: Branch, blood_hu: float) -> None:
    pixel = canvas.grid.pixel_mm
    box = box_of_capsule(canvas, branch.start, branch.end, branch.radius_mm + pixel)
    if box is None:
        return
    lung = canvas.lungs(box)
    if not lung.any():
        return
    distance, along = capsule_distance(box, branch.start, branch.end)
    surface = distance - branch.radius_mm * (1.0 - 0.22 * along)
    if not branch.hollow:
        canvas.blend(box, edge(surface, pixel) * lung, blood_hu)
        return
    canvas.blend(box, edge(surface - 0.7, pixel) * lung, -120.0)
    canvas.blend(box, edge(surface + 0.5, pixel) * lung, -970.0)
