"""Stored pixel values → window channels on a rectangular field of fixed size in mm, in operations that export to ONNX.

One truth for training, CPU, GPU and Triton: the exported slice encoder begins with these functions.
"""

import torch
from torch import Tensor, nn

AIR_HU, TOP_HU = -1024.0, 3071.0
TISSUE_HU = -300.0
"""Above: body, table or cloth; below: air and lung."""
BODY_QUANTILES = (0.05, 0.95)


def hounsfield_units(stored: Tensor, slope: Tensor, intercept: Tensor) -> Tensor:
    """CT numbers in HU [n, rows, columns], clipped to the range of 12-bit CT; padding becomes air.

    PS3.3 C.7.6.16.2.9: output = slope × stored + intercept.
    """
    hu = stored.to(torch.float32) * slope[:, None, None] + intercept[:, None, None]
    return hu.clamp(AIR_HU, TOP_HU)


def body_centre_px(hu: Tensor) -> Tensor:
    """Row and column [n, 2] (f32, in pixels) midway between the 5 % and 95 % quantiles of tissue.

    Quantiles, not extremes: a table, a cable or an arm is little tissue and hardly moves the centre.
    """
    tissue = (hu > TISSUE_HU).to(torch.float32)
    return torch.stack([_quantile_midpoint(tissue.sum(2)), _quantile_midpoint(tissue.sum(1))], dim=1)


def _quantile_midpoint(profile: Tensor) -> Tensor:
    # One count is added everywhere: an empty slice is centred, and sums of counts stay exact in f32 on every backend.
    below = torch.cumsum(profile + 1.0, dim=1)
    total = below[:, -1:]
    low, high = ((below < q * total).to(torch.float32).sum(1) for q in BODY_QUANTILES)
    return (low + high) / 2.0


def triangle_weights(centre_px: Tensor, count: int, spacing_mm: Tensor, field_px: int, pixel_mm: float) -> Tensor:
    """Antialiased resampling along one axis as a matrix [n, field_px, count].

    A triangle as wide as the coarser of the two grids; where less than half of it lies in the image it fades to air.
    """
    offset_mm = (torch.arange(field_px, dtype=torch.float32) - (field_px - 1) / 2.0) * pixel_mm
    target_px = centre_px[:, None] + offset_mm[None, :].to(centre_px.device) / spacing_mm[:, None]
    support_px = (pixel_mm / spacing_mm).clamp(min=1.0)[:, None, None]
    source_px = torch.arange(count, dtype=torch.float32, device=centre_px.device)
    weights = torch.relu(1.0 - (source_px[None, None, :] - target_px[:, :, None]).abs() / support_px)
    return weights / torch.maximum(weights.sum(2, keepdim=True), 0.5 * support_px)


def field_weights(
    centre_px: Tensor, size_px: tuple[int, int], spacing_mm: Tensor, field_px: tuple[int, int], pixel_mm: float
) -> tuple[Tensor, Tensor]:
    """Matrices [n, field rows, rows] and [n, columns, field columns] that resample an image onto the field.

    `centre_px` [n, 2] row and column of the field's centre, `spacing_mm` [n, 2] between rows and between columns.
    """
    rows = triangle_weights(centre_px[:, 0], size_px[0], spacing_mm[:, 0], field_px[0], pixel_mm)
    columns = triangle_weights(centre_px[:, 1], size_px[1], spacing_mm[:, 1], field_px[1], pixel_mm)
    return rows, columns.transpose(1, 2)


def field_of_body(hu: Tensor, spacing_mm: Tensor, field_px: tuple[int, int], pixel_mm: float) -> tuple[Tensor, Tensor]:
    """HU on the field around the body [n, field rows, field columns], and where its centre lies in the image [n, 2].

    `spacing_mm` [n, 2] between rows and between columns; the centre is row and column in pixels.
    """
    centre = body_centre_px(hu)
    rows, columns = field_weights(centre, (hu.shape[1], hu.shape[2]), spacing_mm, field_px, pixel_mm)
    return rows @ (hu - AIR_HU) @ columns + AIR_HU, centre


class Windows(nn.Module):
    """HU [n, rows, columns] → one channel per window in [-1, 1], shape [n, windows, rows, columns]."""

    def __init__(self, windows_hu: tuple[tuple[float, float], ...]) -> None:
        super().__init__()
        low, high = zip(*windows_hu, strict=True)
        self.low: Tensor
        self.high: Tensor
        self.register_buffer("low", torch.tensor(low)[None, :, None, None], persistent=False)
        self.register_buffer("high", torch.tensor(high)[None, :, None, None], persistent=False)

    def forward(self, hu: Tensor) -> Tensor:
        """Channels of a batch of slices."""
        share = (hu[:, None] - self.low) / (self.high - self.low)
        return share.clamp(0.0, 1.0) * 2.0 - 1.0
