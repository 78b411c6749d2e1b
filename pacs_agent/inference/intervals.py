"""Shares with their uncertainty, and distributions of scores kept as counts."""

import math
from collections.abc import Sequence
from itertools import accumulate

BINS = 50
"""Scores from 0 to 1 are counted in bins of this number."""
_Z95 = 1.959964
_Z99 = 2.575829
_KS_1_PERCENT = 1.628


def wilson(count: int, of: int) -> tuple[float, float]:
    """95 % interval of a share (Wilson, J. Am. Stat. Assoc. 22, 1927, 209); 0 to 1 where nothing was counted."""
    if of == 0:
        return 0.0, 1.0
    share, z2 = count / of, _Z95**2
    middle = (share + z2 / (2 * of)) / (1 + z2 / of)
    half = _Z95 * math.sqrt(share * (1 - share) / of + z2 / (4 * of * of)) / (1 + z2 / of)
    return max(0.0, middle - half), min(1.0, middle + half)


def shares_differ(count: int, of: int, other_count: int, other_of: int) -> bool:
    """Whether two shares differ: two-proportion z-test at 1 %, two-sided."""
    together = (count + other_count) / (of + other_of)
    error = math.sqrt(together * (1 - together) * (1 / of + 1 / other_of))
    return abs(count / of - other_count / other_of) > _Z99 * error


def bin_of(score: float) -> int:
    """The bin of a score in [0, 1]."""
    return min(max(int(score * BINS), 0), BINS - 1)


def quantile(counts: Sequence[int], share: float) -> float | None:
    """The score below which a share of the counted lies, interpolated within its bin; None where none was counted."""
    total, before = sum(counts), 0
    if total == 0:
        return None
    for index, count in enumerate(counts):
        if count and before + count >= share * total:
            return (index + (share * total - before) / count) / len(counts)
        before += count
    return 1.0


def distance(one: Sequence[int], other: Sequence[int]) -> float:
    """Largest difference of two cumulative distributions (Kolmogorov-Smirnov's D), as far as the bins tell."""
    sums = [[total / max(sum(counts), 1) for total in accumulate(counts)] for counts in (one, other)]
    return max((abs(a - b) for a, b in zip(*sums, strict=True)), default=0.0)


def differs(one: Sequence[int], other: Sequence[int]) -> bool:
    """Whether two samples of scores come from different distributions: two-sample Kolmogorov-Smirnov at 1 %.

    Binned scores make the test more careful, never less.
    """
    n, m = sum(one), sum(other)
    return bool(n and m) and distance(one, other) > _KS_1_PERCENT * math.sqrt((n + m) / (n * m))
