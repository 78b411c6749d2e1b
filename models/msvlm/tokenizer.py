"""Words and numbers: the word-level vocabulary of the report decoder and its file, `tokenizer.json`.

The file is plain JSON, read by the agent without any package:

    {"format": 1,
     "words": ["<pad>", "<end>", "<present:lung_nodule>", …, ",", ".", "a", …],   position = number of the word
     "tags": {"<present:lung_nodule>": 2, …},                                     first word of a sentence
     "end": 1, "pad": 0,
     "no_space_before": [".", ","]}

A sentence starts from its tag and runs until `end`. To text: drop tag and `end`, join with spaces, no space before the
marks of `no_space_before`, first letter a capital. Tags: `<present:KEY>`, `<absent:KEY>`, `<uncertain:KEY>`,
`<impression:KEY>` for each finding, and `<impression:normal>` for a study without findings.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from models.phantoms.findings import FINDINGS
from models.phantoms.wording import all_words

PAD, END = "<pad>", "<end>"
TAG_KINDS = ("present", "absent", "uncertain", "impression")
NORMAL_TAG = "<impression:normal>"
NO_SPACE_BEFORE = (".", ",")


@dataclass(frozen=True)
class UnknownWord(Exception):
    """A word the vocabulary does not hold."""

    word: str

    def __str__(self) -> str:
        return f"the vocabulary has no word {self.word!r}; add it to models.phantoms.wording and train again"


def tag(kind: str, finding: str) -> str:
    """The first word of a sentence, for example `<present:lung_nodule>`."""
    return f"<{kind}:{finding}>"


@dataclass(frozen=True)
class Tokenizer:
    """A vocabulary; the position of a word is its number."""

    words: tuple[str, ...]

    @classmethod
    def of_wordings(cls) -> "Tokenizer":
        """The vocabulary of the phantoms' wordings with all tags."""
        tags = [tag(kind, finding) for kind in TAG_KINDS for finding in FINDINGS]
        return cls((PAD, END, *tags, NORMAL_TAG, *all_words()))

    @classmethod
    def from_json(cls, text: str) -> "Tokenizer":
        """The vocabulary of a `tokenizer.json`."""
        return cls(tuple(json.loads(text)["words"]))

    def to_json(self) -> str:
        """`tokenizer.json` as described above."""
        facts = {
            "format": 1,
            "words": list(self.words),
            "tags": {word: number for word, number in self.number.items() if ":" in word},
            "end": self.number[END],
            "pad": self.number[PAD],
            "no_space_before": list(NO_SPACE_BEFORE),
        }
        return json.dumps(facts, indent=1)

    @cached_property
    def number(self) -> dict[str, int]:
        """Number of each word."""
        return {word: number for number, word in enumerate(self.words)}

    def encode(self, first: str, sentence: str) -> list[int]:
        """Numbers of tag, words and end. Raises UnknownWord."""
        words = [first, *sentence.lower().split(), END]
        for word in words:
            if word not in self.number:
                raise UnknownWord(word)
        return [self.number[word] for word in words]

    def decode(self, numbers: Iterable[int]) -> str:
        """The sentence as text, up to the first end; tags and padding are left out."""
        words: list[str] = []
        for number in numbers:
            if self.words[number] == END:
                break
            if not self.words[number].startswith("<"):
                words.append(self.words[number])
        return as_text(words)


def as_text(words: list[str]) -> str:
    """Words as a written sentence."""
    text = " ".join(words)
    for mark in NO_SPACE_BEFORE:
        text = text.replace(f" {mark}", mark)
    return text[:1].upper() + text[1:]
