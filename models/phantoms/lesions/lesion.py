"""What a finding's shape can do, and when it is painted."""

from enum import IntEnum
from typing import Protocol

from models.phantoms.anatomy import Anatomy
from models.phantoms.canvas import Canvas
from models.phantoms.findings import Finding


class Layer(IntEnum):
    """When a lesion is painted: before vessels and airways, after them, or last of all."""

    BODY = 0
    """Changes the room that lungs and heart have, or the lung that the vessels run through."""
    LUNG = 1
    """Lies in the lung or on what has been painted."""
    METAL = 2
    """Medical material."""


class Lesion(Protocol):
    """A finding's shape, in mm and independent of any grid."""

    @property
    def finding(self) -> Finding | None:
        """What it is; None for what is no finding. Such a distractor marks no mask."""

    @property
    def layer(self) -> Layer:
        """When it is painted."""

    def z_range(self, anatomy: Anatomy) -> tuple[float, float]:
        """Lowest and highest z in mm it can reach."""

    def paint(self, canvas: Canvas, anatomy: Anatomy) -> None:
        """Paints HU and, for a finding, its mask."""
