"""Do the slices that are given as evidence show what an item rests on? The agent's weights against the true slices.

An item rests on a structure: the tumour itself, nodes, a vein; where that is anatomy which everybody has (the fascia),
only slices count that show it together with the tumour. Judged are studies in which some slice does. Beside each figure
stand its controls: a random slice, and the weights of another patient's study laid over this one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.evaluation.metrics import Figure, average_precision, mean_figure
from models.msvlm.rectal.held_out import HeldOut
from models.msvlm.rectal.shown import Shown
from models.msvlm.rectal.speaker import Said, item_of
from models.msvlm.rectal.structures import DISEASE, NAMES, TUMOUR
from models.msvlm.rectal.studies import SeriesStudy
from models.phantoms.pelvis import Item
from pacs_agent.inference.evidence import strongest
from pacs_agent.inference.staging.manifest import ItemEntry, StagingManifest

Floats = NDArray[np.float32]
EVIDENCE, RANDOM, SHUFFLED = "evidence", "random slice", "shuffled"
MEASURES = {
    "strongest": "strongest slice of all",
    "each_series": "strongest slice of each series",
    "named": "slices that are named",
    "weight": "share of the weight",
    "auprc": "AUPRC over slices",
    "in_slice": "strongest patch of that slice",
}


@dataclass(frozen=True)
class Ground:
    """What an item rests on."""

    item: Item
    number: int
    """Its place among the items."""
    structure: int
    """Place among the structures."""
    beside_tumour: bool
    """Whether a slice must show the tumour too."""

    @classmethod
    def of(cls, number: int, entry: ItemEntry) -> "Ground":
        """As the manifest tells it."""
        structure = NAMES.index(entry.structure)
        return cls(item_of(entry), number, structure, structure not in DISEASE)

    @property
    def name(self) -> str:
        """For people."""
        return f"{NAMES[self.structure]} beside the tumour" if self.beside_tumour else NAMES[self.structure]

    def shows(self, shown: Shown) -> NDArray[np.bool_]:
        """Which slices show it [L]."""
        there: NDArray[np.bool_] = shown.area_mm2[:, self.structure] > 0.0
        return there & (shown.area_mm2[:, TUMOUR] > 0.0) if self.beside_tumour else there


def grounding_figures(manifest: StagingManifest, kept: Sequence[HeldOut], said: Sequence[Said]) -> dict[str, Any]:
    """The figures of every item with its controls, and the mean over the items of a study."""
    grounds = [Ground.of(number, entry) for number, entry in enumerate(manifest.items)]
    rows = {
        ground.item.value: [_of_study(ground, kept, said, place) for place in range(len(kept))] for ground in grounds
    }
    return {
        "items": {
            ground.item.value: {
                "structure": ground.name,
                **{
                    name: _figures([row[name] for row in rows[ground.item.value]])
                    for name in (EVIDENCE, RANDOM, SHUFFLED)
                },
            }
            for ground in grounds
        },
        "mean": {name: _figures(_means(list(rows.values()), name)) for name in (EVIDENCE, RANDOM, SHUFFLED)},
    }


def _of_study(
    ground: Ground, kept: Sequence[HeldOut], said: Sequence[Said], place: int
) -> dict[str, Mapping[str, float]]:
    """Each measure of one study, by whose weights; none where no slice shows what the item rests on."""
    one, other = kept[place], place - 1
    shows = ground.shows(one.shown)
    if not shows.any():
        return {EVIDENCE: {}, RANDOM: {}, SHUFFLED: {}}
    hits = one.shown.hits[:, ground.structure] & shows
    theirs = laid_over(said[other].weights[ground.number], kept[other].study, one.study)
    found = {
        EVIDENCE: measures(said[place].weights[ground.number], shows, hits, one.study),
        RANDOM: _random(shows, one.shown.near[:, ground.structure] * shows, one.study),
        SHUFFLED: measures(theirs, shows, hits, one.study),
    }
    if ground.number not in said[place].stated:
        return {name: {key: value for key, value in row.items() if key != "named"} for name, row in found.items()}
    return found


def measures(
    weights: Floats, shows: NDArray[np.bool_], hits: NDArray[np.bool_], study: SeriesStudy
) -> dict[str, float]:
    """What the weights [L] of an item are worth where some slice shows it; by series also under the series' keys."""
    of_series = {key: float(shows[at][weights[at].argmax()]) for key, at in _series(study, shows).items()}
    first = int(weights.argmax())
    named = strongest(weights.tolist())
    return {
        "strongest": float(shows[first]),
        "each_series": float(np.mean(list(of_series.values()))),
        "named": float(shows[named].mean()) if named else 0.0,
        "weight": float(weights[shows].sum() / max(float(weights.sum()), 1e-12)),
        "auprc": average_precision(shows.astype(float), weights.astype(float)),
        "in_slice": float(hits[first]),
        **of_series,
    }


def _random(shows: NDArray[np.bool_], near: Floats, study: SeriesStudy) -> dict[str, float]:
    """What a random order of the slices gives: the share of them that show it."""
    of_series = {key: float(shows[at].mean()) for key, at in _series(study, shows).items()}
    share = float(shows.mean())
    return {
        **dict.fromkeys(("strongest", "named", "weight", "auprc"), share),
        "each_series": float(np.mean(list(of_series.values()))),
        "in_slice": float(near.mean()),
        **of_series,
    }


def _series(study: SeriesStudy, shows: NDArray[np.bool_]) -> dict[str, NDArray[np.intp]]:
    """Places of the slices of each series that shows it somewhere."""
    series = study.series.numpy()
    places = {key: np.flatnonzero(series == place) for place, key in enumerate(study.keys)}
    return {key: at for key, at in places.items() if shows[at].any()}


def laid_over(weights: Floats, theirs: SeriesStudy, ours: SeriesStudy) -> Floats:
    """Weights [L'] of another study at the same share of the way through the same series of ours [L]."""
    found, of_theirs, of_ours = np.zeros(len(ours.tokens), np.float32), theirs.series.numpy(), ours.series.numpy()
    for place, key in enumerate(ours.keys):
        at = np.flatnonzero(of_ours == place)
        if key in theirs.keys and len(at):
            source = weights[of_theirs == theirs.keys.index(key)]
            found[at] = np.interp(np.linspace(0.0, 1.0, len(at)), np.linspace(0.0, 1.0, len(source)), source)
    return found


def _figures(rows: Sequence[Mapping[str, float]]) -> dict[str, Figure]:
    """The mean of each measure over the studies that have it."""
    names = dict.fromkeys((*MEASURES, *(name for row in rows for name in row)))
    return {name: mean_figure([row.get(name, float("nan")) for row in rows]) for name in names}


def _means(items: Sequence[Sequence[Mapping[str, Mapping[str, float]]]], whose: str) -> list[dict[str, float]]:
    """The mean of each measure over the items of each study that have it."""
    studies = []
    for rows in zip(*items, strict=True):
        there = [row[whose] for row in rows]
        values = {name: [row[name] for row in there if name in row] for name in MEASURES}
        studies.append({name: float(np.mean(each)) for name, each in values.items() if each})
    return studies
