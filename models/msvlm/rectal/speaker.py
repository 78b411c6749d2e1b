"""What a bundle says of studies: items, evidence and sentences, each made by the code that the agent runs."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.msvlm.rectal.items import SCALES
from models.msvlm.rectal.runtime import SeriesRuntime
from models.msvlm.rectal.studies import SeriesStudy, pad
from models.phantoms.pelvis import Item
from pacs_agent.inference.evidence import shares
from pacs_agent.inference.reading import MeasuredDistance, Presence, Sentence
from pacs_agent.inference.sessions import Graph
from pacs_agent.inference.staging.describe import SaidItem, said_items
from pacs_agent.inference.staging.manifest import ItemEntry, StagingManifest
from pacs_agent.inference.staging.read import read_staging
from pacs_agent.inference.staging.report import decoded, write_staging
from pacs_agent.inference.staging.words import Words

Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Said:
    """What is said of one study of L slices with I items in all."""

    items: tuple[SaidItem, ...]
    """Those of which something is said."""
    weights: Floats
    """Of each slice for each item, as the evidence shows them [I, L]."""
    visual_tokens: Floats
    spoken: tuple[str | None, ...]
    """The decoder's own words on each of `items`; None where it comes to no end."""
    sentences: tuple[Sentence, ...]
    """What the report says on each of them."""
    impression: tuple[Sentence, ...]
    margin_mm: float | None
    """Measured distance of tumour and fascia, where the report may tell it."""

    @property
    def level(self) -> dict[str, int]:
        """The level of each item of which something is said, by its key."""
        return {one.entry.key: one.level for one in self.items}

    @property
    def stated(self) -> frozenset[int]:
        """Places of the items for which slices are named: those that are not said to be absent."""
        return frozenset(one.number for one in self.items if one.presence is not Presence.ABSENT)


class Speaker:
    """A bundle's reader and decoder, speaking as in the agent."""

    def __init__(self, runtime: SeriesRuntime, folder: Path) -> None:
        self.manifest = runtime.manifest
        self._reader = Graph("staging_reader", runtime.reader)
        self._decoder = Graph("report_decoder", runtime.decoder)
        self._words = Words.model_validate_json((folder / self.manifest.tokenizer.file).read_bytes())

    def say(self, study: SeriesStudy) -> Said:
        """What is said of a study from all its series. Raises ModelFailed."""
        manifest = self.manifest
        inputs = {name: value.numpy() for name, value in pad([study]).inputs._asdict().items()}
        steps = sum(len(entry.steps) for entry in manifest.items)
        outputs = read_staging(self._reader, inputs, steps, len(SCALES))
        measured = _distances(manifest, study.measured_mm)
        items = said_items(manifest, outputs.step_logits.tolist(), measured)
        told = {one.entry.key for one in items}
        distances = tuple(one for one in measured if one.finding in told)
        visual = outputs.visual_tokens
        report = write_staging(items, manifest, self._words, self._decoder, visual, distances)
        return Said(
            items=items,
            weights=shares(outputs.slice_attention),
            visual_tokens=visual,
            spoken=tuple(self.words_after([one.entry.prompts[one.level] for one in items], visual)),
            sentences=report.sentences,
            impression=report.impression,
            margin_mm=distances[0].value_mm if distances else None,
        )

    def words_after(self, prompts: Sequence[str], visual_tokens: Floats) -> list[str | None]:
        """The decoder's own words after each prompt, before anything is checked."""
        return decoded(self._words, self._decoder, prompts, visual_tokens, self.manifest.max_words)


def item_of(entry: ItemEntry) -> Item:
    """An item of the manifest as training calls it."""
    return Item(entry.prompt_key or entry.key)


def _distances(manifest: StagingManifest, measured_mm: float) -> tuple[MeasuredDistance, ...]:
    """The margin as the agent measures it; a phantom's tokens lie in no DICOM series."""
    entry = manifest.margin
    if entry is None or not np.isfinite(measured_mm):
        return ()
    ends = (0.0, 0.0, 0.0), (measured_mm, 0.0, 0.0)
    return (
        MeasuredDistance(
            finding=entry.item,
            name=entry.name,
            type=entry.code,
            value_mm=measured_mm,
            ends_mm=ends,
            series_instance_uid="",
            frame_of_reference_uid="",
        ),
    )
