"""Pairs of neighbouring slices of one study: two views of the same anatomy that no augmentation could make."""

import numpy as np
from torch import Tensor

from models.datasets.slices import Indices, SliceBank

SLAB_MM = 6.0
"""Slices as near as this are views of one another."""


class NeighbourSampler:
    """Draws slices, and for each another of the slab about it; itself where there is none or none is wanted."""

    def __init__(self, bank: SliceBank, isolated: bool) -> None:
        self.bank = bank
        reach_mm = 0.0 if isolated else SLAB_MM
        place_mm = bank.study * 1.0e5 + bank.z_mm.astype(np.float64)
        order = np.argsort(place_mm, kind="stable")
        self.order, ordered = order, place_mm[order]
        self.first = np.searchsorted(ordered, ordered - reach_mm, side="left")
        self.end = np.searchsorted(ordered, ordered + reach_mm, side="right")

    def draw(self, count: int, rng: np.random.Generator) -> tuple[Indices, Indices]:
        """Numbers of `count` slices, and of their neighbours."""
        at = rng.integers(len(self.order), size=count)
        beside = rng.integers(self.first[at], self.end[at])
        return self.order[at], self.order[beside]

    def pair(self, count: int, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """HU int16 [count, rows, columns] of slices and of their neighbours."""
        here, beside = self.draw(count, rng)
        return self.bank.gather(here, "hu"), self.bank.gather(beside, "hu")
