"""A preset that reads several series of a study: a folder with one YAML file per stage, as `models.msvlm.preset`."""

from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, Field

from models.msvlm.preset import EncoderStage, StageSettings
from models.msvlm.rectal.items import SCALES
from models.msvlm.rectal.structures import STRUCTURES

PRESETS = Path(__file__).parent / "presets"
POOLS = 3
"""Of a structure's patch logits: the strongest, the mean of the eight strongest, the log of its area."""
PLACES = 2
"""Row and column at which a structure's patches are strongest."""
CONTACTS = 2
"""Of where tumour and another structure meet: the strongest patch, the mean of the eight strongest."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class SeriesShape(_Frozen):
    """Sizes of the three graphs. Lengths in mm."""

    pixel_mm: float
    field_px: tuple[int, int]
    """Rows and columns of the field about the middle of each image."""
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
    def structures(self) -> int:
        """S, the number of structures that patches are told to show."""
        return len(STRUCTURES)

    @property
    def patch_stride_px(self) -> int:
        """Field pixels along the side of a patch."""
        return int(2 ** len(self.front_channels))

    @property
    def patch_grid(self) -> tuple[int, int]:
        """Rows and columns of patches on the field."""
        return self.field_px[0] // self.patch_stride_px, self.field_px[1] // self.patch_stride_px

    @property
    def patch_mm(self) -> float:
        """Side of a patch."""
        return self.patch_stride_px * self.pixel_mm

    @property
    def half_field_mm(self) -> tuple[float, float]:
        """From the middle of the field to its edge, down and to the right."""
        return 0.5 * self.field_px[0] * self.pixel_mm, 0.5 * self.field_px[1] * self.pixel_mm

    @property
    def per_structure(self) -> int:
        """Numbers of a structure in a token: pools, place, and where the tumour meets it."""
        return POOLS + PLACES + CONTACTS

    @property
    def token_width(self) -> int:
        """d: [CLS], then the numbers of each structure."""
        return self.encoder_width + self.structures * self.per_structure

    @property
    def visual_tokens(self) -> int:
        """Q: one per item and the zone queries."""
        return len(SCALES) + self.zone_queries


class PhantomAmounts(_Frozen):
    """How many pelvic phantoms each split has, and how finely they are made."""

    fineness: float = Field(gt=0, le=1)
    """Below 1: coarser pixels."""
    voxel_mm: float = Field(gt=0)
    encoder_studies: int = Field(gt=0)
    encoder_slices: int = Field(gt=0)
    """Slices of each study that the slice encoder sees."""
    reader_studies: int = Field(gt=0)
    validation_studies: int = Field(gt=0)
    test_studies: int = Field(gt=0)


class ItemsStage(StageSettings):
    """The reader learns the items."""

    series_dropout: float = Field(ge=0, lt=1)
    """How often each series of a study is left out of a step; never all of them."""
    slice_dropout: float = Field(default=0.1, ge=0, lt=1)
    """The same of each slice."""
    noise: float = Field(default=0.1, ge=0)
    """Spread of what is added to tokens, in standard deviations of their numbers."""
    checkpoint_every: int = 100


class SentencesStage(StageSettings):
    """The decoder learns the sentences."""

    checkpoint_every: int = 200


class SeriesPreset(_Frozen):
    """Everything a training run needs to be repeated: name and version of the bundle, seed, sizes, amounts."""

    name: str
    version: str
    seed: int
    processes: int
    """Processes that train the slice encoder and make phantoms on a CPU."""
    network: SeriesShape
    data: PhantomAmounts
    encoder: EncoderStage
    items: ItemsStage
    decoder: SentencesStage


def preset_folder(name: str) -> Path | None:
    """The folder of a preset that reads several series, by its name or path; None where there is none.

    It is told from others by its `items.yaml`.
    """
    return next((folder for folder in (PRESETS / name, Path(name)) if (folder / "items.yaml").is_file()), None)


def load_series_preset(folder: Path) -> SeriesPreset:
    """The preset in a folder. Raises ValidationError for a wrong field."""
    sections = {path.stem: yaml.safe_load(path.read_text()) for path in folder.glob("*.yaml")}
    return SeriesPreset.model_validate(sections.pop("bundle") | sections)
