"""A sub-volume encoder in the place of the slice encoder: slabs of eight slices through a front in three dimensions.

Front widths, field, patch grid and token are those of the slice encoder; one transformer block fewer makes up for the
larger kernels. Everything after it, the Z-former included, takes its tokens as it takes those of slices.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn

from models.datasets.cache import Shard, stream
from models.datasets.fields import FieldStudy
from models.datasets.phantoms import split_seeds
from models.datasets.study import LabelledStudy
from models.msvlm.encoder import SliceEncoder
from models.msvlm.preprocess import Windows
from models.msvlm.preset import DataSettings, NetworkShape
from models.msvlm.studies import EncodedStudy, with_facts
from models.phantoms.thorax import generate

SLAB_SLICES = 8
FEWER_BLOCKS = 1
ENCODE_BATCH = 4


class SlabWindows(Windows):
    """HU [n, slices, rows, columns] → one channel per window [n, windows, slices, rows, columns]."""

    def forward(self, hu: Tensor) -> Tensor:
        """Channels of a batch of slabs."""
        n, slices, rows, columns = hu.shape
        channels: Tensor = super().forward(hu.flatten(0, 1))
        return channels.reshape(n, slices, -1, rows, columns).transpose(1, 2)


def _convolution(channels_in: int, channels_out: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv3d(channels_in, channels_out, 3, stride, 1, bias=False), nn.BatchNorm3d(channels_out), nn.ReLU()
    )


class SlabResidual(nn.Module):
    """Two 3×3×3 convolutions beside an identity."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = _convolution(channels, channels)
        self.second = nn.Sequential(nn.Conv3d(channels, channels, 3, 1, 1, bias=False), nn.BatchNorm3d(channels))

    def forward(self, x: Tensor) -> Tensor:
        """Features of the same shape."""
        return torch.relu(x + self.second(self.first(x)))


class SlabFront(nn.Module):
    """Windows [n, c, 8, rows, columns] → features [n, C, gr, gc]: every stage halves all three directions."""

    def __init__(self, channels_in: int, channels: tuple[int, ...]) -> None:
        super().__init__()
        steps: list[nn.Module] = []
        for before, after in pairwise((channels_in, *channels)):
            steps += [_convolution(before, after, stride=2), SlabResidual(after)]
        self.steps = nn.Sequential(*steps)

    def forward(self, channels: Tensor) -> Tensor:
        """Features of the slabs; what is left along z is averaged."""
        features: Tensor = self.steps(channels).mean(2)
        return features


class SlabEncoder(SliceEncoder):
    """HU of slabs on the field [n, 8, rows, columns] → `Encoded`, as the slice encoder gives of a slice."""

    def __init__(self, shape: NetworkShape) -> None:
        super().__init__(shape.model_copy(update={"encoder_blocks": shape.encoder_blocks - FEWER_BLOCKS}))
        self.windows = SlabWindows(shape.windows_hu)
        self.front = SlabFront(len(shape.windows_hu), shape.front_channels)  # type: ignore[assignment]


def slab_starts(slices: int) -> list[int]:
    """First slices of the slabs of a study: side by side, the last one moved back to end with the study."""
    if slices <= SLAB_SLICES:
        return [0]
    return [*range(0, slices - SLAB_SLICES, SLAB_SLICES), slices - SLAB_SLICES]


@dataclass(frozen=True)
class SlabPhantoms:
    """The slice encoder's phantoms, of each as many slices, but in slabs of neighbours."""

    seeds: range
    size_px: int
    slabs: int
    patches: bool = True

    @classmethod
    def of(cls, data: DataSettings, count: int) -> "SlabPhantoms":
        """The first phantoms of the encoder's split."""
        return cls(split_seeds(data, "encoder")[:count], data.phantom_px, max(data.encoder_slices // SLAB_SLICES, 1))

    @property
    def name(self) -> str:
        """Name of the collection."""
        return "phantom-slabs"

    @property
    def code(self) -> tuple[str, ...]:
        """Source files on which a phantom depends."""
        return ("evaluation/slabs.py", "phantoms")

    def __len__(self) -> int:
        return len(self.seeds)

    def study(self, index: int) -> LabelledStudy:
        """Some slabs of the phantom of a seed, two of three through a finding."""
        study = generate(self.seeds[index], size_px=self.size_px).study()
        rng = np.random.default_rng(self.seeds[index])
        kept = np.concatenate([_start(study, rng) + np.arange(SLAB_SLICES) for _ in range(self.slabs)])
        masks = {finding: mask[kept] for finding, mask in study.masks.items()}
        return replace(study, hu=study.hu[kept], z_mm=study.z_mm[kept], masks=masks)


def _start(study: LabelledStudy, rng: np.random.Generator) -> int:
    last = len(study.hu) - SLAB_SLICES
    through = [np.flatnonzero(mask.any(axis=(1, 2))) for mask in study.masks.values() if mask.any()]
    if not through or rng.random() < 1.0 / 3.0:
        return int(rng.integers(last + 1))
    middle = int(rng.choice(through[int(rng.integers(len(through)))]))
    return int(np.clip(middle - rng.integers(SLAB_SLICES), 0, last))


@torch.no_grad()
def encode_slabs(encoder: SlabEncoder, shards: Sequence[Shard]) -> list[EncodedStudy]:
    """Studies as the tokens of their slabs: what the reader then takes for slices."""
    encoder.eval()
    return [_encode(encoder, study) for study in stream(shards)]


def _encode(encoder: SlabEncoder, study: FieldStudy) -> EncodedStudy:
    hu, targets = torch.from_numpy(study.slices["hu"].copy()), study.slices["slices"]
    short = max(SLAB_SLICES - len(hu), 0)
    hu = torch.cat([hu, *[hu[-1:]] * short])
    starts = slab_starts(len(hu))
    slabs = torch.stack([hu[start : start + SLAB_SLICES] for start in starts]).float()
    with torch.autocast("cpu", torch.bfloat16):
        tokens = torch.cat([encoder(part).token.float() for part in torch.split(slabs, ENCODE_BATCH)])
    z_mm = np.array([study.slices["z_mm"][start : start + SLAB_SLICES].mean() for start in starts], np.float32)
    shown = np.stack([targets[start : start + SLAB_SLICES].max(0) for start in starts])
    return with_facts(tokens, torch.from_numpy(z_mm), torch.from_numpy(shown), study)
