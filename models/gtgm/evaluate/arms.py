"""The arms of the comparison: ways in which the encoder starts, and the pretraining that each needs."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from models.gtgm.evaluate.budget import Budget
from models.gtgm.evaluate.code import PRETRAINING, digest_of
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
SMALLEST_CROP = 32
"""Crops of fewer voxels along a side show too little for a text about the whole."""


@dataclass(frozen=True)
class Pretraining:
    """The pretraining of every arm, and where prepared volumes and encoders are kept."""

    budget: Budget
    cache: Path

    def run_of(self, arm: str, data: EvaluationSet) -> PretrainingRun | None:
        """The pretraining of an arm on a data set; None for random initialisation. Sets on one grid share theirs."""
        settings = ARMS[arm]
        if settings is None:
            return None
        preset = self.preset_for(data, settings)
        facts = (preset.model_dump_json(), repr(data.unlabelled), digest_of((*PRETRAINING, *data.code)))
        name = f"{preset.name}-{hashlib.sha256(repr(facts).encode()).hexdigest()[:10]}"
        return PretrainingRun(preset.model_copy(update={"name": name}), self.cache / "volumes", self.cache / "encoders")

    def preset_for(self, data: EvaluationSet, settings: Mapping[str, str]) -> GtgmPreset:
        """The preset on the grid and the crops of a data set, in one process."""
        given = load_gtgm_preset(self.budget.preset)
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
            "training": {**given.training.model_dump(), **self.budget.pretraining.model_dump()},
        }
        return GtgmPreset.model_validate({**given.model_dump(), **changes})


def state_of(encoder: Path | None) -> Mapping[str, Tensor] | None:
    """The weights of an encoder file."""
    return None if encoder is None else load_encoder(encoder)[1]
