"""What a volume's text says: sentences from its computed facts; or, as a warning, the name of its file."""

import re
from collections.abc import Sequence

import numpy as np

from models.gtgm.facts import facts_of
from models.gtgm.text import write
from models.gtgm.volume import Volume

WRITINGS = 6
"""Different wordings of the same facts that are kept of each volume."""
LEAST_SHARE = 0.5
"""Of the sentences, that a caption holds; which ones differs from step to step."""


def writings_of(volume: Volume, seed: int) -> tuple[tuple[str, ...], ...]:
    """WRITINGS texts of the whole volume as sentences; they name neither patient nor study nor file."""
    facts = facts_of(volume)
    return tuple(
        tuple(sentence.text for sentence in write(facts, seed * WRITINGS + number)) for number in range(WRITINGS)
    )


def file_name_caption(volume: Volume) -> str:
    """What the published code put before its captions: words of the file's name. Only to show what this flaw costs."""
    return " ".join(re.findall(r"[^\W_]+", f"{volume.source} {volume.study}"))


def caption(writings: Sequence[Sequence[str]], rng: np.random.Generator) -> str:
    """One of the writings, some of its sentences left out, the rest in their order."""
    sentences = writings[int(rng.integers(len(writings)))]
    kept = rng.random(len(sentences)) < rng.uniform(LEAST_SHARE, 1.0)
    return " ".join(text for text, keep in zip(sentences, kept, strict=True) if keep) or " ".join(sentences)
