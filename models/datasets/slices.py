"""Single slices of many rendered studies, drawn at random for the slice encoder; read by memory map."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.datasets.cache import Shard
from models.phantoms.findings import FINDINGS, Finding

Indices = NDArray[np.intp]


@dataclass(frozen=True)
class SliceBatch:
    """HU [n, rows, columns], patch targets [n, F, gr, gc] and slice targets [n, F] in [0, 1], located [n, F]."""

    hu: Tensor
    patches: Tensor
    slices: Tensor
    located: Tensor

    def to(self, device: torch.device) -> "SliceBatch":
        """The batch on that device, as floats."""
        hu, patches, slices = (
            part.to(device, non_blocking=True).float() for part in (self.hu, self.patches, self.slices)
        )
        return SliceBatch(hu, patches / 255.0, slices / 255.0, self.located.to(device, non_blocking=True))


class SliceBank:
    """The slices of some shards by one running number; holds their targets in memory, not their voxels."""

    def __init__(self, shards: Sequence[Shard]) -> None:
        self.records = [shard.records() for shard in shards]
        self.starts = np.cumsum([0, *(len(records) for records in self.records)])
        studies = [study for shard in shards for study in shard.studies()]
        lengths = [study.end - study.first for study in studies]
        self.study = np.repeat(np.arange(len(studies)), lengths)
        self.located = np.repeat(np.array([study.facts.located_known() for study in studies]), lengths, axis=0)
        self.slices = np.concatenate([records["slices"] for records in self.records])
        self.z_mm = np.concatenate([records["z_mm"] for records in self.records])

    def __len__(self) -> int:
        return int(self.starts[-1])

    def gather(self, chosen: Indices, name: str) -> Tensor:
        """Field `name` of the chosen slices, as stored."""
        shards = np.searchsorted(self.starts, chosen, side="right") - 1
        rows = [self.records[s][name][i - self.starts[s]] for s, i in zip(shards, chosen, strict=True)]
        return torch.from_numpy(np.stack(rows))

    def batch(self, chosen: Indices) -> SliceBatch:
        """The chosen slices with their targets, as stored."""
        return SliceBatch(
            self.gather(chosen, "hu"),
            self.gather(chosen, "patches"),
            torch.from_numpy(self.slices[chosen]),
            torch.from_numpy(self.located[chosen]),
        )


class FindingSampler:
    """Draws half of a batch by finding, so that the rare ones are seen as often as the common.

    `drawn` gives how often a finding is drawn relative to the others, 1 where it is not named: what is hard to see
    takes more practice.
    """

    def __init__(self, bank: SliceBank, drawn: Mapping[Finding, float] | None = None) -> None:
        self.count = len(bank)
        shown = {f: np.flatnonzero(column > 127) for f, column in zip(FINDINGS, bank.slices.T, strict=True)}
        self.by_finding = [slices for slices in shown.values() if len(slices)]
        weights = [(drawn or {}).get(finding, 1.0) for finding, slices in shown.items() if len(slices)]
        self.share = np.array(weights) / max(sum(weights), 1e-9)

    def draw(self, batch: int, rng: np.random.Generator) -> Indices:
        """Numbers of the slices of a batch."""
        by_finding = batch // 2 if self.by_finding else 0
        findings = rng.choice(len(self.share), size=by_finding, p=self.share) if by_finding else ()
        drawn = [int(rng.choice(self.by_finding[f])) for f in findings]
        return np.concatenate([np.array(drawn, np.intp), rng.integers(self.count, size=batch - len(drawn))])
