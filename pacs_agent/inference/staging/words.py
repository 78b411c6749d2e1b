"""Words of the decoder and the sentences that they make: `tokenizer.json` of a bundle of task "staging"."""

from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Literal

from pydantic import BaseModel, ConfigDict

PAD, END, SLOT = "<pad>", "<end>", "<number>"
_NO_SPACE_BEFORE, _NO_SPACE_BEHIND = frozenset(".,:)"), frozenset("(")


class Words(BaseModel):
    """The file: words by number, and which of them end, pad and take a number."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal[1]
    words: tuple[str, ...]
    end: Literal["<end>"]
    pad: Literal["<pad>"]
    slot: Literal["<number>"]

    @cached_property
    def number(self) -> dict[str, int]:
        """Number of each word."""
        return {word: number for number, word in enumerate(self.words)}

    def decode(self, numbers: Iterable[int]) -> str | None:
        """The sentence up to its end; None where it has none, or a number is of no word."""
        given = list(numbers)
        if not all(0 <= number < len(self.words) for number in given):
            return None
        words = [self.words[number] for number in given]
        return written(words[: words.index(END)]) if END in words else None


def prompt_word(key: str, level: str) -> str:
    """The word from which a sentence is decoded, for example `<t_stage:T3>`."""
    return f"<{key}:{level}>"


def plain_sentence(name: str, level: str) -> str:
    """What is said of an item where the decoder says nothing usable, for example `T stage: T3.`."""
    return f"{name}: {level}."


def written(words: Iterable[str]) -> str:
    """Words as a sentence."""
    text = ""
    for word in words:
        glued = not text or word in _NO_SPACE_BEFORE or text[-1] in _NO_SPACE_BEHIND
        text += word if glued else f" {word}"
    return text if text.startswith("mrT") else text[:1].upper() + text[1:]


def filled(text: str, numbers: Sequence[str]) -> str | None:
    """A sentence with its slots filled in order; None where it has more or fewer slots than numbers."""
    if text.count(SLOT) != len(numbers):
        return None
    for number in numbers:
        text = text.replace(SLOT, number, 1)
    return text
