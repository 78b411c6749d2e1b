"""The slice encoder: a convolutional front to stride 8, transformer blocks at stride 16, logits per patch and finding.

The front is what makes small findings learnable at this size; see the measured recipe in the model card.
"""

import torch
from torch import Tensor, nn

from models.msvlm.blocks import Block
from models.msvlm.field_in_blocks import field_in_blocks
from models.msvlm.preprocess import Windows, field_of_body, hounsfield_units
from models.msvlm.preset import NetworkShape
from models.msvlm.slice_token import RARE, Encoded, SliceHead, resized_positions, slice_token
from models.msvlm.vit import VitSliceEncoder

CONVOLUTIONAL_STRIDE = 2
"""Field pixels of a transformer token along one side, in patches of the convolutional front."""


def _convolution(channels_in: int, channels_out: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels_in, channels_out, 3, stride, 1, bias=False), nn.BatchNorm2d(channels_out), nn.ReLU()
    )


class Residual(nn.Module):
    """Two 3×3 convolutions beside an identity."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = _convolution(channels, channels)
        self.second = nn.Sequential(nn.Conv2d(channels, channels, 3, 1, 1, bias=False), nn.BatchNorm2d(channels))

    def forward(self, x: Tensor) -> Tensor:
        """Features of the same shape."""
        return torch.relu(x + self.second(self.first(x)))


class Front(nn.Sequential):
    """Windows [n, c, field, field] → features at stride 8."""

    def __init__(self, channels_in: int, channels: tuple[int, ...]) -> None:
        steps: list[nn.Module] = []
        for before, after in zip((channels_in, *channels), channels, strict=False):
            steps += [_convolution(before, after, stride=2), Residual(after)]
        super().__init__(*steps)


class SliceEncoder(nn.Module):
    """HU on the field [n, field rows, field columns] → `Encoded`."""

    def __init__(self, shape: NetworkShape) -> None:
        super().__init__()
        width, front = shape.encoder_width, shape.front_channels
        self.windows = Windows(shape.windows_hu)
        self.front = Front(len(shape.windows_hu), front)
        self.to_tokens = nn.Conv2d(front[-1], width, 3, 2, 1)
        self.class_token = nn.Parameter(torch.zeros(1, 1, width))
        self.coarse_grid = shape.patch_grid[0] // CONVOLUTIONAL_STRIDE, shape.patch_grid[1] // CONVOLUTIONAL_STRIDE
        self.positions = nn.Parameter(torch.randn(1, self.coarse_grid[0] * self.coarse_grid[1], width) * 0.02)
        self.blocks = nn.ModuleList(Block(width, shape.encoder_heads) for _ in range(shape.encoder_blocks))
        self.norm = nn.LayerNorm(width)
        self.patch_fine = nn.Conv2d(front[-1], shape.findings, 1)
        self.patch_coarse = nn.Linear(width, shape.findings * CONVOLUTIONAL_STRIDE**2)
        self.slice_head = SliceHead(shape)
        self.patch_pools = shape.patch_pools
        nn.init.constant_(self.patch_fine.get_parameter("bias"), RARE)

    def forward(self, hu: Tensor) -> Encoded:
        """Token, patch logits and slice logits of slices on the field, in HU."""
        fine, x = self._features(hu)
        patch_logits = self.patch_fine(fine) + self._coarse_logits(x[:, 1:])
        token = slice_token(x[:, 0], patch_logits) if self.patch_pools else x[:, 0]
        return Encoded(token, patch_logits, self.slice_head(token))

    def class_features(self, hu: Tensor) -> Tensor:
        """[CLS] [n, width] of slices or parts of slices of any size, in HU."""
        return self._features(hu)[1][:, 0]

    def _features(self, hu: Tensor) -> tuple[Tensor, Tensor]:
        """Features of the front [n, channels, gr, gc]; [CLS] and tokens of the coarse grid [n, 1 + t, width]."""
        fine = self.front(self.windows(hu))
        coarse = self.to_tokens(fine)
        tokens = coarse.flatten(2).transpose(1, 2) + self._positions(coarse.shape[2], coarse.shape[3])
        x = torch.cat([self.class_token.expand(tokens.shape[0], -1, -1), tokens], dim=1)
        for block in self.blocks:
            x = block(x)
        return fine, self.norm(x)

    def _positions(self, rows: int, columns: int) -> Tensor:
        if (rows, columns) == self.coarse_grid:
            return self.positions
        return resized_positions(self.positions, self.coarse_grid, (rows, columns))

    def _coarse_logits(self, tokens: Tensor) -> Tensor:
        logits = self.patch_coarse(tokens).transpose(1, 2).unflatten(2, self.coarse_grid)
        return nn.functional.pixel_shuffle(logits, CONVOLUTIONAL_STRIDE)


def new_encoder(shape: NetworkShape) -> nn.Module:
    """An untrained slice encoder of the kind that the preset names: HU on the field → `Encoded`."""
    return VitSliceEncoder(shape) if shape.encoder == "vit" else SliceEncoder(shape)


class SliceEncoderGraph(nn.Module):
    """`slice_encoder.onnx`: stored values, slope, intercept, spacing → token, patch grid, centre. See `manifest.py`."""

    def __init__(self, encoder: nn.Module, shape: NetworkShape, *, in_blocks: bool = True) -> None:
        """`in_blocks`: fewer operations, but shapes that depend on spacings, which a GPU cannot record as a graph."""
        super().__init__()
        self.encoder, self.shape = encoder, shape
        self.field = field_in_blocks if in_blocks else field_of_body

    def forward(
        self, stored: Tensor, slope: Tensor, intercept: Tensor, spacing_mm: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Token [n, d], patch grid [n, F, gr, gc], field centre [n, 2] of stored values [n, rows, columns]."""
        hu = hounsfield_units(stored, slope, intercept)
        field, centre_px = self.field(hu, spacing_mm, self.shape.field_px, self.shape.pixel_mm)
        encoded = self.encoder(field)
        return encoded.token, encoded.patch_logits, centre_px
