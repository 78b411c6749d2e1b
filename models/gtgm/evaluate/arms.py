"""The arms of the comparison: ways in which the encoder starts, and the pretraining that each needs."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from models.gtgm.evaluate.sets import EvaluationSet
from models.gtgm.networks import load_encoder
from models.gtgm.pretrain.preset import GtgmPreset, load_gtgm_preset
from models.gtgm.pretrain.training import PretrainingRun

GTGM, RANDOM = "GTGM", "random initialisation"
ARMS: dict[str, dict[str, str] | None] = {
    RANDOM: None,
    GTGM: {"loss": "both", "captions": "facts"},
    "contrastive term alone": {"loss": "contrastive", "captions": "facts"},
    "negative-free term alone": {"loss": "correlation", "captions": "facts"},
    "file names as captions": {"loss": "both", "captions": "file_name"},
}
"""Each arm with its settings of the pretraining; None for none."""


@dataclass(frozen=True)
class Pretraining:
    """How every arm is pretrained: the preset, its steps and batch, and where encoders are kept."""

    preset: str
    steps: int
    batch: int
    cache: Path

    def encoder_of(self, arm: str, data: EvaluationSet) -> Path | None:
        """The encoder file of an arm on a data set, pretrained unless it is there; None for random initialisation."""
        settings = ARMS[arm]
        if settings is None:
            return None
        preset = self.preset_for(data, settings)
        name = f"{preset.name}-{_digest(preset.model_dump_json() + repr(data.unlabelled))}"
        run = PretrainingRun(preset.model_copy(update={"name": name}), self.cache / "volumes", self.cache / "encoders")
        return run.encoder if run.encoder.is_file() else run.pretrain(data.unlabelled)

    def preset_for(self, data: EvaluationSet, settings: Mapping[str, str]) -> GtgmPreset:
        """The preset on the grid and the crops of a data set, in one process."""
        given = load_gtgm_preset(self.preset)
        crop = data.patch if min(data.patch) >= SMALLEST_CROP else given.views.crop_voxels
        changes: dict[str, Any] = {
            **settings,
            "processes": 1,
            "views": {
                **given.views.model_dump(),
                "spacing_mm": {data.modality: data.spacing_mm},
                "crop_voxels": crop,
            },
            "data": {},
            "training": {**given.training.model_dump(), "steps": self.steps, "batch": self.batch},
        }
        return GtgmPreset.model_validate({**given.model_dump(), **changes})


SMALLEST_CROP = 32
"""Crops of fewer voxels along a side show too little for a text about the whole."""


def state_of(encoder: Path | None) -> Mapping[str, Tensor] | None:
    """The weights of an encoder file."""
    return None if encoder is None else load_encoder(encoder)[1]


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:10]
