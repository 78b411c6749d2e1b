"""Which stacks are phases of one acquisition, across series, and what the study says of contrast."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

from pacs_agent.imaging.acquisition.cover import SAME_MOMENT_S, Cover, cover_of, is_parallel
from pacs_agent.imaging.acquisition.ct_phases import bolus_comes_s, is_before, with_phases_of_ct
from pacs_agent.imaging.acquisition.stack import Phase, Stack
from pacs_agent.imaging.acquisition.terms import Answer, Component, Contrast, Weighting
from pacs_agent.imaging.acquisition.words import described

MIN_OVERLAP = 0.5
"""Stacks are of the same place when what both cover is at least this share of what either covers."""
SAME_TIMING = 0.05
DYNAMIC = 3
"""With so many phases the first is usually before the bolus."""

MIXED_CONTRAST = Answer(Contrast.UNCERTAIN, "some slices were taken before contrast and some after")

_Moment = tuple[float, int]
"""Time in s, or 0 where times are not known; number within the series or in the description."""


def with_phases(stacks: Sequence[Stack]) -> list[Stack]:
    """Stacks with their number among the acquisitions of one place, in order of time.

    Across series those of CT and T1-weighted MR are counted, the latter where contrast is spoken of or they are
    numbered: other repeated sequences are repeated for motion or averaging. Reconstructions of one acquisition, which
    begin within two seconds, have the same number.
    """
    numbered = iter(with_phases_of_ct([stack for stack in stacks if stack.modality == "CT"]))
    others = iter(_with_phases_of_mr([stack for stack in stacks if stack.modality != "CT"]))
    return [next(numbered if stack.modality == "CT" else others) for stack in stacks]


def _with_phases_of_mr(stacks: Sequence[Stack]) -> list[Stack]:
    kinds: dict[tuple[object, ...], list[Stack]] = defaultdict(list)
    for stack in stacks:
        kinds[_kind(stack)].append(stack)
    covers = {id(stack): cover_of(stack) for stack in stacks}
    return [
        replace(stack, phase=_phase(stack, [other for other in kinds[_kind(stack)] if _alike(stack, other, covers)]))
        for stack in stacks
    ]


def with_contrast_of_study(stacks: Sequence[Stack]) -> list[Stack]:
    """Stacks with their contrast by what the rest of the study says.

    Uncertain ones are after contrast, but the first of a dynamic MR examination, and CT from before the bolus was
    watched or reached the arteries. What names no contrast is before it when it was taken before everything that has
    contrast.
    """
    bolus_s = bolus_comes_s(stacks)
    settled = [replace(stack, contrast=_settled(stack, bolus_s)) for stack in stacks]
    first_s = {modality: _first_with_contrast_s(settled, modality) for modality in {one.modality for one in settled}}
    return [replace(stack, contrast=_by_time(stack, first_s[stack.modality])) for stack in settled]


def _phase(stack: Stack, alike: Sequence[Stack]) -> Answer[Phase | None]:
    """The phase of a stack among those taken alike, itself among them."""
    if stack.weighting.value is Weighting.DIFFUSION:
        return stack.phase
    within = stack.phase.value
    numbered = within is not None or any(described(other.description).phase is not None for other in alike)
    speaks = any(other.contrast.value is not Contrast.NONE_NAMED for other in alike)
    if not speaks and not numbered:
        return stack.phase
    moments = _moments(alike)
    in_order = sorted(set(moments.values()))
    if len(in_order) < 2:
        return stack.phase
    moment = moments[id(stack)]
    times = [other.acquired_s for other in alike if other.acquired_s is not None]
    after_first_s = stack.acquired_s - min(times) if stack.acquired_s is not None else None
    several = len({other.series_instance_uid for other in alike}) > 1
    reason = _reason(stack, several)
    return Answer(Phase(in_order.index(moment) + 1, len(in_order), after_first_s), reason)


def _reason(stack: Stack, several: bool) -> str:
    if not several:
        return stack.phase.reason
    how = "time of acquisition" if stack.acquired_s is not None else "the numbers in the descriptions"
    return f"in order of {how} among series taken alike at the same place"


def _moments(stacks: Sequence[Stack]) -> dict[int, _Moment]:
    """What orders stacks, by their id: those that begin within two seconds begin together."""
    in_time = sorted(stacks, key=lambda stack: stack.acquired_s or 0.0)
    moments: dict[int, _Moment] = {}
    begin_s = before_s = in_time[0].acquired_s or 0.0
    for stack in in_time:
        time_s = stack.acquired_s or 0.0
        if time_s - before_s > SAME_MOMENT_S:
            begin_s = time_s
        before_s = time_s
        moments[id(stack)] = (begin_s, _number(stack))
    return moments


def _number(stack: Stack) -> int:
    """The number of a stack within its series, or in its description where there is no time."""
    if stack.phase.value is not None:
        return stack.phase.value.number
    return described(stack.description).phase or 0 if stack.acquired_s is None else 0


def _alike(stack: Stack, other: Stack, covers: dict[int, Cover]) -> bool:
    """Whether two stacks of a kind were taken alike of one place, within a series or, where phases count so, across."""
    if stack is other:
        return True
    if (stack.acquired_s is None) != (other.acquired_s is None):
        return False
    if stack.series_instance_uid != other.series_instance_uid and not _counts_across_series(stack):
        return False
    if not _same_timing(stack.echo_ms, other.echo_ms) or not is_parallel(stack, other):
        return False
    (low, high), (other_low, other_high) = covers[id(stack)], covers[id(other)]
    both, either = min(high, other_high) - max(low, other_low), max(high, other_high) - min(low, other_low)
    return both >= MIN_OVERLAP * either


def _counts_across_series(stack: Stack) -> bool:
    derived = stack.component.value in (Component.SUBTRACTION, Component.PROJECTION)
    return stack.weighting.value is Weighting.T1 and not derived


def _kind(stack: Stack) -> tuple[object, ...]:
    return stack.modality, stack.weighting.value, stack.nulling.value, stack.component.value, stack.echo_number


def _same_timing(one: float | None, other: float | None) -> bool:
    if one is None or other is None:
        return one is other
    return abs(one - other) <= SAME_TIMING * max(one, other)


def _settled(stack: Stack, bolus_s: float | None) -> Answer[Contrast]:
    contrast, phase = stack.contrast, stack.phase.value
    if contrast.corrected_by or contrast.value is not Contrast.UNCERTAIN or contrast == MIXED_CONTRAST:
        return contrast
    if stack.modality == "CT" and is_before(stack, bolus_s):
        return Answer(Contrast.BEFORE, f"{contrast.reason}, but it was taken before the bolus came")
    if stack.modality == "MR" and phase is not None and phase.number == 1 and phase.count >= DYNAMIC:
        reason = f"{contrast.reason}, but the first of {phase.count} phases is usually taken before the bolus"
        return Answer(Contrast.UNCERTAIN, reason)
    return Answer(Contrast.AFTER, contrast.reason)


def _first_with_contrast_s(stacks: Sequence[Stack], modality: str) -> float | None:
    """When the first images with contrast were taken; None where there are none, or one of them has no time."""
    after = [stack for stack in stacks if stack.contrast.value in (Contrast.AFTER, Contrast.UNCERTAIN)]
    times = [stack.acquired_s for stack in after if stack.modality == modality]
    known = [time_s for time_s in times if time_s is not None]
    return min(known) if known and len(known) == len(times) else None


def _by_time(stack: Stack, first_with_contrast_s: float | None) -> Answer[Contrast]:
    unnamed = stack.contrast.value is Contrast.NONE_NAMED
    if not unnamed or stack.contrast.corrected_by:
        return stack.contrast
    if stack.acquired_s is None or first_with_contrast_s is None:
        return stack.contrast
    if stack.acquired_s >= first_with_contrast_s:
        return stack.contrast
    return Answer(Contrast.BEFORE, "taken before the first images of the study with contrast")
