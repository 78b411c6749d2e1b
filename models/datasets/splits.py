"""Splits by patient: a patient's studies never part, and no study that is added later moves another."""

import hashlib
import math
from collections.abc import Mapping

DEFAULT_SHARES: Mapping[str, float] = {"train": 0.8, "validation": 0.1, "test": 0.1}


def split_of(patient: str, shares: Mapping[str, float] = DEFAULT_SHARES, salt: str = "") -> str:
    """The split of a patient, by a digest of the salt and the patient's identifier alone.

    A hospital keeps its salt secret where identifiers are guessable, and changes it to draw new splits.
    Raises ValueError for an empty identifier, and for shares that are negative or do not add up to 1.
    """
    if not patient:
        raise ValueError("a study without a patient identifier cannot be put into a split: studies could part")
    if not shares or min(shares.values()) < 0.0 or not math.isclose(sum(shares.values()), 1.0, abs_tol=1e-6):
        raise ValueError(f"the shares {dict(shares)} must be positive and add up to 1")
    digest = hashlib.sha256(f"{salt}\0{patient}".encode()).digest()
    place = int.from_bytes(digest[:8], "big") / 2.0**64
    reached = 0.0
    taken = ""
    for name, share in shares.items():
        if share > 0.0:
            taken = name
        reached += share
        if place < reached:
            return name
    return taken
