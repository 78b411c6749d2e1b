"""Volume encoders from MONAI behind one interface: 3D ResU-Net (DynUNet's residual blocks) and Swin UNETR.

They take *scaled* intensities, channels in about −1..1: `models.gtgm.intensity` makes them from HU or grey values. They
give features at several scales for a decoder and one pooled embedding for pretraining.
"""

import math
from pathlib import Path
from typing import Any, Literal, Protocol, cast

import torch
from monai.networks.blocks.dynunet_block import UnetResBlock
from monai.networks.nets.swin_unetr import SwinTransformer
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

SWIN_PATCH = 2
"""Voxels along the side of Swin UNETR's patches, as published."""
NORM_GROUPS = 4


class EncoderShape(BaseModel):
    """Kind and sizes of a volume encoder. The smallest one of the demo is the default."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["res_unet", "swin_unetr"] = "res_unet"
    channels: tuple[int, ...] = Field(default=(12, 24, 48, 96, 128), min_length=2)
    """Channels of the features, finest first; each scale has half the voxels along a side of the one before.

    Swin UNETR: five scales, each twice as wide as the one before, the first a multiple of 12 (48 as published).
    """
    blocks: tuple[int, ...] = (1, 1, 1, 1, 1)
    """Residual blocks per scale; Swin UNETR: transformer blocks of each of its four stages."""
    heads: tuple[int, ...] = (3, 6, 12, 24)
    """Attention heads of the four stages of Swin UNETR."""
    window_voxels: int = 7
    """Side of the attention window of Swin UNETR."""
    input_channels: int = 3
    """Windows of the input; see `models.gtgm.intensity.CHANNELS`."""


class VolumeEncoder(Protocol):
    """What decoders and pretraining need of an encoder; every one is an `nn.Module` too."""

    shape: EncoderShape
    strides: tuple[int, ...]
    """Input voxels along the side of a voxel of each of the features, finest first."""

    def features(self, x: Tensor) -> list[Tensor]:
        """Features [n, channels[i], d / strides[i], …] of scaled intensities [n, c, d, h, w], finest first.

        d, h and w must be multiples of the last stride.
        """

    def embed(self, x: Tensor) -> Tensor:
        """One vector [n, embedding_width(shape)] of each volume [n, c, d, h, w]."""


def embedding_width(shape: EncoderShape) -> int:
    """Length of `embed`'s vectors: mean and maximum of the coarsest features."""
    return 2 * shape.channels[-1]


class _Pooled(nn.Module):
    shape: EncoderShape
    strides: tuple[int, ...]

    def features(self, x: Tensor) -> list[Tensor]:
        raise NotImplementedError

    def forward(self, x: Tensor) -> list[Tensor]:
        """The features, as `features` gives them."""
        return self.features(x)

    def embed(self, x: Tensor) -> Tensor:
        """Mean and maximum of the coarsest features: what is everywhere, and what is somewhere."""
        coarsest = self.features(x)[-1].flatten(2)
        return torch.cat([coarsest.mean(2), coarsest.amax(2)], dim=1)


class ResUnetEncoder(_Pooled):
    """Residual blocks with group normalisation at every scale; the first scale is that of the input."""

    def __init__(self, shape: EncoderShape) -> None:
        super().__init__()
        self.shape = shape
        self.strides = tuple(2**scale for scale in range(len(shape.channels)))
        before = (shape.input_channels, *shape.channels)
        self.scales = nn.ModuleList(
            _scale(before[number], channels, shape.blocks[number], stride=1 if number == 0 else 2)
            for number, channels in enumerate(shape.channels)
        )

    def features(self, x: Tensor) -> list[Tensor]:
        """One tensor per scale, the input's own scale first."""
        found = []
        for scale in self.scales:
            x = scale(x)
            found.append(x)
        return found


class SwinEncoder(_Pooled):
    """The encoder of Swin UNETR (arXiv 2201.01266): patches of 2³ voxels, windowed attention, merging between stages.

    `swin` is MONAI's own module: its state dict fits `SwinUNETR.swinViT` of the same sizes.
    """

    def __init__(self, shape: EncoderShape) -> None:
        super().__init__()
        self.shape = shape
        self.strides = tuple(SWIN_PATCH * 2**scale for scale in range(len(shape.channels)))
        self.swin = SwinTransformer(
            in_chans=shape.input_channels,
            embed_dim=shape.channels[0],
            window_size=(shape.window_voxels,) * 3,
            patch_size=(SWIN_PATCH,) * 3,
            depths=shape.blocks,
            num_heads=shape.heads,
        )

    def features(self, x: Tensor) -> list[Tensor]:
        """One tensor per scale, that of the patches first."""
        return cast(list[Tensor], self.swin(x))


def new_encoder(shape: EncoderShape) -> ResUnetEncoder | SwinEncoder:
    """An untrained encoder. Raises ValueError where the sizes do not fit together."""
    _check(shape)
    return SwinEncoder(shape) if shape.kind == "swin_unetr" else ResUnetEncoder(shape)


def save_encoder(encoder: ResUnetEncoder | SwinEncoder, trained: dict[str, Any], path: Path) -> None:
    """Writes `{"shape", "encoder", "trained"}`, loadable with weights_only; `trained` says how it was trained."""
    draft = path.with_suffix(".part")
    torch.save({"shape": encoder.shape.model_dump(mode="json"), "encoder": _on_cpu(encoder), "trained": trained}, draft)
    draft.replace(path)


def load_encoder(path: Path) -> tuple[EncoderShape, dict[str, Tensor], dict[str, Any]]:
    """Shape, state and account of a file of `save_encoder`."""
    kept = torch.load(path, weights_only=True, map_location="cpu")
    return EncoderShape.model_validate(kept["shape"]), kept["encoder"], kept["trained"]


def _scale(channels_in: int, channels: int, blocks: int, stride: int) -> nn.Sequential:
    def block(number: int) -> UnetResBlock:
        first = number == 0
        # Instance normalisation would take from every channel its mean over the volume, and with it from the
        # embedding what the text speaks of: how dense, how much. Within a group, channels keep their ratio.
        norm = ("group", {"num_groups": math.gcd(NORM_GROUPS, channels)})
        return UnetResBlock(3, channels_in if first else channels, channels, 3, stride if first else 1, norm)

    return nn.Sequential(*(block(number) for number in range(blocks)))


def _check(shape: EncoderShape) -> None:
    first = shape.channels[0]
    if shape.kind == "res_unet" and len(shape.blocks) != len(shape.channels):
        raise ValueError(f"{len(shape.channels)} scales but blocks for {len(shape.blocks)}: give one number per scale")
    if shape.kind == "res_unet":
        return
    if shape.channels != tuple(first * 2**scale for scale in range(5)):
        raise ValueError(f"channels {shape.channels}: Swin UNETR has five scales, each twice as wide as the last")
    if len(shape.blocks) != 4 or len(shape.heads) != 4:
        raise ValueError(f"blocks {shape.blocks}, heads {shape.heads}: Swin UNETR has four stages, so give four")
    if any(width % heads for width, heads in zip(shape.channels, shape.heads, strict=False)):
        raise ValueError(f"heads {shape.heads} do not divide the channels {shape.channels[:4]}")


def _on_cpu(module: nn.Module) -> dict[str, Tensor]:
    return {name: value.detach().cpu() for name, value in module.state_dict().items()}
