"""Studies of which only some slices are kept: material for the slice encoder from sources of whole volumes."""

from dataclasses import dataclass

import numpy as np

from models.datasets.cache import StudySource
from models.datasets.fields import choose_slices
from models.datasets.study import LabelledStudy


@dataclass(frozen=True)
class SomeSlices:
    """Up to `count` slices of each study of a source, most of them through its findings."""

    source: StudySource
    count: int

    @property
    def name(self) -> str:
        """Name of the collection."""
        return f"{self.source.name}-{self.count}-slices"

    @property
    def patches(self) -> bool:
        """Whether patch targets are wanted."""
        return self.source.patches

    @property
    def code(self) -> tuple[str, ...]:
        """Source files on which its studies depend."""
        return ("datasets/some_slices.py", *self.source.code)

    def __len__(self) -> int:
        return len(self.source)

    def study(self, index: int) -> LabelledStudy:
        """The same slices of a study whenever it is asked for."""
        return choose_slices(self.source.study(index), self.count, np.random.default_rng(index))
