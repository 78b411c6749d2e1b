"""What the decoder learns to say: sentences of the phantoms' reports, each from a prompt that names item and level.

No number is learned. Where a report gives one the sentence keeps a slot; what measures fills it, and where nothing was
measured the item's plain sentence is said. Sentences that say more than the level of an item are not learned: the
decoder must not say what no head decides.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache

import numpy as np

from models.msvlm.rectal.items import SCALES, scale_of, told_of
from models.phantoms.pelvis import EmviTruth, Item, NodeTruth, Sex, Sphincter, Truth, TumourTruth
from models.phantoms.pelvis.report import write_report
from pacs_agent.inference.staging import words as agent
from pacs_agent.inference.staging.words import END, PAD, SLOT, written

DRAWS = 40
"""Reports that are written of each made truth: enough to meet every wording."""
_SAYS_MORE = ("circumference", "circumferential tumour", "Circular", "annular", "breached", "crosses", "infiltrated")
_NUMBER = re.compile(r"(?<![\w.])\d+(\.\d+)?(?!\w)")
_SUBDIVISION = re.compile(r"\b(T[34])[a-d]\b")
_WORD = re.compile(r"<\w+>|[\w'’-]+|[.,:()]")

_TUMOUR = TumourTruth(
    height_mm=60.0,
    length_mm=30.0,
    from_hour=1.0,
    to_hour=5.0,
    circumference=0.4,
    t_stage=3,
    invaded=(),
    peritoneal=False,
    extramural_mm=3.0,
    fascia_mm=5.0,
    fascia_points_mm=None,
    sphincter=Sphincter.NONE,
    emvi=None,
    volume_mm3=1000.0,
    centre_mm=(0.0, 0.0, 0.0),
)
_ORGAN = "vagina"
_NODE = NodeTruth((0.0, 0.0, 0.0), 8.0, round=True, irregular=True, heterogeneous=True)


def prompt_word(item: Item, level: int) -> str:
    """The word from which a sentence is decoded, for example `<t_stage:T3>`."""
    return agent.prompt_word(item.value, scale_of(item).levels[level])


def plain_sentence(item: Item, level: int) -> str:
    """What is said of an item where the decoder says nothing usable, for example `T stage: T3.`."""
    scale = scale_of(item)
    return agent.plain_sentence(scale.name, scale.levels[level])


@lru_cache(1)
def licensed() -> Mapping[tuple[Item, int], tuple[str, ...]]:
    """Every sentence that an item and its level license, with slots for numbers, in a fixed order."""
    found: dict[tuple[Item, int], set[str]] = {
        (scale.item, level): set() for scale in SCALES for level in range(len(scale.levels))
    }
    for truth in _made_truths():
        told = told_of(truth)
        for seed in range(DRAWS):
            for sentence in write_report(truth, np.random.default_rng(seed)):
                if sentence.item in told and not any(more in sentence.text for more in _SAYS_MORE):
                    found[sentence.item, told[sentence.item].level].add(_without_numbers(sentence.text))
    return {key: tuple(sorted(texts)) for key, texts in found.items()}


def _made_truths() -> Iterator[Truth]:
    """Truths that between them show every level of every item."""
    tumours = [replace(_TUMOUR, t_stage=stage) for stage in (1, 2, 3)]
    tumours += [replace(_TUMOUR, t_stage=4, invaded=(_ORGAN,)), replace(_TUMOUR, t_stage=3, peritoneal=True)]
    tumours += [replace(_TUMOUR, sphincter=sphincter) for sphincter in Sphincter]
    tumours += [replace(_TUMOUR, fascia_mm=mm) for mm in (0.5, 100.0)]
    tumours += [replace(_TUMOUR, height_mm=mm) for mm in (20.0, 120.0)]
    tumours.append(replace(_TUMOUR, emvi=EmviTruth(4.0, 12.0)))
    for tumour in (None, *tumours):
        for nodes in ((), (_NODE,), (_NODE, _NODE)):
            yield Truth(0, Sex.FEMALE, tumour, nodes)


def _without_numbers(text: str) -> str:
    text = _SUBDIVISION.sub(r"\1", text.replace(f"the {_ORGAN}", "adjacent structures"))
    return _NUMBER.sub(SLOT, text)


def words_of(text: str) -> list[str]:
    """Words and marks of a sentence; its capital goes where the word has no others."""
    words = _WORD.findall(text)
    if words and words[0][1:].islower():
        words[0] = words[0].lower()
    return words


@dataclass(frozen=True)
class Vocabulary:
    """Prompts and words; the position of a word is its number. The file is `tokenizer.json` of the bundle."""

    words: tuple[str, ...]

    @classmethod
    def of_reports(cls) -> "Vocabulary":
        """All prompts and all words that are learned."""
        prompts = [prompt_word(item, level) for item, level in licensed()]
        words = {word for texts in licensed().values() for text in texts for word in words_of(text)}
        return cls((PAD, END, *prompts, *sorted(words)))

    @cached_property
    def number(self) -> dict[str, int]:
        """Number of each word."""
        return {word: number for number, word in enumerate(self.words)}

    def encode(self, item: Item, level: int, text: str) -> list[int]:
        """Numbers of prompt, words and end. Raises KeyError for a word that it does not hold."""
        return [self.number[word] for word in (prompt_word(item, level), *words_of(text), END)]

    def decode(self, numbers: Iterable[int]) -> str | None:
        """The sentence up to its end; None where it has none."""
        words = [self.words[number] for number in numbers]
        return written(words[: words.index(END)]) if END in words else None

    def to_json(self) -> str:
        """`tokenizer.json`: the words by number, and which of them end, pad and take a number."""
        facts = {"format": 1, "words": self.words, "end": END, "pad": PAD, "slot": SLOT}
        return json.dumps(facts, indent=1)
