"""The field: images resampled about their middle to fixed pixels in mm, in operations that export to ONNX."""

import torch
from torch import Tensor

from models.msvlm.preprocess import field_weights


def field_of_image(shares: Tensor, spacing_mm: Tensor, field_px: tuple[int, int], pixel_mm: float) -> Tensor:
    """Images [n, rows, columns] on the field about their middle [n, field rows, field columns]; 0 beyond their edge.

    A scan of the rectum is planned about it, so the middle of the image is the field's, and the place of the field in
    the patient is that of the slice. `spacing_mm` [n, 2] between rows and between columns.
    """
    size_px = shares.shape[1], shares.shape[2]
    middle = torch.stack([torch.arange(count, dtype=torch.float32, device=shares.device).mean() for count in size_px])
    down, across = field_weights(middle.expand(shares.shape[0], 2), size_px, spacing_mm, field_px, pixel_mm)
    return down @ shares @ across
