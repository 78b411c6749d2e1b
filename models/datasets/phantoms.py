"""Thorax phantoms as a source of studies, and which seeds belong to which split."""

from dataclasses import dataclass, replace

import numpy as np

from models.datasets.study import LabelledStudy
from models.msvlm.preset import DataSettings
from models.phantoms.thorax import generate

SPLITS = ("encoder", "reader", "validation", "test")
SOURCE = "thorax phantoms"


def split_seeds(data: DataSettings, split: str) -> range:
    """Phantom seeds of a split; no seed is in two splits."""
    start = 1_000_000 * (SPLITS.index(split) + 1)
    return range(start, start + getattr(data, f"{split}_phantoms"))


@dataclass(frozen=True)
class PhantomSource:
    """Phantoms of one split; of those for the slice encoder only some slices are rendered, with patch targets."""

    name: str
    seeds: range
    size_px: int
    kept_slices: int | None = None

    @classmethod
    def of_split(cls, data: DataSettings, split: str) -> "PhantomSource":
        """The phantoms of a split of a preset."""
        kept = data.encoder_slices if split == "encoder" else None
        return cls(f"phantoms-{split}", split_seeds(data, split), data.phantom_px, kept)

    @property
    def patches(self) -> bool:
        """Whether patch targets are wanted."""
        return self.kept_slices is not None

    @property
    def code(self) -> tuple[str, ...]:
        """Source files on which a phantom depends."""
        return ("datasets/phantoms.py", "phantoms")

    def __len__(self) -> int:
        return len(self.seeds)

    def study(self, index: int) -> LabelledStudy:
        """The phantom of a seed; a finding that no rendered slice shows has an empty mask."""
        study = generate(self.seeds[index], size_px=self.size_px, kept_slices=self.kept_slices).study()
        unseen = [finding for finding, there in study.labels.items() if there and finding not in study.masks]
        if not unseen:
            return study
        empty = np.zeros(study.hu.shape, np.bool_)
        return replace(study, masks={**study.masks, **dict.fromkeys(unseen, empty)})
