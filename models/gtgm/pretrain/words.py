"""Text as numbered words, without a vocabulary file: words by hash, numbers by size and leading digits."""

import math
import re
import zlib
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

VOCABULARY = 4096
PADDING = 0
_WORD = re.compile(r"[-−]?\d+(?:\.\d+)?|[^\W\d_]+|[%°/.]")


def words(text: str) -> Iterator[str]:
    """Lower-case words, the full stop, and numbers as `number_words`."""
    for word in _WORD.findall(text.lower()):
        yield from number_words(float(word.replace("−", "-"))) if word[-1].isdecimal() else (word,)


def number_words(value: float) -> tuple[str, ...]:
    """Sign, power of ten, first digit and second digit: 412 is "<+>", "<e2>", "<4>", "<1.>".

    Near values share words, and no value is unknown.
    """
    if value == 0.0:
        return ("<0>",)
    mantissa, exponent = f"{abs(value):.1e}".split("e")
    return ("<+>" if value > 0 else "<->", f"<e{int(exponent)}>", f"<{mantissa[0]}>", f"<{mantissa[2]}.>")


def numbered(texts: Sequence[str], longest: int) -> Tensor:
    """Word numbers [n, L ≤ longest], padded with PADDING; longer texts are cut."""
    rows = [[_number(word) for word in words(text)][:longest] or [_number("")] for text in texts]
    length = max(map(len, rows))
    return torch.tensor([row + [PADDING] * (length - len(row)) for row in rows])


def _number(word: str) -> int:
    return 1 + zlib.crc32(word.encode()) % (VOCABULARY - 1)


def wave_features(length: int, width: int) -> Tensor:
    """Sines and cosines of the places [length, width] (Attention Is All You Need, section 3.5)."""
    rate = torch.exp(torch.arange(0, width, 2) * (-math.log(10_000.0) / width))
    angle = torch.arange(length)[:, None] * rate
    return torch.stack([angle.sin(), angle.cos()], dim=2).flatten(1)
