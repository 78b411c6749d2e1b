"""The threshold that best parts a histogram into two classes."""

import numpy as np
from numpy.typing import NDArray

BINS = 256


def between_classes(values: NDArray[np.float32]) -> float:
    """Otsu's threshold (IEEE Trans. SMC 1979;9:62) between the 0.5th and the 99.5th percentile; the middle if flat."""
    low, high = (float(q) for q in np.percentile(values, (0.5, 99.5)))
    if not high > low:
        return low
    counts, edges = np.histogram(values, BINS, (low, high))
    middle = (edges[:-1] + edges[1:]) / 2.0
    below = np.cumsum(counts)
    above = below[-1] - below
    mass = np.cumsum(counts * middle)
    with np.errstate(divide="ignore", invalid="ignore"):
        apart = mass / below - (mass[-1] - mass) / above
        spread = np.nan_to_num(below.astype(float) * above * apart**2)
    best = np.flatnonzero(spread >= spread.max() * (1.0 - 1e-9))
    return float(edges[1:][best].mean())
