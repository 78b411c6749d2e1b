"""Words and numbers: the word-level vocabulary of the report decoder and its file, `tokenizer.json`.

The file is plain JSON, read by the agent without any package:

    {"format": 1,
     "words": ["<pad>", "<end>", "<present:lung_nodule>", …, ",", ".", "a", …],   position = number of the word
     "tags": {"<present:lung_nodule>": 2, …},                                     words of prompts, never written
     "end": 1, "pad": 0,
     "no_space_before": [".", ","]}

A sentence starts from the four words of its prompt (`pacs_agent.inference.attributes.prompt`) and runs until `end`. To
text: drop prompt and `end`, join with spaces, no space before the marks of `no_space_before`, first letter a capital.
Tags, the first words of prompts: `<present:KEY>`, `<absent:KEY>`, `<uncertain:KEY>`, `<impression:KEY>` for each
finding, `<impression:normal>` for a study without findings, and `<ask:KIND:KEY>` for answers (see `questions.py`).
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from models.phantoms.findings import FINDINGS
from models.phantoms.wording import all_words
from pacs_agent.inference.attributes import prompt_words

PAD, END = "<pad>", "<end>"
TAG_KINDS = ("present", "absent", "uncertain", "impression")
ANSWER_KINDS = ("yes", "no", "unsure", "where", "size", "count")
"""What an answer says: that a finding is there, is not, may be; where it is, how large, how many."""
NORMAL_TAG = "<impression:normal>"
NO_SPACE_BEFORE = (".", ",")
CAPITALS = {"ct": "CT"}
"""Words that keep their capitals wherever they stand."""


@dataclass(frozen=True)
class UnknownWord(Exception):
    """A word the vocabulary does not hold."""

    word: str

    def __str__(self) -> str:
        return f"the vocabulary has no word {self.word!r}; add it to models.phantoms.wording and train again"


def tag(kind: str, finding: str) -> str:
    """The first word of a sentence, for example `<present:lung_nodule>`."""
    return f"<{kind}:{finding}>"


def answer_tag(kind: str, finding: str) -> str:
    """The first word of an answer, for example `<ask:where:lung_nodule>`."""
    return f"<ask:{kind}:{finding}>"


@dataclass(frozen=True)
class Tokenizer:
    """A vocabulary; the position of a word is its number."""

    words: tuple[str, ...]

    @classmethod
    def of_wordings(cls) -> "Tokenizer":
        """The vocabulary of the phantoms' wordings with all tags."""
        tags = [tag(kind, finding) for kind in TAG_KINDS for finding in FINDINGS]
        answers = [answer_tag(kind, finding) for kind in ANSWER_KINDS for finding in FINDINGS]
        words = (CAPITALS.get(word, word) for word in all_words())
        return cls((PAD, END, *tags, NORMAL_TAG, *answers, *prompt_words(), *words))

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

    def encode(self, prompt: Sequence[str], sentence: str) -> list[int]:
        """Numbers of prompt, words and end. Raises UnknownWord."""
        words = [*prompt, *(CAPITALS.get(word, word) for word in sentence.lower().split()), END]
        for word in words:
            if word not in self.number:
                raise UnknownWord(word)
        return [self.number[word] for word in words]

    def decode(self, numbers: Iterable[int]) -> str:
        """The sentence as text, up to the first end; prompts and padding are left out."""
        words: list[str] = []
        for number in numbers:
            if self.words[number] == END:
                break
            if not self.words[number].startswith("<"):
                words.append(self.words[number])
        return as_text(words)


def as_text(words: Iterable[str]) -> str:
    """Words as a written sentence."""
    text = " ".join(CAPITALS.get(word, word) for word in words)
    for mark in NO_SPACE_BEFORE:
        text = text.replace(f" {mark}", mark)
    return text[:1].upper() + text[1:]
