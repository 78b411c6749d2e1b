"""The slice encoder at the published size: a plain vision transformer, from a given checkpoint.

Modules carry the names of DINO's and timm's state dicts, so that their checkpoints are read as they are. An image is
worth 16×16 words: arXiv 2010.11929; DINO: arXiv 2104.14294; MS-VLM uses ViT-B/16 on 480 × 480.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from models.msvlm.preprocess import Windows
from models.msvlm.preset import NetworkShape
from models.msvlm.slice_token import RARE, Encoded, SliceHead, resized_positions, slice_token

WRAPPERS = ("teacher", "student", "state_dict", "model")
"""Names under which checkpoints keep their state dict."""
PREFIXES = ("module.", "backbone.", "encoder.")
HEADS = ("head.", "fc.", "fc_norm.", "mask_token")
"""Parts of a checkpoint that the encoder has no use for."""


@dataclass(frozen=True)
class CheckpointUnfit(Exception):
    """A checkpoint that does not hold the weights of this vision transformer."""

    missing: tuple[str, ...]
    unknown: tuple[str, ...]
    misshapen: tuple[str, ...]

    def __str__(self) -> str:
        parts = [
            f"{title}: {', '.join(names[:8])}{' …' if len(names) > 8 else ''}"
            for title, names in (
                ("missing", self.missing),
                ("not understood", self.unknown),
                ("of another shape", self.misshapen),
            )
            if names
        ]
        return f"the checkpoint does not fit the preset's encoder; {'; '.join(parts)}"


class SelfAttention(nn.Module):
    """Multi-head self-attention."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """[n, t, width] → the same shape."""
        n, t, width = x.shape
        query, key, value = self.qkv(x).reshape(n, t, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        attended = scaled_dot_product_attention(query, key, value).transpose(1, 2).reshape(n, t, width)
        projected: Tensor = self.proj(attended)
        return projected


class Mlp(nn.Module):
    """Two layers with GELU, four times as wide inside."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.fc1, self.act, self.fc2 = nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        """[..., width] → the same shape."""
        out: Tensor = self.fc2(self.act(self.fc1(x)))
        return out


class VitBlock(nn.Module):
    """Pre-norm transformer block."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.norm1, self.attn = nn.LayerNorm(width, eps=1e-6), SelfAttention(width, heads)
        self.norm2, self.mlp = nn.LayerNorm(width, eps=1e-6), Mlp(width)

    def forward(self, x: Tensor) -> Tensor:
        """The sequence [n, t, width] one layer on."""
        x = x + self.attn(self.norm1(x))
        out: Tensor = x + self.mlp(self.norm2(x))
        return out


class PatchEmbed(nn.Module):
    """Non-overlapping patches as tokens."""

    def __init__(self, channels: int, patch_px: int, width: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(channels, width, patch_px, patch_px)

    def forward(self, image: Tensor) -> Tensor:
        """[n, channels, rows, columns] → [n, width, gr, gc]."""
        tokens: Tensor = self.proj(image)
        return tokens


class VisionTransformer(nn.Module):
    """Image [n, channels, rows, columns] → [CLS] and patch tokens [n, 1 + t, width], and the grid of the patches."""

    def __init__(self, shape: NetworkShape) -> None:
        super().__init__()
        width = shape.encoder_width
        self.grid = shape.patch_grid
        self.patch_embed = PatchEmbed(len(shape.windows_hu), shape.patch_px, width)
        self.cls_token = nn.Parameter(torch.randn(1, 1, width) * 0.02)
        self.pos_embed = nn.Parameter(torch.randn(1, 1 + self.grid[0] * self.grid[1], width) * 0.02)
        self.blocks = nn.ModuleList(VitBlock(width, shape.encoder_heads) for _ in range(shape.encoder_blocks))
        self.norm = nn.LayerNorm(width, eps=1e-6)

    def forward(self, image: Tensor) -> tuple[Tensor, tuple[int, int]]:
        """Tokens after the last norm, and rows and columns of patches."""
        patches = self.patch_embed(image)
        grid = patches.shape[2], patches.shape[3]
        tokens = torch.cat([self.cls_token.expand(len(image), -1, -1), patches.flatten(2).transpose(1, 2)], dim=1)
        x = tokens + self._positions(grid)
        for block in self.blocks:
            x = block(x)
        return self.norm(x), grid

    def _positions(self, grid: tuple[int, int]) -> Tensor:
        if grid == self.grid:
            return self.pos_embed
        return torch.cat([self.pos_embed[:, :1], resized_positions(self.pos_embed[:, 1:], self.grid, grid)], dim=1)


class VitSliceEncoder(nn.Module):
    """HU on the field [n, field rows, field columns] → `Encoded`; patch logits at the stride of the patches."""

    def __init__(self, shape: NetworkShape) -> None:
        super().__init__()
        self.windows = Windows(shape.windows_hu)
        self.vit = VisionTransformer(shape)
        self.patch_head = nn.Linear(shape.encoder_width, shape.findings)
        self.slice_head = SliceHead(shape)
        self.patch_pools = shape.patch_pools
        nn.init.constant_(self.patch_head.bias, RARE)

    def forward(self, hu: Tensor) -> Encoded:
        """Token, patch logits and slice logits of slices on the field, in HU."""
        tokens, grid = self.vit(self.windows(hu))
        logits = self.patch_head(tokens[:, 1:]).transpose(1, 2)
        patch_logits = logits.reshape(len(hu), -1, *grid)
        token = slice_token(tokens[:, 0], patch_logits) if self.patch_pools else tokens[:, 0]
        return Encoded(token, patch_logits, self.slice_head(token))

    def class_features(self, hu: Tensor) -> Tensor:
        """[CLS] [n, width] of slices or parts of slices of any size, in HU."""
        features: Tensor = self.vit(self.windows(hu))[0][:, 0]
        return features


def load_checkpoint(encoder: nn.Module, path: Path) -> None:
    """Puts the weights of a checkpoint with DINO's or timm's names into the vision transformer.

    Positions are interpolated to the field's grid; another number of channels is spread over the windows. Raises
    CheckpointUnfit where weights are missing, not understood, or of another shape, and where the preset's encoder is no
    vision transformer.
    """
    if not isinstance(encoder, VitSliceEncoder):
        raise CheckpointUnfit(("vit",), (), ())
    state = vit_state(torch.load(path, map_location="cpu", weights_only=True))
    own = encoder.vit.state_dict()
    if "pos_embed" in state:
        state["pos_embed"] = _positions_for(state["pos_embed"], own["pos_embed"], encoder.vit.grid)
    if "patch_embed.proj.weight" in state:
        state["patch_embed.proj.weight"] = _channels_for(state["patch_embed.proj.weight"], len(encoder.windows.low[0]))
    missing = tuple(name for name in own if name not in state)
    unknown = tuple(name for name in state if name not in own)
    misshapen = tuple(name for name in own if name in state and state[name].shape != own[name].shape)
    if missing or unknown or misshapen:
        raise CheckpointUnfit(missing, unknown, misshapen)
    encoder.vit.load_state_dict(state)


def vit_state(checkpoint: Mapping[str, object]) -> dict[str, Tensor]:
    """The weights of the transformer in a checkpoint: out of wrappers, without prefixes and heads."""
    for name in WRAPPERS:
        inner = checkpoint.get(name)
        if isinstance(inner, Mapping):
            return vit_state(inner)
    state = {_bare(name): value for name, value in checkpoint.items() if isinstance(value, Tensor)}
    return {name: value for name, value in state.items() if not name.startswith(HEADS)}


def _bare(name: str) -> str:
    for prefix in PREFIXES:
        name = name.removeprefix(prefix)
    return name


def _positions_for(positions: Tensor, own: Tensor, grid: tuple[int, int]) -> Tensor:
    side = round((positions.shape[1] - 1) ** 0.5)
    if positions.shape[1] == own.shape[1] or side * side != positions.shape[1] - 1:
        return positions
    return torch.cat([positions[:, :1], resized_positions(positions[:, 1:], (side, side), grid)], dim=1)


def _channels_for(weight: Tensor, channels: int) -> Tensor:
    if weight.shape[1] == channels:
        return weight
    # The mean over the channels, as strong together as the ones they replace.
    return weight.mean(1, keepdim=True).expand(-1, channels, -1, -1) * (weight.shape[1] / channels)
