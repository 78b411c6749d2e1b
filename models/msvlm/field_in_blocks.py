"""`field_of_body` of `preprocess.py` in fewer operations, for the exported slice encoder.

A field pixel is made of a few neighbouring image pixels, so a block of the field's rows needs a narrow band of the
image's rows: the bands are gathered and multiplied by small matrices, instead of the whole image by large ones that are
nearly all zeros. The same sums in another order; a test holds both to each other.
"""

import torch
from torch import Tensor

from models.msvlm.preprocess import AIR_HU, TOP_HU, body_centre_px

LARGEST_BLOCK_PX = 32


def field_in_blocks(
    hu: Tensor, spacing_mm: Tensor, field_px: tuple[int, int], pixel_mm: float
) -> tuple[Tensor, Tensor]:
    """HU on the field around the body [n, field rows, field columns], and where its centre lies in the image [n, 2]."""
    centre_px = body_centre_px(hu)
    rows = resampled_rows(hu, centre_px[:, 0], spacing_mm[:, 0], field_px[0], pixel_mm)
    columns = resampled_rows(rows.transpose(1, 2), centre_px[:, 1], spacing_mm[:, 1], field_px[1], pixel_mm)
    # Clipped as one row: else onnxruntime carries the transposition into the network, where it costs ten times as much.
    flat = columns.transpose(1, 2).reshape(-1, field_px[0] * field_px[1]).clamp(AIR_HU, TOP_HU)
    return flat.reshape(-1, *field_px), centre_px


def resampled_rows(hu: Tensor, centre_px: Tensor, spacing_mm: Tensor, field_px: int, pixel_mm: float) -> Tensor:
    """The image's rows on the field's, as `triangle_weights` has it: [n, rows, columns] → [n, field_px, columns]."""
    n, count, columns = hu.shape
    step_px = pixel_mm / spacing_mm
    support_px = step_px.clamp(min=1.0)
    offset_mm = (torch.arange(field_px, dtype=torch.float32, device=hu.device) - (field_px - 1) / 2.0) * pixel_mm
    blocks, block_px = _blocks(field_px)
    target_px = (centre_px[:, None] + offset_mm / spacing_mm[:, None]).reshape(n, blocks, block_px)
    band_px = _band_px(block_px, step_px, support_px, count)
    first_px = (target_px[:, :, 0] - support_px[:, None]).floor().clamp(min=0.0)
    first_px = torch.minimum(first_px, torch.full_like(first_px, count) - band_px)
    source_px = first_px[:, :, None] + torch.arange(band_px, dtype=torch.float32, device=hu.device)
    support_px = support_px[:, None, None, None]
    weights = torch.relu(support_px - (source_px[:, :, None, :] - target_px[:, :, :, None]).abs())
    total = weights.sum(3, keepdim=True)
    share = torch.reciprocal(torch.maximum(total, 0.5 * support_px * support_px))
    row = torch.arange(n, device=hu.device)[:, None, None] * count + source_px.to(torch.int64)
    bands = hu.reshape(n * count, columns)[row]
    resampled: Tensor = (weights @ bands) * share + AIR_HU * (1.0 - total * share)
    return resampled.reshape(-1, field_px, columns)


def _blocks(field_px: int) -> tuple[int, int]:
    """How many blocks of how many pixels make the field: the largest that divide it."""
    size = max(size for size in range(1, LARGEST_BLOCK_PX + 1) if field_px % size == 0)
    return field_px // size, size


def _band_px(block_px: int, step_px: Tensor, support_px: Tensor, count: int) -> int:
    """Rows of the image that the widest block of the batch needs, never more than there are."""
    needed_px = ((block_px - 1) * step_px + 2.0 * support_px).max(dim=0).values.ceil() + 2.0
    band_px = int(needed_px.clamp(max=float(count)).to(torch.int64).item())
    torch._check(band_px >= 2)  # type: ignore[no-untyped-call]
    torch._check(band_px <= count)  # type: ignore[no-untyped-call]
    return band_px
