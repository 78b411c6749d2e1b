"""The intensities of a series as shares of a range: of MR, which has no unit, one that the series itself tells."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pacs_agent.inference.staging.acquired import CtId, SequenceId

DARKEST, BRIGHTEST = 1.0, 99.5
"""Percentiles of what is not empty, at 0 and 1 of the range: single bright pixels of vessels or coils say nothing."""
BRIGHTEST_OF_DIFFUSION = 99.9
"""A lesion that restricts diffusion takes few pixels and must not be cut off."""
WATER_ADC = 3000.0
"""Of free water at 37 °C, 10⁻⁶ mm²/s (Holz et al., Phys. Chem. Chem. Phys. 2:4740, 2000): 1 on an ADC map."""
ADC_RANGE = (600.0, 6000.0)
ADC_UNITS = (1.0, 1e3, 1e6)
"""Where the brightest of an ADC map lies in 10⁻⁶ mm²/s; told in 10⁻³ mm²/s or mm²/s it lies far below."""
Window = tuple[float, float]
"""HU at 0 and at 1 of the range of CT."""


def intensity_range(
    values: NDArray[np.floating[Any] | np.integer[Any]], sequence: SequenceId | CtId, window_hu: Window | None = None
) -> tuple[float, float]:
    """What is 0 and what is 1 of the intensities of a whole series; a map of ADC is absolute, and of CT the window.

    A series of one value has the range of that value and one more, so that it is 0 everywhere.
    """
    if sequence is CtId.CT and window_hu is not None:
        return window_hu
    there = values[values > 0]
    if there.size == 0:
        return 0.0, 1.0
    brightest = BRIGHTEST_OF_DIFFUSION if sequence is SequenceId.DIFFUSION else BRIGHTEST
    low, high = (float(value) for value in np.percentile(there, (DARKEST, brightest)))
    if sequence is SequenceId.ADC:
        units = [unit for unit in ADC_UNITS if ADC_RANGE[0] <= unit * high < ADC_RANGE[1]]
        if units:
            return 0.0, WATER_ADC / units[0]
    return low, high if high > low else low + 1.0
