"""Which CT scans of a study are phases of one examination, in order of time; what was computed of them has theirs.

A scan of the liver and one of the whole trunk show one place, so that the shorter of two counts for how much they
overlap. Reconstructions of one scan by several kernels or in several thicknesses are one phase.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise

from pacs_agent.imaging.acquisition.cover import SAME_MOMENT_S, is_same_place
from pacs_agent.imaging.acquisition.stack import Phase, Stack
from pacs_agent.imaging.acquisition.terms import Answer, BolusPhase, Component, Contrast, Weighting
from pacs_agent.imaging.acquisition.words import described
from pacs_agent.imaging.acquisition.words_of_ct import is_bolus_watched

_Moment = tuple[float, int]
"""Time in s, or where times are not known the place among the phases of a bolus; number within the series."""
_Event = tuple[str, int, BolusPhase | None]
_BY_TIME = "in order of time of acquisition among the scans of this place"
_BY_NAME = "in the order in which a bolus comes there, as attributes or descriptions name it; times are not known"


def with_phases_of_ct(stacks: Sequence[Stack]) -> list[Stack]:
    """CT stacks with their number among the scans of one place; localizers and maps as they are."""
    scans = [stack for stack in stacks if _is_scan(stack)]
    phases = {id(stack): phase for examination in _examinations(scans) for stack, phase in _numbered(examination)}
    numbered = {id(stack): replace(stack, phase=phases.get(id(stack), stack.phase)) for stack in scans}
    known = list(numbered.values())
    return [numbered.get(id(stack)) or _with_phase_of_source(stack, known) for stack in stacks]


def _is_scan(stack: Stack) -> bool:
    return stack.weighting.value is Weighting.ATTENUATION and stack.component.value is Component.MAGNITUDE


def _examinations(scans: Sequence[Stack]) -> list[list[Stack]]:
    """Scans of one place, whichever of them overlap with each other."""
    found: list[list[Stack]] = []
    for scan in scans:
        joined = [one for one in found if any(is_same_place(scan, other) for other in one)]
        found = [one for one in found if not any(one is other for other in joined)]
        found.append([*(other for one in joined for other in one), scan])
    return found


def _numbered(scans: Sequence[Stack]) -> Iterator[tuple[Stack, Answer[Phase | None]]]:
    """The phase of each scan of an examination; none where there is one, or nothing orders them."""
    timed = all(scan.acquired_s is not None for scan in scans)
    moments = _by_time(scans) if timed else _by_name(scans)
    in_order = sorted(set(moments.values()))
    for scan in scans:
        if len(in_order) < 2 or id(scan) not in moments:
            yield scan, scan.phase
            continue
        moment = moments[id(scan)]
        after_first_s = moment[0] - in_order[0][0] if timed else None
        phase = Phase(in_order.index(moment) + 1, len(in_order), after_first_s)
        own = scan.phase.reason if len({one.series_instance_uid for one in scans}) == 1 else ""
        yield scan, Answer(phase, own if own and scan.phase.value else _BY_TIME if timed else _BY_NAME)


def _by_time(scans: Sequence[Stack]) -> dict[int, _Moment]:
    """When scans began, by their id: those of one irradiation event, or within two seconds, began together.

    Where a series itself has several phases that began together, they are told apart by their number in it.
    """
    begun = _begun_together(scans)
    numbers: dict[tuple[str, float], set[int]] = defaultdict(set)
    for scan in scans:
        numbers[scan.series_instance_uid, begun[id(scan)]].add(_number(scan))
    several = {key for key, found in numbers.items() if len(found) > 1}
    return {
        id(scan): (begin_s, _number(scan) if (scan.series_instance_uid, begin_s) in several else 0)
        for scan in scans
        for begin_s in (begun[id(scan)],)
    }


def _begun_together(scans: Sequence[Stack]) -> dict[int, float]:
    """When each scan began in s, by its id; those that are one scan have one time."""
    first_s: dict[_Event, float] = {}
    for scan in scans:
        first_s[_event(scan)] = min(_seconds(scan), first_s.get(_event(scan), _seconds(scan)))
    begins = {id(scan): first_s[_event(scan)] if scan.irradiation_uid else _seconds(scan) for scan in scans}
    in_time = sorted(scans, key=lambda scan: (begins[id(scan)], scan.irradiation_uid))
    begin_s, begun = begins[id(in_time[0])], {id(in_time[0]): begins[id(in_time[0])]}
    for before, scan in pairwise(in_time):
        if _is_other_event(before, scan) or begins[id(scan)] - begins[id(before)] > SAME_MOMENT_S:
            begin_s = begins[id(scan)]
        begun[id(scan)] = begin_s
    return begun


def _event(scan: Stack) -> _Event:
    """Some scanners give one irradiation event to all phases of a series, so that it is told with what parts them."""
    return scan.irradiation_uid, _number(scan), scan.bolus_phase.value


def _is_other_event(scan: Stack, other: Stack) -> bool:
    uids = {scan.irradiation_uid, other.irradiation_uid}
    return len(uids) == 2 and "" not in uids


def _by_name(scans: Sequence[Stack]) -> dict[int, _Moment]:
    """The places of scans in the passage of a bolus, by their id; without those that name none."""
    places = {id(scan): _place(scan) for scan in scans}
    return {id(scan): (place, _number(scan)) for scan in scans if (place := places[id(scan)]) is not None}


def _place(scan: Stack) -> int | None:
    if scan.bolus_phase.value is not None:
        return 1 + list(BolusPhase).index(scan.bolus_phase.value)
    if scan.contrast.value is Contrast.BEFORE:
        return 0
    return 1 if _number(scan) else None


def _number(scan: Stack) -> int:
    """The number of a scan within its series, or in its description where there is no time."""
    if scan.phase.value is not None:
        return scan.phase.value.number
    return described(scan.description).phase or 0 if scan.acquired_s is None else 0


def _seconds(scan: Stack) -> float:
    return scan.acquired_s or 0.0


def bolus_comes_s(stacks: Sequence[Stack]) -> float | None:
    """When a CT examination's bolus came at the earliest: when it was watched for, or was in the arteries."""
    of_ct = (stack for stack in stacks if stack.modality == "CT" and stack.acquired_s is not None)
    return min((_seconds(stack) for stack in of_ct if _tells_bolus(stack)), default=None)


def is_before(stack: Stack, bolus_s: float | None) -> bool:
    """Whether a scan was over before the bolus came."""
    return bolus_s is not None and stack.acquired_s is not None and stack.acquired_s < bolus_s - SAME_MOMENT_S


def _tells_bolus(stack: Stack) -> bool:
    watched = stack.weighting.value is Weighting.LOCALIZER and is_bolus_watched(stack.description)
    return watched or stack.bolus_phase.value is BolusPhase.ARTERIAL


def _with_phase_of_source(stack: Stack, scans: Sequence[Stack]) -> Stack:
    """A reformat, projection or subtraction with the phase of the scan that it was computed of, where that is told."""
    if stack.weighting.value is not Weighting.ATTENUATION or stack.phase.value is not None:
        return stack
    phases = {scan.phase.value for scan in scans if _is_source(stack, scan)}
    if len(phases) != 1 or (phase := phases.pop()) is None:
        return stack
    return replace(stack, phase=Answer(phase, "that of the scan which was acquired at the same time"))


def _is_source(stack: Stack, scan: Stack) -> bool:
    if stack.irradiation_uid and scan.irradiation_uid:
        return stack.irradiation_uid == scan.irradiation_uid
    if stack.acquired_s is None or scan.acquired_s is None:
        return False
    return abs(stack.acquired_s - scan.acquired_s) <= SAME_MOMENT_S
