"""What a thorax segmenter is trained on and how: one YAML file."""

from dataclasses import dataclass
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, Field

from models.gtgm.finetune.fit import FitSettings
from models.gtgm.networks import EncoderShape

PRESETS = Path(__file__).with_name("presets")


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ThoraxData(_Frozen):
    """How many volumes are generated, on backgrounds that are generated or real."""

    phantoms: int = Field(gt=0)
    implanted: int = Field(default=0, ge=0)
    """Real scans with lesions implanted, where the scans are there."""
    validation: int = Field(default=0, ge=0)
    """Phantoms kept aside, by which the result is judged."""


class SegmenterPreset(_Frozen):
    """Everything that a thorax segmenter needs to be trained again."""

    name: str
    version: str
    spacing_mm: tuple[float, float, float]
    overlap: float = 0.5
    encoder: EncoderShape
    data: ThoraxData
    training: FitSettings
    refining: FitSettings | None = None
    """A second training that starts from what the first one takes for lesions that are none."""

    @property
    def steps(self) -> int:
        """Of all trainings."""
        return self.training.steps + (self.refining.steps if self.refining else 0)


@dataclass(frozen=True)
class UnknownSegmenterPreset(Exception):
    """No preset of that name."""

    name: str

    def __str__(self) -> str:
        known = ", ".join(sorted(path.stem for path in PRESETS.glob("*.yaml")))
        return f"no preset {self.name!r}; choose one of: {known}, or give a YAML file"


def load_segmenter_preset(name: str) -> SegmenterPreset:
    """The preset of that name, or of that YAML file. Raises UnknownSegmenterPreset, ValidationError."""
    path = PRESETS / f"{name}.yaml" if (PRESETS / f"{name}.yaml").is_file() else Path(name)
    if not path.is_file():
        raise UnknownSegmenterPreset(name)
    return SegmenterPreset.model_validate(yaml.safe_load(path.read_text()))
