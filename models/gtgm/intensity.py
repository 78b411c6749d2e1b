"""From HU or grey values to the channels that a volume encoder takes: windows, valid per modality.

CT values are absolute: the windows are in HU. Most MR and EM values have no unit: `standard_values` first puts them on
a scale whose 0 and 1 are told by the volume itself, and the windows are on that scale. Of MR it depends on the
sequence: an ADC map is absolute, and what matters on a diffusion-weighted image is brighter than most of the body.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from models.gtgm.facts.threshold import between_classes
from models.gtgm.volume import Modality, Volume

WINDOWS: dict[Modality, tuple[tuple[float, float], ...]] = {
    Modality.CT: ((-1000.0, -200.0), (-160.0, 240.0), (-100.0, 900.0)),  # lung, soft tissue, bone and contrast
    Modality.MR: ((0.0, 1.0), (0.0, 0.4), (0.4, 1.4)),
    Modality.EM: ((0.0, 1.0), (0.0, 0.5), (0.5, 1.0)),
}
CHANNELS = 3
OUTSIDE: dict[Modality, float] = {Modality.CT: -1000.0, Modality.MR: 0.0, Modality.EM: 0.5}
"""What lies beyond the edge of a volume."""


DARKEST, BRIGHTEST = 1.0, 99.0
"""Percentiles at 0 and 1 of the scale; of MR the upper one is that of the tissue, for air around it says nothing."""
BRIGHTEST_OF_SEQUENCE = {"DWI": 99.9}
"""A lesion with restricted diffusion takes less than a hundredth of the tissue and must not be cut off."""
TISSUE_SHARE = 0.6
"""Of the way from the darkest values to Otsu's threshold between air and tissue; as in `models.gtgm.facts.mr`."""
WATER_ADC = 3000.0
"""Of free water at 37 °C, 10⁻⁶ mm²/s (Holz et al., Phys. Chem. Chem. Phys. 2:4740, 2000): 1 on an ADC map."""
ADC_RANGE = (600.0, 6000.0)
"""Where the brightest tissue of an ADC map lies in 10⁻⁶ mm²/s; told in 10⁻³ mm²/s or mm²/s it lies far below."""
ADC_UNITS = (1.0, 1e3, 1e6)


class ScaledIntensity(nn.Module):
    """HU of CT or standard values of MR and EM [n, 1, d, h, w] → channels [n, CHANNELS, d, h, w] in −1..1.

    Has no parameters; exports to ONNX as part of a segmenter.
    """

    low: Tensor
    width: Tensor

    def __init__(self, modality: Modality) -> None:
        super().__init__()
        low, high = torch.tensor(WINDOWS[modality]).T
        self.register_buffer("low", low.view(1, -1, 1, 1, 1))
        self.register_buffer("width", (high - low).view(1, -1, 1, 1, 1))

    def forward(self, values: Tensor) -> Tensor:
        """One channel per window."""
        return (2.0 * (values - self.low) / self.width - 1.0).clamp(-1.0, 1.0)


def standard_values(volume: Volume) -> NDArray[np.float32]:
    """Values [z, y, x] on the scale of WINDOWS: HU of CT as they are, MR by its sequence, EM between its percentiles.

    A volume of one value is 0 everywhere.
    """
    values: NDArray[np.float32] = volume.values
    if volume.modality is Modality.CT:
        return values
    if volume.modality is Modality.MR:
        return _standard_mr(values, volume.sequence.partition(" ")[0])
    return _between(values, *np.percentile(values, (DARKEST, BRIGHTEST)))


def _standard_mr(values: NDArray[np.float32], weighting: str) -> NDArray[np.float32]:
    """`weighting` is the first word of a sequence's name."""
    low = float(np.percentile(values, DARKEST))
    tissue = values[values > low + TISSUE_SHARE * (between_classes(values) - low)]
    if tissue.size == 0:
        return np.zeros_like(values)
    high = float(np.percentile(tissue, BRIGHTEST_OF_SEQUENCE.get(weighting, BRIGHTEST)))
    units = [unit for unit in ADC_UNITS if ADC_RANGE[0] <= unit * high < ADC_RANGE[1]]
    if weighting == "ADC" and units:
        return _between(values, 0.0, WATER_ADC / units[0])
    return _between(values, low, high)


def _between(values: NDArray[np.float32], low: float, high: float) -> NDArray[np.float32]:
    if high <= low:
        return np.zeros_like(values)
    return ((values - low) / (high - low)).astype(np.float32)
