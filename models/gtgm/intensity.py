"""From HU or grey values to the channels that a volume encoder takes: windows, valid per modality.

CT values are absolute: the windows are in HU. MR and EM values have no unit: `standard_values` first puts the darkest
and brightest hundredth of a volume at 0 and 1, and the windows are on that scale.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from models.gtgm.volume import Modality, Volume

WINDOWS: dict[Modality, tuple[tuple[float, float], ...]] = {
    Modality.CT: ((-1000.0, -200.0), (-160.0, 240.0), (-100.0, 900.0)),  # lung, soft tissue, bone and contrast
    Modality.MR: ((0.0, 1.0), (0.0, 0.4), (0.4, 1.4)),
    Modality.EM: ((0.0, 1.0), (0.0, 0.5), (0.5, 1.0)),
}
CHANNELS = 3
OUTSIDE: dict[Modality, float] = {Modality.CT: -1000.0, Modality.MR: 0.0, Modality.EM: 0.5}
"""What lies beyond the edge of a volume."""


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
    """Values [z, y, x] on the scale of WINDOWS: HU of CT as they are; MR and EM with percentiles 1 and 99 at 0 and 1.

    A volume of one value is 0 everywhere.
    """
    values: NDArray[np.float32] = volume.values
    if volume.modality is Modality.CT:
        return values
    low, high = np.percentile(values, (1.0, 99.0))
    if high <= low:
        return np.zeros_like(values)
    return ((values - low) / (high - low)).astype(np.float32)
