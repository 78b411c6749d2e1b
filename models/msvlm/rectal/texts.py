"""Does the text say what the heads say? The decoder's own words before any check, and the report as it is written.

Texts are read back by `read_back.py`, never by what licensed them. A sentence contradicts the heads where it says
another level of an item than its head, or something of a tumour's item where the head found no tumour.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from rich.progress import track

from models.evaluation.metrics import Figure, figure, mean_figure
from models.msvlm.rectal.read_back import distances_in, levels_in
from models.msvlm.rectal.speaker import Said, Speaker, item_of
from models.phantoms.pelvis import Item
from pacs_agent.inference.staging.manifest import StagingManifest

GOAL = 0.01
"""Share of sentences of the report that may contradict the heads."""
ALWAYS = (Item.LOCATION, Item.T_STAGE)
"""Whatever is said of these says that there is a tumour."""


@dataclass(frozen=True)
class _Sentence:
    """One sentence held against the heads."""

    item: Item
    contradicts: bool
    silent: bool
    """Nothing is read in it of its own item."""
    fixed: bool = False
    """The plain sentence stands in the place of the decoder's words."""


def text_figures(speaker: Speaker, said: Sequence[Said]) -> dict[str, Any]:
    """The figures of the decoder's words, of the report and of the distances in it."""
    own, report = [_own_words(one) for one in said], [_report(one) for one in said]
    impressions = [_impression(one) for one in said]
    asked = [_asked(speaker, one) for one in track(said, "asked for every level")]
    items = [item_of(entry) for entry in speaker.manifest.items]
    whole = [one + summed_up for one, summed_up in zip(report, impressions, strict=True)]
    return {
        "own_words": _rates(own),
        "own_words_of_every_level": _rates(asked),
        "report": {**_rates(report), "replaced": _rate(report, lambda one: one.fixed)},
        "report_and_impression": _rates(whole),
        "contradictions_per_study": mean_figure([float(sum(one.contradicts for one in each)) for each in whole]),
        "reaches_the_goal": _reaches(_rate(whole, lambda one: one.contradicts)),
        "items": {
            item.value: {
                "own_words": _rates(_on(own, item)),
                "report": _rates(_on(report, item)),
                "replaced": _rate(_on(report, item), lambda one: one.fixed),
            }
            for item in items
        },
        "distances": distance_figures(speaker.manifest, said),
    }


def contradicted(text: str, level: Mapping[Item, int]) -> frozenset[Item]:
    """The items of which a text says another level than `level`; of one that is not there, that it is."""
    return frozenset(item for item, read in levels_in(text).items() if not _agrees(item, read, level))


def _agrees(item: Item, read: set[int], level: Mapping[Item, int]) -> bool:
    if item in level:
        return read == {level[item]}
    return item not in ALWAYS and read == {0}


def _held(text: str | None, item: Item, level: Mapping[Item, int], fixed: bool = False) -> _Sentence:
    read = levels_in(text or "")
    return _Sentence(item, bool(contradicted(text or "", level)), item not in read, fixed)


def _levels(said: Said) -> dict[Item, int]:
    return {item_of(one.entry): one.level for one in said.items}


def _own_words(said: Said) -> list[_Sentence]:
    level = _levels(said)
    return [_held(text, item_of(one.entry), level) for one, text in zip(said.items, said.spoken, strict=True)]


def _report(said: Said) -> list[_Sentence]:
    level = _levels(said)
    pairs = zip(said.items, said.sentences, strict=True)
    return [_held(sentence.text, item_of(one.entry), level, sentence.fixed) for one, sentence in pairs]


def _impression(said: Said) -> list[_Sentence]:
    level, item = _levels(said), {one.entry.key: item_of(one.entry) for one in said.items}
    return [_held(one.text, item[one.findings[0]], level, one.fixed) for one in said.impression]


def _asked(speaker: Speaker, said: Said) -> list[_Sentence]:
    """The decoder's words where it is asked for each level of each item, whatever the heads say of this study."""
    asked = [(entry, level) for entry in speaker.manifest.items for level in range(len(entry.levels))]
    spoken = speaker.words_after([entry.prompts[level] for entry, level in asked], said.visual_tokens)
    found = []
    for (entry, level), text in zip(asked, spoken, strict=True):
        item = item_of(entry)
        read = levels_in(text or "").get(item, set())
        found.append(_Sentence(item, bool(read - {level}), not read))
    return found


def _on(studies: Sequence[Sequence[_Sentence]], item: Item) -> list[list[_Sentence]]:
    return [[one for one in each if one.item is item] for each in studies]


def _rates(studies: Sequence[Sequence[_Sentence]]) -> dict[str, Any]:
    """How many sentences there are, the share that contradicts the heads, and that in which nothing was read."""
    return {
        "sentences": sum(len(each) for each in studies),
        "contradicting": sum(one.contradicts for each in studies for one in each),
        "contradictions": _rate(studies, lambda one: one.contradicts),
        "silent": _rate(studies, lambda one: one.silent),
    }


def _rate(studies: Sequence[Sequence[_Sentence]], of: Callable[[_Sentence], bool]) -> Figure:
    """Share of sentences with its interval over studies; those without a sentence are left out."""
    there = [each for each in studies if each]
    counts = np.array([len(each) for each in there])
    found = np.array([sum(of(one) for one in each) for each in there])
    return figure(lambda i: float(found[i].sum() / counts[i].sum()), len(there))


def _reaches(rate: Figure) -> bool:
    return rate["value"] is not None and rate["value"] <= GOAL


def distance_figures(manifest: StagingManifest, said: Sequence[Said]) -> dict[str, Any]:
    """How many distances the reports tell, and how many are those that were measured, on their side of the limit."""
    entry = manifest.margin
    if entry is None:
        return {"told": 0, "as_measured": 0, "on_their_side": 0}
    told = [
        (distance, one.margin_mm, one.level[entry.item])
        for one in said
        for sentence in one.sentences
        if sentence.findings == (entry.item,)
        for distance in distances_in(sentence.text)
    ]
    return {
        "told": len(told),
        "as_measured": sum(measured is not None and f"{measured:.1f}" == f"{mm:.1f}" for mm, measured, _ in told),
        "on_their_side": sum((mm <= entry.involved_mm) == (level > 0) for mm, _, level in told),
    }
