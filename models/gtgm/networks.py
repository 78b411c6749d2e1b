"""Volume encoders from MONAI behind one interface: 3D ResU-Net (DynUNet's residual blocks), Swin UNETR and UNETR.

They take *scaled* intensities, channels in about −1..1: `models.gtgm.intensity` makes them from HU or grey values. They
give features at several scales for a decoder and one pooled embedding for pretraining.
"""

import math
from itertools import accumulate
from pathlib import Path
from typing import Any, Literal, Protocol, cast

import torch
from monai.networks.blocks.dynunet_block import UnetResBlock
from monai.networks.blocks.unetr_block import UnetrBasicBlock, UnetrPrUpBlock
from monai.networks.nets.swin_unetr import SwinTransformer
from monai.networks.nets.vit import ViT
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn
from torch.nn.functional import interpolate

SWIN_PATCH = 2
"""Voxels along the side of Swin UNETR's patches, as published."""
UNETR_PATCH = 16
"""Voxels along the side of UNETR's patches, as published."""
NORM_GROUPS = 4


class EncoderShape(BaseModel):
    """Kind and sizes of a volume encoder. The smallest one of the demo is the default."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["res_unet", "swin_unetr", "unetr"] = "res_unet"
    channels: tuple[int, ...] = Field(default=(12, 24, 48, 96, 128), min_length=2)
    """Channels of the features, finest first; each scale has half the voxels along a side of the one before.

    Swin UNETR: five scales, each twice as wide as the one before, the first a multiple of 12 (48 as published).
    UNETR: five scales, the last as wide as its tokens (16, 32, 64, 128, 768 as published).
    """
    blocks: tuple[int, ...] = (1, 1, 1, 1, 1)
    """Residual blocks per scale; Swin UNETR: transformer blocks of each of its four stages.

    UNETR: transformer blocks before each of the four places where features are taken, (3, 3, 3, 3) as published and
    (4, 3, 3, 2) in MONAI's own network.
    """
    heads: tuple[int, ...] = (3, 6, 12, 24)
    """Attention heads of the four stages of Swin UNETR; those of all of UNETR's blocks, (12,) as published."""
    window_voxels: int = 7
    """Side of the attention window of Swin UNETR."""
    position_voxels: tuple[int, int, int] = (96, 96, 96)
    """Size of the crops for which UNETR learns where its patches lie; for others this is interpolated."""
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

    def coarsest(self, x: Tensor) -> Tensor:
        """The last of the features."""
        return self.features(x)[-1]

    def embed(self, x: Tensor) -> Tensor:
        """Mean and maximum of the coarsest features: what is everywhere, and what is somewhere."""
        coarsest = self.coarsest(x).flatten(2)
        return torch.cat([coarsest.mean(2), coarsest.amax(2)], dim=1)


class ResUnetEncoder(_Pooled):
    """Residual blocks with group normalisation at every scale; the first scale is that of the input."""

    def __init__(self, shape: EncoderShape) -> None:
        super().__init__()
        _check_res_unet(shape)
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
        _check_swin(shape)
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


class UnetrEncoder(_Pooled):
    """The encoder of UNETR (arXiv 2103.10504): a vision transformer on patches of 16³ voxels.

    Tokens of four depths become features: the deepest as they are, the others by transposed convolutions, 2 to 8 times
    as fine; the input gives the finest by itself. `vit` is MONAI's own module: its state dict fits `UNETR.vit` of the
    same sizes. Pretraining moves `vit` alone, for the embedding needs none of the convolutions.
    """

    def __init__(self, shape: EncoderShape) -> None:
        super().__init__()
        _check_unetr(shape)
        self.shape = shape
        self.strides = tuple(2**scale for scale in range(len(shape.channels)))
        finest, *between, width = shape.channels
        self.vit = ViT(
            in_channels=shape.input_channels,
            img_size=shape.position_voxels,
            patch_size=(UNETR_PATCH,) * 3,
            hidden_size=width,
            mlp_dim=4 * width,
            num_layers=sum(shape.blocks),
            num_heads=shape.heads[0],
        )
        self.of_input = UnetrBasicBlock(3, shape.input_channels, finest, 3, 1, _norm(finest), res_block=True)
        self.of_tokens = nn.ModuleList(
            UnetrPrUpBlock(3, width, channels, times, 3, 1, 2, _norm(channels), conv_block=True, res_block=True)
            for times, channels in zip((2, 1, 0), between, strict=True)
        )

    def features(self, x: Tensor) -> list[Tensor]:
        """One tensor per scale, the input's own scale first."""
        *shallow, deepest = self._tokens(x)
        return [self.of_input(x), *(up(tokens) for up, tokens in zip(self.of_tokens, shallow, strict=True)), deepest]

    def coarsest(self, x: Tensor) -> Tensor:
        """The deepest tokens on their grid."""
        return self._tokens(x)[-1]

    def _tokens(self, x: Tensor) -> list[Tensor]:
        """Tokens [n, width, d / 16, h / 16, w / 16] of four depths, the last normalised."""
        patches = self.vit.patch_embedding.patch_embeddings(x) + self._positions(x)
        grid, tokens = patches.shape[2:], patches.flatten(2).transpose(1, 2)
        taken, depths = [], set(accumulate(self.shape.blocks))
        for depth, block in enumerate(self.vit.blocks, 1):
            tokens = block(tokens)
            if depth in depths:
                taken.append(tokens)
        taken[-1] = self.vit.norm(taken[-1])
        return [one.transpose(1, 2).unflatten(2, grid) for one in taken]

    def _positions(self, x: Tensor) -> Tensor:
        """What a patch's place adds [1, width, d / 16, h / 16, w / 16]."""
        learned = tuple(voxels // UNETR_PATCH for voxels in self.shape.position_voxels)
        wanted = tuple(voxels // UNETR_PATCH for voxels in x.shape[2:])
        embeddings = self.vit.patch_embedding.position_embeddings.transpose(1, 2)
        positions: Tensor = embeddings.unflatten(2, learned)  # type: ignore[no-untyped-call]
        return positions if wanted == learned else interpolate(positions, wanted, mode="trilinear")


Encoder = ResUnetEncoder | SwinEncoder | UnetrEncoder
_KINDS: dict[str, type[ResUnetEncoder] | type[SwinEncoder] | type[UnetrEncoder]] = {
    "res_unet": ResUnetEncoder,
    "swin_unetr": SwinEncoder,
    "unetr": UnetrEncoder,
}


def new_encoder(shape: EncoderShape) -> Encoder:
    """An untrained encoder. Raises ValueError where the sizes do not fit together."""
    encoder = _KINDS[shape.kind](shape)
    keep_channels_last(encoder)
    return encoder


def keep_channels_last(network: nn.Module) -> None:
    """Lays out the weights, and so all that they make, with channels last: two cores train in a third of the time."""
    network.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]  # torch's stubs leave it out


def save_encoder(encoder: Encoder, trained: dict[str, Any], path: Path) -> None:
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
        return UnetResBlock(3, channels_in if first else channels, channels, 3, stride if first else 1, _norm(channels))

    return nn.Sequential(*(block(number) for number in range(blocks)))


def _norm(channels: int) -> tuple[str, dict[str, int]]:
    # Instance normalisation would take from every channel its mean over the volume, and with it from the
    # embedding what the text speaks of: how dense, how much. Within a group, channels keep their ratio.
    return ("group", {"num_groups": math.gcd(NORM_GROUPS, channels)})


def _check_res_unet(shape: EncoderShape) -> None:
    if len(shape.blocks) != len(shape.channels):
        raise ValueError(f"{len(shape.channels)} scales but blocks for {len(shape.blocks)}: give one number per scale")


def _check_swin(shape: EncoderShape) -> None:
    first = shape.channels[0]
    if shape.channels != tuple(first * 2**scale for scale in range(5)):
        raise ValueError(f"channels {shape.channels}: Swin UNETR has five scales, each twice as wide as the last")
    if len(shape.blocks) != 4 or len(shape.heads) != 4:
        raise ValueError(f"blocks {shape.blocks}, heads {shape.heads}: Swin UNETR has four stages, so give four")
    if any(width % heads for width, heads in zip(shape.channels, shape.heads, strict=False)):
        raise ValueError(f"heads {shape.heads} do not divide the channels {shape.channels[:4]}")


def _check_unetr(shape: EncoderShape) -> None:
    if len(shape.channels) != 5:
        raise ValueError(f"channels {shape.channels}: UNETR has five scales, the last as wide as its tokens")
    if len(shape.blocks) != 4 or min(shape.blocks) < 1 or len(shape.heads) != 1:
        raise ValueError(f"blocks {shape.blocks}, heads {shape.heads}: give UNETR four numbers of blocks, one of heads")
    if shape.channels[-1] % shape.heads[0]:
        raise ValueError(f"heads {shape.heads} do not divide the tokens' {shape.channels[-1]} channels")
    if any(voxels < UNETR_PATCH or voxels % UNETR_PATCH for voxels in shape.position_voxels):
        raise ValueError(f"position_voxels {shape.position_voxels}: give multiples of UNETR's {UNETR_PATCH} voxels")


def _on_cpu(module: nn.Module) -> dict[str, Tensor]:
    return {name: value.detach().cpu() for name, value in module.state_dict().items()}
