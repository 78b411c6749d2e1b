"""Labelled volumes as training wants them: values on the encoder's scale, what is to be said of every voxel, crops.

Crops are balanced over what a volume holds: three of four are centred on a structure drawn evenly, so that a nodule of
0.01 % of the voxels is seen as often as a lung.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.datasets.cremi import InstanceVolume
from models.gtgm.finetune.instances import affinities_of
from models.gtgm.finetune.neighbours import NEAREST, Offset
from models.gtgm.intensity import OUTSIDE, standard_values
from models.gtgm.volume import LabelledVolume, Modality
from models.msvlm.loop import step_seed

IGNORED = 255
"""Label of voxels of which nothing is known: they teach nothing."""
PLACES = 4000
"""Voxels kept per structure to centre crops on."""
ANYWHERE = 0.25
"""Share of crops that lie anywhere."""
MISTAKEN = 0.3
"""Share of crops that lie about a mistake, of volumes in which some are known."""
SPREAD = {Modality.CT: 400.0, Modality.MR: 1.0, Modality.EM: 1.0}
"""Width of what a tissue's contrast is measured by, in units of the values; augmentation is relative to it."""
Shape = tuple[int, int, int]


@dataclass(frozen=True, eq=False)
class Example:
    """`values` [z, y, x] on the scale of `models.gtgm.intensity.WINDOWS`; `labels` u8 or instances u32 of the same.

    HU may be whole numbers: they take half the memory.
    """

    values: NDArray[np.float32] | NDArray[np.int16]
    labels: NDArray[np.uint8] | NDArray[np.uint32]
    modality: Modality

    @classmethod
    def of(cls, volume: LabelledVolume | InstanceVolume) -> "Example":
        """What a volume teaches."""
        labels = volume.instances if isinstance(volume, InstanceVolume) else volume.labels
        return cls(standard_values(volume), labels, volume.modality)

    @property
    def instances(self) -> bool:
        """Whether labels are instances, which are learned as affinities."""
        return self.labels.dtype == np.uint32

    @cached_property
    def places(self) -> tuple[NDArray[np.intp], ...]:
        """Flat indices of some voxels of every structure that is there; of instances: of all that is labelled.

        Of a volume without structures, of the background that is known.
        """
        rng = np.random.default_rng(0)
        flat = self.labels.reshape(-1)
        there = [label for label in np.unique(flat) if label not in (0, IGNORED)] or [0]
        kinds = [flat > 0] if self.instances else [flat == label for label in there]
        found = (np.flatnonzero(kind) for kind in kinds)
        return tuple(rng.choice(one, min(len(one), PLACES), replace=False) for one in found if len(one))


@dataclass(frozen=True)
class Crops:
    """Random crops of examples: the same for the same seed and step.

    `mistaken` are flat indices of every example, or nothing: places of which to learn more, see `mistakes`.
    """

    examples: Sequence[Example]
    patch: Shape
    batch: int
    seed: int
    mistaken: Sequence[NDArray[np.intp]] = ()
    offsets: tuple[Offset, ...] = NEAREST
    """Of the affinities that instances become."""

    def at(self, step: int) -> tuple[Tensor, Tensor]:
        """Values [b, 1, d, h, w] and targets of a step: labels [b, d, h, w], or affinities [b, offsets, d, h, w]."""
        rng = np.random.default_rng(step_seed(self.seed, 0, step))
        pairs = [self._crop(rng) for _ in range(self.batch)]
        values, targets = (np.stack(part) for part in zip(*pairs, strict=True))
        return torch.from_numpy(values[:, None]), torch.from_numpy(targets)

    def _crop(self, rng: np.random.Generator) -> tuple[NDArray[np.float32], NDArray[np.int8] | NDArray[np.uint8]]:
        number = int(rng.integers(len(self.examples)))
        example = self.examples[number]
        mistaken = self.mistaken[number] if self.mistaken else ()
        if len(mistaken) and rng.random() < MISTAKEN:
            centre = _voxel(example, int(rng.choice(mistaken)))
        else:
            centre = _centre(example, rng)
        first = [int(c) - size // 2 + int(rng.integers(-size // 4, size // 4 + 1)) for c, size in self._pairs(centre)]
        first = [
            _within(at, size, all_) for at, size, all_ in zip(first, self.patch, example.values.shape, strict=True)
        ]
        values = _cut(example.values, first, self.patch, OUTSIDE[example.modality]).astype(np.float32)
        labels = _cut(example.labels, first, self.patch, 0)
        values, labels = _turned(values, labels, example.modality, rng)
        target = affinities_of(labels, self.offsets) if example.instances else labels
        return _varied(values, example.modality, rng), target

    def _pairs(self, centre: tuple[int, ...]) -> zip:  # type: ignore[type-arg]
        return zip(centre, self.patch, strict=True)


def crop_about(example: Example, centre: Sequence[int], patch: Shape) -> tuple[NDArray[np.float32], NDArray]:  # type: ignore[type-arg]
    """Values and labels [d, h, w] about a voxel, moved so that the crop lies inside the volume where it can."""
    pairs = zip(centre, patch, example.values.shape, strict=True)
    first = [_within(at - size // 2, size, whole) for at, size, whole in pairs]
    values = _cut(example.values, first, patch, OUTSIDE[example.modality]).astype(np.float32)
    return values, _cut(example.labels, first, patch, 0)


def _centre(example: Example, rng: np.random.Generator) -> tuple[int, ...]:
    shape = example.values.shape
    if rng.random() < ANYWHERE or not example.places:
        return tuple(int(rng.integers(size)) for size in shape)
    places = example.places[int(rng.integers(len(example.places)))]
    return _voxel(example, int(rng.choice(places)))


def _voxel(example: Example, flat: int) -> tuple[int, ...]:
    return tuple(int(index) for index in np.unravel_index(flat, example.values.shape))


def _within(first: int, size: int, whole: int) -> int:
    """A start from which the crop lies inside; the middle of a volume that is smaller than the crop."""
    return int(np.clip(first, 0, whole - size)) if whole >= size else (whole - size) // 2


def _cut(array: NDArray, first: Sequence[int], patch: Shape, outside: float) -> NDArray:  # type: ignore[type-arg]
    """A crop that may reach beyond the volume."""
    cut = np.full(patch, outside, array.dtype)
    low = [max(0, at) for at in first]
    high = [min(whole, at + size) for at, size, whole in zip(first, patch, array.shape, strict=True)]
    source = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
    target = tuple(slice(a - at, b - at) for a, b, at in zip(low, high, first, strict=True))
    cut[target] = array[source]
    return cut


def _turned(values: NDArray, labels: NDArray, modality: Modality, rng: np.random.Generator) -> tuple[NDArray, NDArray]:  # type: ignore[type-arg]
    """EM has neither left nor right, so its axes may be flipped; a patient's may not."""
    if modality is not Modality.EM:
        return values, labels
    steps = tuple(slice(None, None, int(rng.choice((-1, 1)))) for _ in range(3))
    return np.ascontiguousarray(values[steps]), np.ascontiguousarray(labels[steps])


def _varied(values: NDArray[np.float32], modality: Modality, rng: np.random.Generator) -> NDArray[np.float32]:
    """Another scanner, dose and calibration: a small shift and gain, and noise. Gain of CT is about water's 0 HU."""
    spread = SPREAD[modality]
    gain, shift = np.float32(rng.uniform(0.93, 1.07)), np.float32(rng.normal(0.0, 0.03 * spread))
    noise = rng.standard_normal(values.shape, dtype=np.float32) * np.float32(rng.uniform(0.0, 0.06) * spread)
    return values * gain + shift + noise
