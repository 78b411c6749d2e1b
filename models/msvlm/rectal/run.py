"""A training run on several series: what its stages depend on, and where its studies lie."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.msvlm.distributed import lead_first
from models.msvlm.rectal.archive import StagedArchive
from models.msvlm.rectal.network import SeriesNetwork, new_series_network
from models.msvlm.rectal.phantoms import studies_of
from models.msvlm.rectal.preset import SeriesPreset
from models.msvlm.stage_results import StageResults

ENCODER_SIZES = {
    *("pixel_mm", "field_px", "front_channels", "encoder_width", "encoder_heads", "encoder_blocks"),
}
READER_SIZES = {"reader_width", "reader_heads", "reader_blocks", "zone_queries", "visual_width"}
DECODER_SIZES = {"decoder_heads", "decoder_blocks", "max_words"}
NOT_CONTENT = {"checkpoint_every"}


@dataclass(frozen=True)
class SeriesRun(StageResults):
    """A preset, the cache in which it is trained, the folder for its bundle, and the archive that it learns from too.

    What is learned from phantoms alone is the same with an archive and without, and is kept once.
    """

    preset: SeriesPreset
    cache: Path
    out: Path
    archive: StagedArchive | None = None

    @property
    def name(self) -> str:
        """Name of the bundle: what has learned from an archive is another model."""
        return f"{self.preset.name}-archive" if self.archive else self.preset.name

    @property
    def model(self) -> Path:
        """The finished network."""
        return self.folder / ("model-archive.pt" if self.archive else "model.pt")

    @property
    def bundle(self) -> Path:
        """The folder of the bundle."""
        return self.out / f"{self.name}-{self.preset.version}"

    def new_network(self) -> SeriesNetwork:
        """The untrained network."""
        return new_series_network(self.preset)

    def studies(self, split: str) -> list[Path]:
        """Files of the studies of a split; the leading process makes what is missing."""
        return lead_first(lambda: studies_of(self.preset, split, self.cache))

    def stage_settings(self) -> dict[str, dict[str, Any]]:
        """What each stage depends on beside the stages before it, in their order."""
        preset, data = self.preset, self.preset.data.model_dump(mode="json")

        def section(name: str) -> dict[str, Any]:
            settings: dict[str, Any] = getattr(preset, name).model_dump(mode="json", exclude=NOT_CONTENT)
            return settings

        def sizes(names: set[str]) -> dict[str, Any]:
            return preset.network.model_dump(mode="json", include=names)

        fine = {name: data[name] for name in ("fineness", "voxel_mm")}
        seen = {name: value for name, value in data.items() if name.startswith("encoder")}
        read = {name: value for name, value in data.items() if name.startswith(("reader", "validation"))}
        archive = {"archive": self.archive.content()} if self.archive else {}
        return {
            "encoder": {"seed": preset.seed, **fine, **seen, **sizes(ENCODER_SIZES), "encoder": section("encoder")},
            "tokens": read,
            "items": {**sizes(READER_SIZES), "items": section("items"), **archive},
            "decoder": {**sizes(DECODER_SIZES), "decoder": section("decoder")},
        }
