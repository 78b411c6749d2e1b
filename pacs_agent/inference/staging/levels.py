"""From the steps between the levels of an item to the levels: continuation ratios (Agresti, 8.3.6)."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def levels_of_steps(steps: Array) -> Array:
    """Probability of each of K levels [..., K] from those of the K - 1 steps [..., K - 1], each given the one before.

    They sum to 1: what does not take a step stays on its level.
    """
    one = np.ones_like(steps[..., :1])
    at_least = np.concatenate([one, np.cumprod(steps, axis=-1), 0.0 * one], axis=-1)
    levels: Array = at_least[..., :-1] - at_least[..., 1:]
    return levels
