"""The stacks of a study: what its series hold, which are phases of one acquisition, what was before contrast."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from pacs_agent.imaging.acquisition.correction import Corrections, no_corrections
from pacs_agent.imaging.acquisition.elements import FrameElements
from pacs_agent.imaging.acquisition.frame import AcquiredFrame, LeftOut, acquired_frames, by_geometry, tilt_deg
from pacs_agent.imaging.acquisition.phases import MIXED_CONTRAST, with_contrast_of_study, with_phases
from pacs_agent.imaging.acquisition.split import Group, split_series
from pacs_agent.imaging.acquisition.stack import Phase, Stack, StackFrame
from pacs_agent.imaging.acquisition.terms import Answer, Contrast, Weighting
from pacs_agent.imaging.geometry import canonical_normal
from pacs_agent.imaging.headers import HeaderFile


@dataclass(frozen=True)
class AcquiredStudy:
    """The stacks of a study by series number, then b-value, echo and phase; and what is in none of them."""

    stacks: tuple[Stack, ...]
    left_out: tuple[LeftOut, ...]


def group_study(headers: Iterable[HeaderFile], corrections: Corrections = no_corrections) -> AcquiredStudy:
    """The stacks of the CT and MR images of one study, whatever the order of its files.

    Plane by geometry alone; weighting, nulling, b-value, contrast and phase by attributes, then by the description.
    What `corrections` say of an image stands before all of these.
    Never raises for what a header lacks: an image without place, or that is no slice, is left out with its reason.
    """
    frames: dict[str, list[AcquiredFrame]] = defaultdict(list)
    left_out: list[LeftOut] = []
    for header in _once(headers, left_out):
        for frame in acquired_frames(header, corrections):
            if isinstance(frame, LeftOut):
                left_out.append(frame)
            else:
                frames[frame.series_instance_uid].append(frame)
    stacks = [_stack(group) for series in frames.values() for group in split_series(series)]
    stacks.sort(key=_place_in_study)
    stacks = sorted(with_contrast_of_study(with_phases(stacks)), key=_place_in_study)
    left_out.sort(key=lambda one: (one.header.sop_instance_uid, one.frame_number or 0))
    return AcquiredStudy(tuple(stacks), tuple(left_out))


def _once(headers: Iterable[HeaderFile], left_out: list[LeftOut]) -> Iterator[HeaderFile]:
    """Each instance once; copies go to `left_out`."""
    known: set[str] = set()
    for header in sorted(headers, key=lambda one: (one.sop_instance_uid, str(one.path))):
        if header.sop_instance_uid in known:
            left_out.append(LeftOut(header, None, "a second file of the same SOP Instance UID"))
            continue
        if header.sop_instance_uid:
            known.add(header.sop_instance_uid)
        yield header


def _place_in_study(stack: Stack) -> tuple[object, ...]:
    b_value, phase = stack.b_value.value, stack.phase.value
    return (
        stack.series_number,
        stack.series_instance_uid,
        -1.0 if b_value is None else b_value,
        stack.echo_number or 0,
        stack.echo_ms or 0.0,
        stack.component.value,
        phase.number if phase is not None else 0,
        stack.repetition or 0,
        stack.normal,
        stack.frames[0].position_mm,
    )


def _stack(group: Group) -> Stack:
    first = min(group.frames, key=lambda frame: (frame.instance_number, frame.header.sop_instance_uid))
    elements = FrameElements(first.header.dataset)
    normal = canonical_normal(group.orientation)
    diffusion = first.weighting.value is Weighting.DIFFUSION
    repeated = group.orders > 1
    times = [frame.acquired_s.value for frame in group.frames if frame.acquired_s.value is not None]
    phase = Phase(group.order, group.orders, None) if repeated and not diffusion else None
    return Stack(
        study_instance_uid=elements.text("StudyInstanceUID"),
        series_instance_uid=first.series_instance_uid,
        series_number=int(elements.number("SeriesNumber") or 0),
        description=elements.text("SeriesDescription"),
        modality=first.modality,
        frames=tuple(
            StackFrame(frame.header, frame.frame_number, frame.position_mm, z_mm)
            for frame, z_mm in zip(group.frames, group.z_mm, strict=True)
        ),
        plane=first.plane if first.plane.corrected_by else by_geometry(group.orientation),
        normal=(float(normal[0]), float(normal[1]), float(normal[2])),
        tilt_deg=tilt_deg(group.orientation),
        weighting=first.weighting,
        nulling=first.nulling,
        contrast=_contrast(group.frames),
        bolus_phase=first.bolus_phase,
        component=first.component,
        is_derived=first.is_derived,
        b_value=first.b_value,
        echo_ms=first.timing.echo_ms,
        echo_number=first.echo_number,
        phase=Answer(phase, group.order_reason if phase else "each place was taken once"),
        repetition=group.order if repeated and diffusion else None,
        acquired_s=min(times) if times else None,
        kernel=first.kernel,
        irradiation_uid=first.irradiation_uid,
    )


def _contrast(frames: Sequence[AcquiredFrame]) -> Answer[Contrast]:
    """The contrast of all frames; uncertain where the bolus came in between."""
    values = {frame.contrast.value for frame in frames}
    first = min(frames, key=lambda frame: (frame.instance_number, frame.header.sop_instance_uid))
    if len(values) == 1:
        return first.contrast
    return MIXED_CONTRAST
