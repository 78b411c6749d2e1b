"""A pretraining preset: one YAML file with encoder, text tower, losses, views, volumes and the training itself."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field

from models.gtgm.networks import EncoderShape
from models.gtgm.volume import Modality
from models.msvlm.preset import StageSettings

PRESETS = Path(__file__).parents[1] / "presets"
Triple = tuple[float, float, float]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class TextShape(_Frozen):
    """The text tower: words with a small transformer, or the frozen sentence encoder, which has no sizes to choose."""

    kind: Literal["words", "sentence_encoder"] = "words"
    channels: int = 96
    heads: int = 4
    layers: int = 2


class QueueSettings(_Frozen):
    """Embeddings of earlier batches as negatives; size 0 for none."""

    size: int = Field(default=128, ge=0)
    warm_up_steps: int = Field(default=50, ge=0)


class ViewSettings(_Frozen):
    """The two crops of a volume, on a grid of its modality's spacing."""

    spacing_mm: dict[Modality, Triple]
    """Along z, y, x."""
    crop_voxels: tuple[int, int, int]
    """Each a multiple of the encoder's last stride."""
    overlap: float = Field(default=0.3, ge=0.0, lt=1.0)
    """Least share of a crop that the other one shows too, before they are turned and scaled."""
    turn_deg: float = Field(default=10.0, ge=0.0, le=45.0)
    scale: float = Field(default=0.1, ge=0.0, lt=0.5)
    """Largest change of size, up or down."""


class VolumeFolder(_Frozen):
    """Volumes of a folder (NIfTI files; DICOM files of any layout) or of one array file (`raw` of an npz)."""

    kind: Literal["nifti", "dicom", "em"]
    path: Path
    modality: Modality
    sequence: str = ""


class VolumeData(_Frozen):
    """The volumes to learn from: phantoms by seed, and folders."""

    phantoms: int = Field(default=0, ge=0)
    first_seed: int = 5_000_000
    """Seed of the first phantom; fine-tuning and its tests draw theirs from below."""
    folders: tuple[VolumeFolder, ...] = ()
    held_out: int = Field(default=0, ge=0)
    """The last so many volumes are not learned from: text must find its volume among them."""


class GtgmPreset(_Frozen):
    """Everything that a pretraining needs to be repeated."""

    name: str
    seed: int
    processes: int = Field(default=1, gt=0)
    """Processes on a CPU, for training and for preparing volumes; `torchrun` has its own number."""
    workers: int = Field(default=0, ge=0)
    """Processes that cut the views, for each training process."""
    checkpoint_every: int = Field(default=100, gt=0)
    loss: Literal["both", "contrastive", "correlation"] = "both"
    captions: Literal["facts", "file_name"] = "facts"
    """Captions by file name are the flaw of the published code, for the comparison that shows what it costs."""
    embedding_width: int = 128
    encoder: EncoderShape
    text: TextShape = TextShape()
    queue: QueueSettings = QueueSettings()
    views: ViewSettings
    data: VolumeData
    training: StageSettings


@dataclass(frozen=True)
class UnknownGtgmPreset(Exception):
    """No preset of that name."""

    name: str

    def __str__(self) -> str:
        known = ", ".join(sorted(path.stem for path in PRESETS.glob("*.yaml")))
        return f"no preset {self.name!r}; choose one of: {known}, or give a YAML file"


def load_gtgm_preset(name: str) -> GtgmPreset:
    """The preset of that name, or of that YAML file. Raises UnknownGtgmPreset, ValidationError for a wrong field."""
    path = PRESETS / f"{name}.yaml" if (PRESETS / f"{name}.yaml").is_file() else Path(name)
    if not path.is_file():
        raise UnknownGtgmPreset(name)
    return GtgmPreset.model_validate(yaml.safe_load(path.read_text()))
