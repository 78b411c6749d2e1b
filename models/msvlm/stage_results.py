"""What the stages of a training run keep on disk, and what each of them depends on."""

import hashlib
import json
import shutil
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import nn

from models.msvlm.whole_file import save_whole


class Parted(Protocol):
    """A network of parts that stages train."""

    def parts(self) -> dict[str, nn.Module]:
        """The trainable parts by name."""


@dataclass(frozen=True)
class StageResults(ABC):
    """A preset, the cache in which it is trained, and the folder for its bundle."""

    preset: Any
    cache: Path
    out: Path

    @abstractmethod
    def new_network(self) -> Any:
        """The untrained network."""

    @abstractmethod
    def stage_settings(self) -> dict[str, dict[str, Any]]:
        """What each stage depends on beside the stages before it, in their order."""

    @property
    def folder(self) -> Path:
        """Checkpoints, curves and results of this preset's stages."""
        return self.cache / str(self.preset.name)

    @property
    def model(self) -> Path:
        """The finished network."""
        return self.folder / "model.pt"

    def file(self, stage: str) -> Path:
        """The result of a stage under the present settings."""
        return self.folder / f"{stage}-{self.digest(stage)}.pt"

    def digest(self, stage: str) -> str:
        """Short digest of the settings of this stage and of those before it."""
        settings = self.stage_settings()
        until = list(settings)[: list(settings).index(stage) + 1]
        text = json.dumps([settings[name] for name in until], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def save(self, stage: str, network: Parted, parts: Sequence[str]) -> None:
        """Keeps the parts that a stage trained; a cut run leaves no half."""
        save_whole({name: network.parts()[name].state_dict() for name in parts}, self.file(stage))

    def load(self, stage: str, network: Parted) -> None:
        """Puts what a stage trained into the network."""
        for name, state in torch.load(self.file(stage), weights_only=True, map_location="cpu").items():
            network.parts()[name].load_state_dict(state)

    def stage_folder(self, stage: str) -> Path:
        """Checkpoint and curves of a stage under the present settings: no other settings go on from them."""
        return self.file(stage).with_suffix("")

    def forget(self, stage: str) -> None:
        """Removes the results, the checkpoints and the curves of a stage."""
        for path in self.folder.glob(f"{stage}-*.pt"):
            path.unlink()
        for folder in self.folder.glob(f"{stage}-*/"):
            shutil.rmtree(folder)
