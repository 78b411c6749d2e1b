"""A training preset: the sizes of the network and the amounts of training, read from one YAML file."""

from dataclasses import dataclass
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict

from models.phantoms.findings import FINDINGS

PRESETS = Path(__file__).parent / "presets"


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class NetworkShape(_Frozen):
    """Sizes of the three graphs. Lengths in mm, windows in HU."""

    windows_hu: tuple[tuple[float, float], ...]
    pixel_mm: float
    field_px: tuple[int, int]
    """Rows and columns of the field."""
    front_channels: tuple[int, ...]
    encoder_width: int
    encoder_heads: int
    encoder_blocks: int
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
    def patch_grid(self) -> tuple[int, int]:
        """Rows and columns of patches on the field, at the stride of the convolutional front."""
        stride = 2 ** len(self.front_channels)
        return self.field_px[0] // stride, self.field_px[1] // stride

    @property
    def token_width(self) -> int:
        """d: [CLS], and per finding nine pooled patch logits and where its strongest patches lie (row, column)."""
        return self.encoder_width + 11 * self.findings

    @property
    def visual_tokens(self) -> int:
        """Q: one per finding and the zone queries."""
        return self.findings + self.zone_queries


class Amounts(_Frozen):
    """How much of what: phantoms per split, steps and rates per stage."""

    phantom_px: int
    encoder_phantoms: int
    encoder_slices: int
    reader_phantoms: int
    validation_phantoms: int
    test_phantoms: int
    encoder_steps: int
    encoder_batch: int
    encoder_rate: float
    masked_steps: int
    reader_steps: int
    reader_batch: int
    reader_rate: float
    decoder_steps: int
    decoder_batch: int
    decoder_rate: float


class Preset(_Frozen):
    """Everything a training run needs to be repeated: name and version of the bundle, seed, sizes, amounts."""

    name: str
    version: str
    seed: int
    processes: int
    network: NetworkShape
    amounts: Amounts


@dataclass(frozen=True)
class UnknownPreset(Exception):
    """No preset of that name."""

    name: str

    def __str__(self) -> str:
        known = ", ".join(sorted(path.stem for path in PRESETS.glob("*.yaml")))
        return f"no preset {self.name!r}; choose one of: {known}, or give the path of a YAML file"


def load_preset(name: str) -> Preset:
    """The preset of that name or YAML path. Raises UnknownPreset, and ValidationError for a wrong field."""
    path = Path(name) if name.endswith(".yaml") else PRESETS / f"{name}.yaml"
    if not path.is_file():
        raise UnknownPreset(name)
    return Preset.model_validate(yaml.safe_load(path.read_text()))
