"""What every source of training and test material gives: a CT volume with what is known of it."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from models.phantoms.findings import Attributes, Finding
from models.phantoms.report import TrueSentence


class StudyUnreadable(ValueError):
    """A study of a collection cannot be read; says which file and why. Training leaves it out."""


@dataclass(frozen=True)
class LabelledStudy:
    """One CT volume of one patient.

    `hu` int16 [slices, rows, columns] in ascending z (towards the head), rows to the back, columns to the patient's
    left. What is not known of a study is missing from `labels`, `masks` and `attributes`, never guessed.
    """

    patient: str
    """Splits never part the studies of a patient."""
    study: str
    source: str
    """Where it comes from, as the card names it."""
    hu: NDArray[np.int16]
    z_mm: NDArray[np.float32]
    spacing_mm: tuple[float, float]
    """Between rows and between columns."""
    labels: dict[Finding, bool] = field(default_factory=dict)
    masks: dict[Finding, NDArray[np.bool_]] = field(default_factory=dict)
    attributes: dict[Finding, Attributes] = field(default_factory=dict)
    sentences: tuple[TrueSentence, ...] = ()
