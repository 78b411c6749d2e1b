"""A share of the labels: by patient, nested, fixed by a seed."""

import math
from collections.abc import Sequence
from typing import Protocol, TypeVar

import numpy as np


class OfPatient(Protocol):
    """A volume, or what stands for one that is not made yet."""

    @property
    def patient(self) -> str:
        """Whose it is."""


V = TypeVar("V", bound=OfPatient)
SHARES = (0.01, 0.1, 1.0)
"""1 %, 10 % and all labels."""


def with_share(volumes: Sequence[V], share: float, seed: int) -> tuple[V, ...]:
    """The volumes of a share of the patients, at least of one; those of a smaller share are among them.

    Raises ValueError for a share outside 0..1, for no volumes, and for one without a patient.
    """
    if not 0.0 < share <= 1.0:
        raise ValueError(f"a share of {share} of the labels: give a number above 0 and up to 1")
    if not volumes or any(not volume.patient for volume in volumes):
        raise ValueError("label shares are taken by patient: give volumes, each with its patient")
    patients = sorted({volume.patient for volume in volumes})
    order = np.random.default_rng((seed, 101)).permutation(len(patients))
    count = max(1, math.ceil(share * len(patients) - 1e-9))
    taken = {patients[index] for index in order[:count]}
    return tuple(volume for volume in volumes if volume.patient in taken)
