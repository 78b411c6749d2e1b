"""A training run on disk: where its stages, curves and rendered studies lie, and what each depends on."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from models.datasets.archives import Archives
from models.datasets.cache import Shard, StudySource, render
from models.datasets.implants import implants
from models.datasets.phantoms import PhantomSource
from models.datasets.some_slices import SomeSlices
from models.msvlm.distributed import lead_first, rank
from models.msvlm.network import Network, new_network
from models.msvlm.preset import Preset
from models.msvlm.stage_results import StageResults

ENCODER_SIZES = {
    *("encoder", "windows_hu", "pixel_mm", "field_px", "front_channels", "patch_px"),
    *("encoder_width", "encoder_heads", "encoder_blocks", "patch_pools"),
}
DECODER_SIZES = {"decoder_heads", "decoder_blocks", "max_words"}
IMPLANT_SEEDS = {"encoder": 0, "reader": 100_000, "validation": 200_000}
"""First seed of the implanted studies of a split; all are of patients that are not held out."""
REPORTED = ("reader", "validation")
"""Splits whose studies need no masks, so that those of archives with reports can join them."""
NOT_CONTENT = {"checkpoint_every"}
"""Settings that change nothing in the result."""


@dataclass(frozen=True)
class Run(StageResults):
    """A preset, the cache in which it is trained, and the folder for its bundle."""

    preset: Preset
    cache: Path
    out: Path

    def new_network(self) -> Network:
        """The untrained network."""
        return new_network(self.preset)

    def stage_settings(self) -> dict[str, dict[str, Any]]:
        """What each stage depends on beside the stages before it, in their order."""
        return stage_settings(self.preset)

    def sources(self, split: str) -> list[StudySource]:
        """The studies of a split: phantoms, implants where the real CTs are, and archives that have reports."""
        data = self.preset.data
        sources: list[StudySource] = [PhantomSource.of_split(data, split)]
        count = getattr(data, f"{split}_implants", 0)
        if data.implanted and count:
            implanted = implants("train", count, IMPLANT_SEEDS[split])
            whole = replace(implanted, patches=False)
            sources.append(SomeSlices(implanted, data.encoder_slices) if split == "encoder" else whole)
        if self.archives and split in REPORTED:
            sources += self.archives.sources(split)
        return sources

    @cached_property
    def archives(self) -> Archives | None:
        """The archives of the preset; looked through once, which takes its time on a hospital's."""
        return Archives.load(self.preset.data.archives) if self.preset.data.archives else None

    def unlabelled(self) -> list[StudySource]:
        """Studies of the archives for the slice encoder, which learns from them without labels."""
        sources = self.archives.sources("encoder") if self.archives else []
        return [SomeSlices(source, self.preset.data.encoder_slices) for source in sources]

    def shards(self, split: str) -> list[Shard]:
        """The rendered studies of a split; the leading process renders what is missing."""
        return lead_first(lambda: self._rendered(split, self.sources(split)))

    def unlabelled_shards(self) -> list[Shard]:
        """All that the slice encoder sees without labels: its own split, and the archives' part of it."""
        return self.shards("encoder") + lead_first(lambda: self._rendered("unlabelled", self.unlabelled()))

    def _rendered(self, split: str, sources: Sequence[StudySource]) -> list[Shard]:
        shape, processes = self.preset.network, self.preset.processes
        shards = [shard for source in sources for shard in render(source, shape, self.cache, processes)]
        if rank() == 0 and shards:
            self._note_sources(split, shards)
        return shards

    def _note_sources(self, split: str, shards: Sequence[Shard]) -> None:
        """Keeps in `sources.json` where the studies of a split come from, how many, and with how many slices."""
        counts: dict[str, dict[str, int]] = {}
        for study in (study for shard in shards for study in shard.studies()):
            count = counts.setdefault(study.facts.source, {"studies": 0, "slices": 0})
            count["studies"] += 1
            count["slices"] += study.end - study.first
        path = self.folder / "sources.json"
        noted = json.loads(path.read_text()) if path.is_file() else {}
        self.folder.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({**noted, split: counts}, indent=2))


def stage_settings(preset: Preset) -> dict[str, dict[str, Any]]:
    """What each stage depends on beside the stages before it, in their order."""

    def section(name: str) -> dict[str, Any]:
        settings: dict[str, Any] = getattr(preset, name).model_dump(mode="json", exclude=NOT_CONTENT)
        return settings

    def sizes(names: set[str]) -> dict[str, Any]:
        return preset.network.model_dump(mode="json", include=names)

    reader_sizes = preset.network.model_fields_set - ENCODER_SIZES - DECODER_SIZES
    data = section("data")
    of_encoder = {name: value for name, value in data.items() if name.startswith("encoder") or name == "phantom_px"}
    archives = {"archives": preset.data.archives.read_text()} if preset.data.archives else {}
    return {
        "selfsup": {
            "seed": preset.seed,
            "data": of_encoder,
            **sizes(ENCODER_SIZES),
            "selfsup": section("selfsup"),
            **({"weights": str(preset.encoder.weights)} if preset.encoder.weights else {}),
            **archives,
        },
        "encoder": {"implanted": preset.data.implanted, "encoder": section("encoder")},
        "tokens": {name: value for name, value in data.items() if name.startswith(("reader", "validation"))},
        "masked": {**sizes(reader_sizes), "masked": section("masked")},
        "findings": {"findings": section("findings")},
        "amounts": {},
        "decoder": {**sizes(DECODER_SIZES), "decoder": section("decoder")},
    }
