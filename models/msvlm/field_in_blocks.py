"""The pre-processing of `preprocess.py` in fewer operations, for the exported slice encoder.

A field pixel is made of a handful of neighbouring image pixels, so a block of the field's rows needs a narrow band of
the image's rows: the bands are gathered and multiplied by small matrices, instead of the whole image by large ones that
are nearly all zeros. The same sums in another order; a test holds both to each other.
"""

import torch
from torch import Tensor

from models.msvlm.preprocess import AIR_HU, TISSUE_HU, TOP_HU, tissue_centre_px

LARGEST_BLOCK_PX = 32


def above_air_hu(stored: Tensor, slope: Tensor, intercept: Tensor) -> Tensor:
    """CT numbers in HU above air [n, rows, columns], clipped to the range of 12-bit CT; padding becomes 0."""
    above = stored.to(torch.float32) * slope[:, None, None] + (intercept - AIR_HU)[:, None, None]
    return above.clamp(0.0, TOP_HU - AIR_HU)


def field_in_blocks(
    above: Tensor, spacing_mm: Tensor, field_px: tuple[int, int], pixel_mm: float
) -> tuple[Tensor, Tensor]:
    """What `field_of_body` gives, from HU above air: HU on the field, and where its centre lies in the image [n, 2]."""
    centre_px = tissue_centre_px((above > TISSUE_HU - AIR_HU).to(torch.float32))
    rows = resampled_rows(above, centre_px[:, 0], spacing_mm[:, 0], field_px[0], pixel_mm)
    columns = resampled_rows(rows.transpose(1, 2), centre_px[:, 1], spacing_mm[:, 1], field_px[1], pixel_mm)
    return columns.transpose(1, 2) + AIR_HU, centre_px


def resampled_rows(image: Tensor, centre_px: Tensor, spacing_mm: Tensor, field_px: int, pixel_mm: float) -> Tensor:
    """`triangle_weights` times the image, [n, rows, columns] → [n, field_px, columns]."""
    n, count, columns = image.shape
    step_px = pixel_mm / spacing_mm
    support_px = step_px.clamp(min=1.0)
    offset = torch.arange(field_px, dtype=torch.float32) - (field_px - 1) / 2.0
    target_px = (centre_px[:, None] + offset.to(centre_px.device) * step_px[:, None]).unflatten(1, _blocks(field_px))
    band_px = _band_px(target_px.shape[2], step_px, support_px, count)
    first_px = (target_px[:, :, 0] - support_px[:, None]).floor().clamp(min=0.0)
    first_px = torch.minimum(first_px, torch.full_like(first_px, count) - band_px)
    source_px = first_px[:, :, None] + torch.arange(band_px, dtype=torch.float32, device=image.device)
    support_px = support_px[:, None, None, None]
    weights = torch.relu(support_px - (source_px[:, :, None, :] - target_px[:, :, :, None]).abs())
    total = torch.maximum(weights.sum(3, keepdim=True), 0.5 * support_px.square())
    row_of_batch = torch.arange(n, device=image.device)[:, None, None] * count + source_px.to(torch.int64)
    bands = image.reshape(n * count, columns)[row_of_batch]
    return (weights @ bands / total).flatten(1, 2)


def _blocks(field_px: int) -> tuple[int, int]:
    """Number of blocks and pixels of each, as large as may be."""
    size = max(size for size in range(1, LARGEST_BLOCK_PX + 1) if field_px % size == 0)
    return field_px // size, size


def _band_px(block_px: int, step_px: Tensor, support_px: Tensor, count: int) -> int:
    """How many source pixels the widest block of the batch needs, never more than there are."""
    needed = ((block_px - 1) * step_px + 2.0 * support_px).amax().ceil() + 2.0
    band = int(needed.clamp(max=float(count)).to(torch.int64).item())
    torch._check(band >= 2)
    torch._check(band <= count)
    return band
