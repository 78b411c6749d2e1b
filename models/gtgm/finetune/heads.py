"""Segmentation networks: a volume encoder with the decoder of U-Net, built from MONAI's UNETR blocks.

    values → windows (`models.gtgm.intensity`) → encoder's features, coarsest to finest, each joined with the next finer
    one (UnetrUpBlock) → one logit per class and voxel

A Swin encoder has no features at the input's own scale: its input goes through a block of its own, and every feature
through a residual block, as in Swin UNETR (arXiv 2201.01266).
"""

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from monai.networks.blocks import UnetrUpBlock
from monai.networks.blocks.unetr_block import UnetrBasicBlock
from torch import Tensor, nn

from models.gtgm.intensity import ScaledIntensity
from models.gtgm.networks import NORM_GROUPS, EncoderShape, keep_channels_last, load_encoder, new_encoder
from models.gtgm.volume import Modality

Output = Literal["classes", "affinities"]
"""One of several classes per voxel (softmax), or for each voxel whether it belongs with its neighbours (sigmoid)."""


@dataclass(frozen=True)
class EncoderMismatch(ValueError):
    """A checkpoint's encoder is not of the shape that the segmenter has."""

    expected: EncoderShape
    found: EncoderShape

    def __str__(self) -> str:
        return f"the checkpoint's encoder is {self.found}, the segmenter's {self.expected}: use the shape of the former"


class Segmenter(nn.Module):
    """Logits [n, outputs, d, h, w] of values [n, 1, d, h, w]; d, h and w are multiples of `stride`.

    Values are HU of CT, else what `models.gtgm.intensity.standard_values` gives.
    """

    def __init__(self, shape: EncoderShape, outputs: int, modality: Modality, output: Output = "classes") -> None:
        super().__init__()
        self.shape, self.modality, self.output = shape, modality, output
        self.scaled = ScaledIntensity(modality)
        self.encoder = new_encoder(shape)
        self.decoder = UnetDecoder(self.encoder.strides, shape)
        self.last = nn.Conv3d(shape.channels[0], outputs, 1)
        keep_channels_last(self)

    @property
    def stride(self) -> int:
        """Of what number the sides of a patch must be multiples."""
        return self.encoder.strides[-1]

    def forward(self, values: Tensor) -> Tensor:
        """The logits."""
        scaled = self.scaled(values)
        logits: Tensor = self.last(self.decoder(scaled, self.encoder.features(scaled)))
        return logits

    def probabilities(self, values: Tensor) -> Tensor:
        """Shares of the classes that sum to 1, or one probability per affinity."""
        logits = self(values)
        return logits.softmax(dim=1) if self.output == "classes" else logits.sigmoid()


class UnetDecoder(nn.Module):
    """From an encoder's features to as many channels as the finest of them has, at the scale of the input."""

    def __init__(self, strides: tuple[int, ...], shape: EncoderShape) -> None:
        super().__init__()
        channels = shape.channels
        self.refined = nn.ModuleList()
        if strides[0] > 1:
            self.refined.extend(_block(width, width) for width in channels)
            self.of_input: nn.Module | None = _block(shape.input_channels, channels[0])
            channels = (channels[0], *channels)
        else:
            self.of_input = None
        self.up = nn.ModuleList(
            UnetrUpBlock(3, coarse, fine, 3, 2, _norm(fine), res_block=True)
            for fine, coarse in itertools.pairwise(channels)
        )

    def forward(self, scaled: Tensor, features: list[Tensor]) -> Tensor:
        """Channels [n, channels[0], d, h, w] from the scaled input [n, c, d, h, w] and its features."""
        if self.of_input is not None:
            refined = (block(one) for block, one in zip(self.refined, features, strict=True))
            features = [self.of_input(scaled), *refined]
        x = features[-1]
        for up, skip in zip(reversed(self.up), reversed(features[:-1]), strict=True):
            x = up(x, skip)
        return x


def new_segmenter(
    shape: EncoderShape,
    outputs: int,
    encoder_state: Mapping[str, Tensor] | None = None,
    modality: Modality = Modality.CT,
    output: Output = "classes",
) -> Segmenter:
    """A segmenter whose encoder starts from a pretrained state, or at random.

    `outputs` counts the classes with the background, or the affinities. Raises RuntimeError for a state of another
    shape.
    """
    network = Segmenter(shape, outputs, modality, output)
    if encoder_state is not None:
        network.encoder.load_state_dict(dict(encoder_state))
    return network


def from_checkpoint(
    path: Path, shape: EncoderShape, outputs: int, modality: Modality = Modality.CT, output: Output = "classes"
) -> Segmenter:
    """A segmenter on the encoder of a pretraining checkpoint. Raises EncoderMismatch for one of another shape."""
    found, state, _ = load_encoder(path)
    if found != shape:
        raise EncoderMismatch(shape, found)
    return new_segmenter(shape, outputs, state, modality, output)


def save_segmenter(network: Segmenter, trained: dict[str, Any], path: Path) -> None:
    """Writes `{"shape", "outputs", "modality", "output", "segmenter", "trained"}`, loadable with weights_only."""
    draft = path.with_suffix(".part")
    path.parent.mkdir(parents=True, exist_ok=True)
    facts = {
        "shape": network.shape.model_dump(mode="json"),
        "outputs": network.last.out_channels,
        "modality": network.modality.value,
        "output": network.output,
        "segmenter": {name: value.detach().cpu() for name, value in network.state_dict().items()},
        "trained": trained,
    }
    torch.save(facts, draft)
    draft.replace(path)


def load_segmenter(path: Path) -> tuple[Segmenter, dict[str, Any]]:
    """A network that `save_segmenter` kept, ready to segment, and the account of its training."""
    kept = torch.load(path, weights_only=True, map_location="cpu")
    shape, modality = EncoderShape.model_validate(kept["shape"]), Modality(kept["modality"])
    network = Segmenter(shape, kept["outputs"], modality, kept["output"])
    network.load_state_dict(kept["segmenter"])
    return network.eval(), kept["trained"]


def _block(channels_in: int, channels: int) -> UnetrBasicBlock:
    return UnetrBasicBlock(3, channels_in, channels, 3, 1, _norm(channels), res_block=True)


def _norm(channels: int) -> tuple[str, dict[str, int]]:
    return ("group", {"num_groups": math.gcd(NORM_GROUPS, channels)})
