"""CT-RATE's training patients in two parts: to learn from, and to calibrate on; its `valid` split stays unseen."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from models.datasets.ct_rate import CtRate
from models.datasets.splits import split_of
from models.datasets.study import LabelledStudy

SHARES = {"reader": 0.95, "validation": 0.05}


@dataclass(frozen=True)
class CtRatePatients:
    """One reconstruction of each study of some of CT-RATE's training patients. `part` is a key of SHARES."""

    root: Path
    part: str
    patches: bool = False
    """Patch targets need masks, which CT-RATE has not."""

    @cached_property
    def whole(self) -> CtRate:
        """The training split of CT-RATE."""
        return CtRate(self.root, "train", one_per_study=True)

    @cached_property
    def indices(self) -> tuple[int, ...]:
        """Places of the studies in the whole."""
        volumes = enumerate(self.whole.volumes)
        return tuple(index for index, name in volumes if split_of(name.patient_id, SHARES) == self.part)

    @property
    def name(self) -> str:
        """Name of the collection."""
        return f"{self.whole.name}-{self.part}"

    @property
    def code(self) -> tuple[str, ...]:
        """Source files on which its studies depend."""
        return ("datasets/ct_rate_patients.py", *self.whole.code)

    def __len__(self) -> int:
        return len(self.indices)

    def study(self, index: int) -> LabelledStudy:
        """A study with its labels and its report's sentences. Raises CtRateFault naming the file."""
        return self.whole.study(self.indices[index])
