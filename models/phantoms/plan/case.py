"""What a case is: a person, what is painted, and what is true of it."""

from dataclasses import dataclass

from models.phantoms.anatomy import Anatomy
from models.phantoms.findings import Attributes, Finding
from models.phantoms.lesions import Lesion


@dataclass(frozen=True)
class Truth:
    """What is true of one finding that is there; a report may say this and no more."""

    finding: Finding
    attributes: Attributes


@dataclass(frozen=True)
class Case:
    """A person with findings and distractors, independent of any grid."""

    seed: int
    anatomy: Anatomy
    lesions: tuple[Lesion, ...]
    truths: tuple[Truth, ...]

    @property
    def findings(self) -> frozenset[Finding]:
        """The findings that are there."""
        return frozenset(truth.finding for truth in self.truths)


Drawn = tuple[list[Lesion], Attributes]
"""The shapes of one finding, and what is true of them."""
