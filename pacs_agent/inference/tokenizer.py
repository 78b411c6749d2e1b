"""The words of a report decoder: `tokenizer.json`, plain JSON."""

from collections.abc import Iterable, Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict, model_validator


class Tokenizer(BaseModel):
    """The vocabulary; the position of a word is its number. A sentence runs from its tag to `end`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal[1]
    words: tuple[str, ...]
    tags: dict[str, int]
    """First words of sentences, such as `<present:lung_nodule>`, and their numbers."""
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
        """Tags that sentences on these findings (keys) need and the vocabulary does not have."""
        needed = [tag(kind, key) for key in findings for kind in ("present", "absent", "impression")]
        return [name for name in needed if name not in self.tags]

    def sentence(self, numbers: Sequence[int]) -> str:
        """Words as a written sentence, up to the first end: marks without a space before them, a capital first."""
        upto = list(numbers).index(self.end) if self.end in numbers else len(numbers)
        spoken = [self.words[number] for number in numbers[:upto] if not self._is_silent(number)]
        text = " ".join(spoken)
        for mark in self.no_space_before:
            text = text.replace(f" {mark}", mark)
        return text[:1].upper() + text[1:]

    def _is_silent(self, number: int) -> bool:
        """Padding and tags are never written."""
        return number == self.pad or self.words[number] in self.tags


def tag(kind: Literal["present", "absent", "uncertain", "impression"], key: str) -> str:
    """The first word of a sentence on a finding."""
    return f"<{kind}:{key}>"
