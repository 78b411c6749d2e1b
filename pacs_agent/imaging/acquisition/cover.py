"""Where a stack reaches along its normal, and which stacks began together: what phases of one place are found by."""

import math

from pacs_agent.imaging.acquisition.stack import Stack
from pacs_agent.imaging.checks import SAME_DIRECTION_DEG

SAME_MOMENT_S = 2.0
"""Series that begin within it are one: reconstructions of the same data."""

MIN_OVERLAP = 0.5
"""Two CT scans are of one place when both cover at least this share of the shorter one."""
_PARALLEL = 2 * math.sin(math.radians(SAME_DIRECTION_DEG) / 2)
Cover = tuple[float, float]
"""From where to where a stack reaches along its normal, in mm."""


def cover_of(stack: Stack) -> Cover:
    """Its extent with half a slice distance at both ends; a single slice reaches 1 mm to both sides."""
    z_mm = [frame.z_mm for frame in stack.frames]
    half = (z_mm[-1] - z_mm[0]) / (len(z_mm) - 1) / 2 if len(z_mm) > 1 else 1.0
    return z_mm[0] - half, z_mm[-1] + half


def is_parallel(stack: Stack, other: Stack) -> bool:
    """Whether their normals are the same within half a degree."""
    return math.dist(stack.normal, other.normal) <= _PARALLEL


def is_same_place(stack: Stack, other: Stack) -> bool:
    """Whether two parallel stacks of CT are of one place, as one of the liver and one of the whole trunk are."""
    if not is_parallel(stack, other):
        return False
    (low, high), (other_low, other_high) = cover_of(stack), cover_of(other)
    both = min(high, other_high) - max(low, other_low)
    return both >= MIN_OVERLAP * min(high - low, other_high - other_low)
