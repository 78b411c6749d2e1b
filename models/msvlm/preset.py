"""A training preset: a folder with one YAML file per stage, and one each for bundle, network and data."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field

from models.phantoms.findings import FINDINGS, Finding

PRESETS = Path(__file__).parent / "presets"
REGION_POOLS = 5
"""Of a region's patch logits: max, top-8 mean, log mean, log of the area that shows the finding, number of peaks."""
POOLS = 3 * REGION_POOLS
"""Pooled patch logits per finding: of the field, of its image-left and of its image-right half."""
PLACES = 2
"""Row and column at which a finding's patches are strongest."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class NetworkShape(_Frozen):
    """Sizes of the three graphs. Lengths in mm, windows in HU."""

    encoder: Literal["convolutional", "vit"] = "convolutional"
    """A convolutional front with a small transformer, or a plain vision transformer as published."""
    windows_hu: tuple[tuple[float, float], ...]
    pixel_mm: float
    field_px: tuple[int, int]
    """Rows and columns of the field."""
    front_channels: tuple[int, ...] = ()
    patch_px: int = 16
    """Side of a patch of the vision transformer; the convolutional encoder's follows from its front."""
    encoder_width: int
    encoder_heads: int
    encoder_blocks: int
    patch_pools: bool = True
    """Whether a token holds the pooled patch logits beside [CLS]."""
    reader_width: int
    reader_heads: int
    reader_blocks: int
    zone_queries: int
    visual_width: int
    decoder_heads: int
    decoder_blocks: int
    max_words: int

    @property
    def findings(self) -> int:
        """F, the number of findings."""
        return len(FINDINGS)

    @property
    def patch_stride_px(self) -> int:
        """Field pixels along the side of a patch."""
        return self.patch_px if self.encoder == "vit" else int(2 ** len(self.front_channels))

    @property
    def patch_grid(self) -> tuple[int, int]:
        """Rows and columns of patches on the field."""
        return self.field_px[0] // self.patch_stride_px, self.field_px[1] // self.patch_stride_px

    @property
    def token_width(self) -> int:
        """d: [CLS], and per finding its pooled patch logits and where its strongest patches lie (row, column)."""
        return self.encoder_width + (POOLS + PLACES) * self.findings * self.patch_pools

    @property
    def visual_tokens(self) -> int:
        """Q: one per finding and the zone queries."""
        return self.findings + self.zone_queries


class DataSettings(_Frozen):
    """How many phantoms and implanted studies each split has."""

    phantom_px: int
    encoder_phantoms: int
    encoder_slices: int
    """Slices of each study that the slice encoder sees."""
    reader_phantoms: int
    validation_phantoms: int
    test_phantoms: int
    implanted: bool = False
    """Whether lesions implanted into real CTs are used where the real CTs are present."""
    archives: Path | None = None
    """File that names the archives to train on beside the phantoms; see `models.datasets.archives`."""
    encoder_implants: int = 0
    reader_implants: int = 0
    validation_implants: int = 0


class StageSettings(_Frozen):
    """How long and how fast a stage trains."""

    steps: int = Field(ge=0)
    batch: int = Field(gt=0)
    rate: float = Field(gt=0)


class SelfSupervision(StageSettings):
    """Stage 0: the slice encoder without labels."""

    method: Literal["none", "dino", "lejepa"]
    isolated: bool = False
    """Views of the same slice only, instead of neighbouring slices of the study (ablation)."""


class EncoderStage(StageSettings):
    """Stage 1: the slice encoder on masks."""

    checkpoint_every: int = 200
    """Steps between checkpoints from which a cut run goes on."""
    weights: Path | None = None
    """Checkpoint to start from (vision transformer): a state dict with DINO's or timm's names."""
    drawn: dict[Finding, float] = {}
    """How often slices of a finding are drawn relative to those of the others, 1 where it is not named."""


class MaskedStage(StageSettings):
    """Stage 2: masked embedding modelling."""

    share: float = 0.3
    """Share of the slices of a study that are hidden."""


class FindingsStage(StageSettings):
    """Stage 3: finding classification."""


class DecoderStage(StageSettings):
    """Stage 4: bridge and decoder."""

    kind: Literal["scratch", "language_model"] = "scratch"
    base: str = "random:qwen3"
    """Folder of a Hugging Face causal language model, or "random:" and a model type for an untrained tiny one."""
    lora_rank: int = Field(default=8, gt=0)


class Preset(_Frozen):
    """Everything a training run needs to be repeated: name and version of the bundle, seed, sizes, amounts."""

    name: str
    version: str
    seed: int
    processes: int
    """Processes that train the slice encoder and render phantoms on a CPU."""
    network: NetworkShape
    data: DataSettings
    selfsup: SelfSupervision
    encoder: EncoderStage
    masked: MaskedStage
    findings: FindingsStage
    decoder: DecoderStage


@dataclass(frozen=True)
class UnknownPreset(Exception):
    """No preset of that name."""

    name: str

    def __str__(self) -> str:
        known = ", ".join(sorted(path.name for path in PRESETS.iterdir() if path.is_dir()))
        return f"no preset {self.name!r}; choose one of: {known}, or give a folder with one YAML file per stage"


def load_preset(name: str) -> Preset:
    """The preset of that name, or of that folder.

    Raises UnknownPreset, and ValidationError for a wrong field.
    """
    folder = PRESETS / name if (PRESETS / name).is_dir() else Path(name)
    if not (folder / "bundle.yaml").is_file():
        raise UnknownPreset(name)
    sections = {path.stem: yaml.safe_load(path.read_text()) for path in folder.glob("*.yaml")}
    return Preset.model_validate(sections.pop("bundle") | sections)
