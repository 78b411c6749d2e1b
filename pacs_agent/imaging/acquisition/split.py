"""A series is split into stacks: by orientation, weighting, b-value, echo and component, then by time."""

import math
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from pacs_agent.imaging.acquisition.frame import TEMPORAL, AcquiredFrame
from pacs_agent.imaging.acquisition.terms import Answer, Weighting
from pacs_agent.imaging.checks import SAME_DIRECTION_DEG, SAME_POSITION_MM
from pacs_agent.imaging.geometry import Orientation, canonical_normal

SAME_B_VALUE = 0.02
"""Neighbouring b-values of a series that differ by this share are one: gradients in several directions scatter."""


@dataclass(frozen=True)
class Group:
    """Frames of one stack, in ascending z, and their place in the order of time within their series."""

    frames: tuple[AcquiredFrame, ...]
    z_mm: tuple[float, ...]
    orientation: Orientation
    order: int = 1
    orders: int = 1
    order_reason: str = ""


def split_series(frames: Sequence[AcquiredFrame]) -> list[Group]:
    """The stacks of one series. The order in which the frames come changes nothing.

    Orientations within 0.5 degrees of each other, for rows and columns alike, are one. In a stack each place occurs
    once: places that occur several times are split by TEMPORAL attributes or acquisition times that number them, and
    where none does by the order of time at each place.
    """
    frames = _with_b_values_of_series(sorted(frames, key=_name))
    directions = _directions([frame.orientation for frame in frames])
    parts: dict[tuple[Hashable, ...], list[AcquiredFrame]] = defaultdict(list)
    for frame in frames:
        parts[(directions[frame.orientation], *_kind(frame))].append(frame)
    return [group for key in sorted(parts, key=repr) for group in _split_by_time(parts[key])]


def _name(frame: AcquiredFrame) -> tuple[str, int, str]:
    return frame.header.sop_instance_uid, frame.frame_number or 0, str(frame.header.path)


def _kind(frame: AcquiredFrame) -> tuple[Hashable, ...]:
    """What is the same in all frames of a stack."""
    echo_ms = frame.timing.echo_ms
    return (
        frame.stack_id,
        frame.plane.value if frame.plane.corrected_by else None,
        frame.size_px,
        frame.weighting.value,
        frame.nulling.value,
        frame.component.value,
        frame.bolus_phase.value,
        frame.kernel,
        frame.is_derived,
        frame.b_value.value,
        frame.echo_number,
        None if echo_ms is None else round(echo_ms, 1),
    )


def _with_b_values_of_series(frames: Sequence[AcquiredFrame]) -> list[AcquiredFrame]:
    """Frames with b-values as the series has them: b 0 beside others is diffusion, and scattered values become one."""
    diffusion = any(frame.weighting.value is Weighting.DIFFUSION and frame.b_value.value for frame in frames)
    undirected = frozenset(Weighting) - {Weighting.ADC, Weighting.MAP, Weighting.LOCALIZER, Weighting.DIFFUSION}
    beside = Answer(Weighting.DIFFUSION, "its b-value is 0 in a series of others")
    found = [
        replace(frame, weighting=beside)
        if diffusion and frame.b_value.value == 0 and _may_be(frame, undirected)
        else frame
        for frame in frames
    ]
    together = _together([frame.b_value.value for frame in found if frame.weighting.value is Weighting.DIFFUSION])
    return [replace(frame, b_value=_b_value(frame, together)) for frame in found]


def _may_be(frame: AcquiredFrame, weightings: frozenset[Weighting]) -> bool:
    return frame.weighting.value in weightings and not frame.weighting.corrected_by


def _b_value(frame: AcquiredFrame, together: dict[float, float]) -> Answer[float | None]:
    """The b-value of a diffusion-weighted frame; one named in the description counts where it is the only one."""
    if frame.weighting.value is not Weighting.DIFFUSION:
        return Answer(None, "only diffusion-weighted images have one")
    if frame.b_value.value is not None:
        return replace(frame.b_value, value=together[frame.b_value.value])
    named = frame.description.b_values
    if len(named) == 1:
        return Answer(float(named[0]), f"no attribute holds it, the description says b {named[0]}")
    if named:
        listed = ", ".join(map(str, named))
        return Answer(None, f"the description names b {listed}, and no attribute says which of them this image has")
    return frame.b_value


def _together(b_values: Iterable[float | None]) -> dict[float, float]:
    """For each b-value the one that stands for it: the most frequent of those that scatter around it."""
    counted = Counter(value for value in b_values if value is not None)
    clusters: list[list[float]] = []
    for value in sorted(counted):
        if clusters and value - clusters[-1][-1] <= SAME_B_VALUE * value:
            clusters[-1].append(value)
        else:
            clusters.append([value])
    return {value: max(cluster, key=lambda one: (counted[one], -one)) for cluster in clusters for value in cluster}


def _directions(orientations: Sequence[Orientation]) -> dict[Orientation, Orientation]:
    """For each orientation the one that stands for it: the most frequent first takes all within the tolerance."""
    counted = Counter(orientations)
    nearest = 2 * math.sin(math.radians(SAME_DIRECTION_DEG) / 2)
    standing: list[Orientation] = []
    taken: dict[Orientation, Orientation] = {}
    known = np.empty((0, 2, 3))
    for orientation in sorted(counted, key=lambda one: (-counted[one], one)):
        vectors = np.array(orientation).reshape(1, 2, 3)
        apart = np.linalg.norm(known - vectors, axis=2).max(axis=1) if standing else np.empty(0)
        if near := np.flatnonzero(apart <= nearest + 1e-9).tolist():
            taken[orientation] = standing[near[0]]
            continue
        standing.append(orientation)
        known = np.concatenate([known, vectors])
        taken[orientation] = orientation
    return taken


def _split_by_time(frames: Sequence[AcquiredFrame]) -> list[Group]:
    """Frames of one kind as stacks in which each place occurs once, in order of time."""
    orientation = Counter(sorted(frame.orientation for frame in frames)).most_common(1)[0][0]
    normal = canonical_normal(orientation)
    z_mm = [float(np.dot(frame.position_mm, normal)) for frame in frames]
    places = _places(z_mm)
    most = max(Counter(places).values())
    orders, reason = _orders(frames, places, most)
    groups = []
    for order in range(1, max(orders) + 1):
        members = sorted(
            ((z_mm[i], frames[i]) for i in range(len(frames)) if orders[i] == order), key=lambda pair: pair[0]
        )
        groups.append(
            Group(
                frames=tuple(frame for _, frame in members),
                z_mm=tuple(z for z, _ in members),
                orientation=orientation,
                order=order,
                orders=max(orders),
                order_reason=reason,
            )
        )
    return groups


def _places(z_mm: Sequence[float]) -> list[int]:
    """For each position the number of its place; positions within 0.01 mm are the same place."""
    by_z = sorted(range(len(z_mm)), key=lambda i: z_mm[i])
    places, place = [0] * len(z_mm), 0
    for before, after in pairwise(by_z):
        place += z_mm[after] - z_mm[before] >= SAME_POSITION_MM
        places[after] = place
    return places


def _orders(frames: Sequence[AcquiredFrame], places: Sequence[int], most: int) -> tuple[list[int], str]:
    """The number in order of time of each frame from 1, and what decided it."""
    if most == 1:
        return [1] * len(frames), ""
    named = [(keyword, [frame.temporal[i] for frame in frames]) for i, keyword in enumerate(TEMPORAL)]
    times = [frame.acquired_s.value for frame in frames]
    for keyword, values in (*named, (frames[0].acquired_s.reason, times)):
        if (orders := _by_value(values, places, most, times)) is not None:
            return orders, f"{keyword} numbers the images of each place"
    return _by_rank(frames, places), "by the order of time at each place"


def _by_value(
    values: Sequence[float | None], places: Sequence[int], most: int, times: Sequence[float | None]
) -> list[int] | None:
    """Orders by an attribute that has one value for each phase and no value twice at a place; else None.

    Phases whose attribute is a mere number are ordered by their first time where times are known.
    """
    known = [value for value in values if value is not None]
    if len(known) < len(values) or len(set(known)) != most or len(set(zip(known, places, strict=True))) != len(known):
        return None
    first_s = {
        value: min((t for t, v in zip(times, known, strict=True) if v == value and t is not None), default=0.0)
        for value in set(known)
    }
    in_time = sorted(first_s, key=lambda value: (first_s[value], value))
    return [in_time.index(value) + 1 for value in known]


def _by_rank(frames: Sequence[AcquiredFrame], places: Sequence[int]) -> list[int]:
    at_place: dict[int, list[int]] = defaultdict(list)
    for i in sorted(range(len(frames)), key=lambda i: _moment(frames[i])):
        at_place[places[i]].append(i)
    orders = [0] * len(frames)
    for members in at_place.values():
        for order, i in enumerate(members, start=1):
            orders[i] = order
    return orders


def _moment(frame: AcquiredFrame) -> tuple[object, ...]:
    """What orders images of one place: their phase, time and number; their name last, so that there is always one."""
    temporal = tuple(math.inf if value is None else value for value in frame.temporal[:-1])
    time_s = math.inf if frame.acquired_s.value is None else frame.acquired_s.value
    uid = frame.header.sop_instance_uid
    return (*temporal, time_s, frame.instance_number, frame.frame_number or 0, uid)
