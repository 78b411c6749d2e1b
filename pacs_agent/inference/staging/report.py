"""The draft report of a staging: one sentence on each item and an impression, each licensed by the item's level.

The decoder is asked for a level and may say of it what the manifest lists; all else gives way to the plain sentence. So
no sentence can say another level than the one that was read.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pacs_agent.inference.decode import Words as Numbers
from pacs_agent.inference.decode import continued
from pacs_agent.inference.reading import MeasuredDistance, Presence, Sentence
from pacs_agent.inference.report import POSSIBLE, Report
from pacs_agent.inference.sessions import Graph
from pacs_agent.inference.staging.describe import SaidItem, margin_mm
from pacs_agent.inference.staging.manifest import MarginEntry, StagingManifest
from pacs_agent.inference.staging.read import Floats
from pacs_agent.inference.staging.words import SLOT, Words, filled, plain_sentence
from pacs_agent.ops import get_log

SUMMED_UP_FROM = 2
"""Items of this concern stand in the impression even where they are absent: that the margin is clear matters."""

_log = get_log("inference")


def write_staging(
    said: Sequence[SaidItem],
    manifest: StagingManifest,
    words: Words,
    decoder: Graph,
    visual_tokens: Floats,
    distances: Sequence[MeasuredDistance],
) -> Report:
    """The report on the items, in the decoder's words where these are what the levels say. Raises ModelFailed.

    How many sentences gave way goes into the log, never what they said.
    """
    prompts = [one.entry.prompts[one.level] for one in said]
    spoken = decoded(words, decoder, prompts, visual_tokens, manifest.max_words)
    margin = _Margin.of(manifest.margin, distances)
    sentences = tuple(_sentence(one, text, margin) for one, text in zip(said, spoken, strict=True))
    if replaced := sum(one.fixed for one in sentences):
        model = f"{manifest.name} {manifest.version}"
        _log.info("sentences replaced", model=model, replaced=replaced, of=len(sentences))
    return Report(sentences, _impression(said, sentences))


def decoded(
    words: Words, decoder: Graph, prompts: Sequence[str], visual_tokens: Floats, max_words: int
) -> list[str | None]:
    """What the decoder says after each prompt; None where it comes to no end. Raises ModelFailed."""
    if not prompts:
        return []
    given: Numbers = np.array([[words.number[prompt]] for prompt in prompts], np.int64)
    rows = continued(decoder, visual_tokens, given, words.number[words.end], max_words)
    return [words.decode(row) for row in rows.tolist()]


@dataclass(frozen=True)
class _Margin:
    """The measured margin in mm, the item that it belongs to, and up to where it means its upper level."""

    item: str
    value_mm: float
    involved_mm: float

    @classmethod
    def of(cls, entry: MarginEntry | None, distances: Sequence[MeasuredDistance]) -> "_Margin | None":
        """None where the model measures none, or nobody could."""
        value_mm = None if entry is None else margin_mm(entry, distances)
        return cls(entry.item, value_mm, entry.involved_mm) if entry and value_mm is not None else None


def _sentence(said: SaidItem, text: str | None, margin: _Margin | None) -> Sentence:
    entry, level = said.entry, said.level
    licensed = entry.sentences[level] if entry.sentences else ()
    made = _filled(text, said, margin) if text in licensed else None
    plain = plain_sentence(entry.name, entry.levels[level])
    possible = said.presence is Presence.UNCERTAIN
    return Sentence(
        text=f"{POSSIBLE}{made or plain}" if possible else made or plain,
        findings=(entry.key,),
        positive=said.presence is not Presence.ABSENT,
        fixed=made is None,
    )


def _filled(text: str | None, said: SaidItem, margin: _Margin | None) -> str | None:
    """The sentence with its number; None where nobody measured it, or it is on the other side of the limit."""
    if text is None or SLOT not in text:
        return text
    if margin is None or margin.item != said.entry.key:
        return None
    if (margin.value_mm <= margin.involved_mm) != (said.level > 0):
        return None
    return filled(text, [f"{margin.value_mm:.1f}"])


def _impression(said: Sequence[SaidItem], sentences: Sequence[Sentence]) -> tuple[Sentence, ...]:
    """What is there with its levels first, then the sentences on what matters, most concern first."""
    pairs = list(zip(said, sentences, strict=True))
    always = [one for one in said if not one.entry.lowest_is_absence]
    of = Counter(one.entry.of for one in always)
    first = [
        _summed_up(one, always) if of[one.entry.key] else sentence for one, sentence in pairs if one.entry.concern == 3
    ]
    rest = [
        (one, sentence)
        for one, sentence in pairs
        if one.entry.lowest_is_absence
        and one.entry.concern != 3
        and (one.presence is not Presence.ABSENT or one.entry.concern >= SUMMED_UP_FROM)
    ]
    rest.sort(key=lambda pair: (-pair[0].entry.concern, pair[0].number))
    return (*first, *(sentence for _, sentence in rest))


def _summed_up(one: SaidItem, always: Sequence[SaidItem]) -> Sentence:
    """For example `Rectal tumour: T stage T3, location middle.`."""
    own = sorted((each for each in always if each.entry.of == one.entry.key), key=lambda each: -each.entry.concern)
    levels = ", ".join(f"{_lower_first(each.entry.name)} {each.entry.levels[each.level]}" for each in own)
    keys = (one.entry.key, *(each.entry.key for each in own))
    return Sentence(text=f"{one.entry.name}: {levels}.", findings=keys, positive=True, fixed=True)


def _lower_first(name: str) -> str:
    """`location`, but `T stage`."""
    return name[:1].lower() + name[1:] if name[1:2].islower() else name
