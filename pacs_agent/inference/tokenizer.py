"""The words of a report decoder: `tokenizer.json`, plain JSON."""

from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Literal

from pydantic import BaseModel, ConfigDict, model_validator

from pacs_agent.inference.attributes import prompt_words


class Tokenizer(BaseModel):
    """The vocabulary; the position of a word is its number. A sentence runs from its prompt to `end`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal[1]
    words: tuple[str, ...]
    tags: dict[str, int]
    """Words of prompts, such as `<present:lung_nodule>` or `<grade:1>`, and their numbers. They are never written."""
    end: int
    pad: int
    no_space_before: tuple[str, ...]

    @model_validator(mode="after")
    def _numbers_are_words(self) -> "Tokenizer":
        for name, number in {**self.tags, "end": self.end, "pad": self.pad}.items():
            if not 0 <= number < len(self.words):
                raise ValueError(f"{name} is number {number} of {len(self.words)} words")
        return self

    def missing_tags(self, findings: Iterable[str]) -> list[str]:
        """Words of prompts that sentences on these findings (keys) need and the vocabulary does not have."""
        needed = [tag(kind, key) for key in findings for kind in ("present", "absent", "impression")]
        return [name for name in (*needed, *prompt_words()) if name not in self.tags]

    def numbers(self, prompt: Sequence[str]) -> list[int]:
        """The numbers of a prompt's words. Raises KeyError for a word that is none of a prompt."""
        return [self.tags[word] for word in prompt]

    def sentence(self, numbers: Sequence[int]) -> str:
        """Words as a written sentence, up to the first end: marks without a space before them, a capital first."""
        upto = list(numbers).index(self.end) if self.end in numbers else len(numbers)
        text = " ".join(self.words[number] for number in numbers[:upto] if number not in self._silent)
        for mark in self.no_space_before:
            text = text.replace(f" {mark}", mark)
        return text[:1].upper() + text[1:]

    @cached_property
    def _silent(self) -> frozenset[int]:
        """Padding and the words of prompts."""
        return frozenset({self.pad, *self.tags.values()})


def tag(kind: Literal["present", "absent", "uncertain", "impression"], key: str) -> str:
    """The first word of a sentence on a finding."""
    return f"<{kind}:{key}>"
