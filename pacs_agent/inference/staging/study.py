"""The stacks of a study that are read together: which are, which are left out and why."""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict

from pacs_agent.imaging import (
    AcceptedInput,
    Corrections,
    HeaderFile,
    OrderedSeries,
    Plane,
    ReasonCode,
    SeriesPart,
    SeriesVerdict,
    Slice,
    Stack,
    UnusableSeries,
    body_part_fault,
    group_study,
    is_same_scan,
    no_corrections,
    order_series,
    reconstruction_order,
)
from pacs_agent.inference.staging.acquired import PLANES, Acquired, SequenceId, acquired_by_stack, is_readable
from pacs_agent.inference.staging.manifest import StagingManifest, WantedSeries
from pacs_agent.inference.staging.scale import Window

NOT_EXPECTED = "it is none of the series that are expected"
WHICH_RECONSTRUCTION = "originals before reformats, soft before sharp kernels, thin before thick slices"


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True)


class ReadStack(_Frozen):
    """One stack that is read: its slices, and what the model is told of how they were acquired."""

    name: str
    series: OrderedSeries
    acquired: Acquired
    window_hu: Window | None = None
    """In which the model sees CT."""

    def is_of(self, plane: Plane, sequence: SequenceId) -> bool:
        """Whether it is in this plane and of this weighting."""
        return self.acquired.plane == PLANES.index(plane) and self.acquired.sequence is sequence


class ReadStudy(_Frozen):
    """All stacks of a study that are read together, the one that shows the spread of a tumour best first."""

    stacks: tuple[ReadStack, ...]

    @property
    def slices(self) -> tuple[Slice, ...]:
        """The slices of all stacks, as the model counts them."""
        return tuple(one for stack in self.stacks for one in stack.series.slices)

    def finest(self, plane: Plane, sequence: SequenceId) -> int | None:
        """The place of the stack of this plane and weighting with the finest pixels; None where there is none."""
        places = [place for place, stack in enumerate(self.stacks) if stack.is_of(plane, sequence)]
        return min(places, key=lambda place: self.stacks[place].series.slices[0].spacing_mm[0], default=None)

    def slices_of(self, place: int) -> range:
        """The places of one stack's slices among those of all."""
        first = sum(len(stack.series.slices) for stack in self.stacks[:place])
        return range(first, first + len(self.stacks[place].series.slices))


class StudyChoice(_Frozen):
    """What is read of a study with a verdict on each stack; `chosen` None: why nothing is, as `code` and `reason`."""

    chosen: ReadStudy | None
    verdicts: tuple[SeriesVerdict, ...]
    code: ReasonCode | None = None
    reason: str
    lacks: tuple[str, ...] = ()
    """Series that the model learned to read and the study has not, by name."""


def choose_stacks(
    headers: Iterable[HeaderFile],
    manifest: StagingManifest,
    among: Sequence[SeriesPart] | None = None,
    corrections: Corrections = no_corrections,
) -> StudyChoice:
    """Every stack of a study that the model reads; of a CT scan in one plane one reconstruction.

    `among`: parts of which alone some are read; None for all.
    """
    offers = [_offer(stack, manifest, among) for stack in group_study(headers, corrections).stacks]
    usable = [offer.stack for offer in offers if offer.read]
    best = {id(stack): _best_of_scan(stack, usable) for stack in usable}
    read = [offer.read for offer in offers if offer.read and best[id(offer.stack)] is offer.stack]
    verdicts = [_verdict(offer, best.get(id(offer.stack), offer.stack)) for offer in offers]
    lacks = tuple(wanted for wanted in manifest.series if not any(_is_wanted(one, wanted) for one in read))
    names = tuple(wanted.name for wanted in lacks)
    if missing := ", ".join(wanted.name for wanted in lacks if wanted.required):
        reason = f"the model does not read a study without {missing}"
        return StudyChoice(
            chosen=None, verdicts=tuple(verdicts), code=ReasonCode.NOT_EXPECTED, reason=reason, lacks=names
        )
    if not read:
        code, reason = _best_refusal(verdicts)
        return StudyChoice(chosen=None, verdicts=tuple(verdicts), code=code, reason=reason, lacks=names)
    study = ReadStudy(stacks=tuple(_in_order(read)))
    reason = f"{len(study.slices)} slices of {len(read)} stacks are read together"
    return StudyChoice(chosen=study, verdicts=tuple(verdicts), reason=reason, lacks=names)


class _Offer(NamedTuple):
    """A stack of the study as it would be read, or why it cannot be."""

    stack: Stack
    read: ReadStack | None
    refusal: UnusableSeries | None = None


def _offer(stack: Stack, manifest: StagingManifest, among: Sequence[SeriesPart] | None) -> _Offer:
    try:
        return _Offer(stack, _read_stack(stack, manifest, among))
    except UnusableSeries as refusal:
        return _Offer(stack, None, refusal)


def _best_of_scan(stack: Stack, usable: Sequence[Stack]) -> Stack:
    """The reconstruction that is read of the scan of a stack: it, or another one that suits better."""
    return min((one for one in usable if one is stack or is_same_scan(stack, one)), key=reconstruction_order)


def _read_stack(stack: Stack, manifest: StagingManifest, among: Sequence[SeriesPart] | None) -> ReadStack:
    """The stack in order. Raises UnusableSeries where the model does not read it."""
    part, accepts = SeriesPart.of_stack(stack), manifest.accepts
    if among is not None and not any(_lies_in(part, one) for one in among):
        raise UnusableSeries(ReasonCode.NOT_EXPECTED, NOT_EXPECTED)
    _check(stack, accepts)
    headers = {frame.header.sop_instance_uid: frame.header for frame in stack.frames}
    series = order_series(list(headers.values()), part)
    low, high = accepts.min_thickness_mm, accepts.max_thickness_mm
    if not low <= series.thickness_mm <= high:
        fault = f"the slices are {series.thickness_mm:.2f} mm apart; the model reads {low:g} to {high:g} mm"
        raise UnusableSeries(ReasonCode.WRONG_THICKNESS, fault)
    window_hu = manifest.window_hu if stack.modality == "CT" else None
    return ReadStack(name=stack.name, series=series, acquired=acquired_by_stack(stack), window_hu=window_hu)


def _check(stack: Stack, accepts: AcceptedInput) -> None:
    """Raises UnusableSeries for a stack that the model does not read, by its headers alone."""
    if stack.modality not in accepts.modalities:
        fault = f"the modality is {stack.modality or 'not given'}; the model reads {', '.join(accepts.modalities)}"
        raise UnusableSeries(ReasonCode.WRONG_MODALITY, fault)
    if not is_readable(stack):
        raise UnusableSeries(ReasonCode.LOCALIZER, f"{stack.name} is of no kind that is read: {stack.reason}")
    if fault := body_part_fault(stack.frames[0].header.dataset, accepts.body_parts):
        raise UnusableSeries(ReasonCode.WRONG_BODY_PART, fault)
    count = len(stack.frames)
    if count < accepts.min_slices:
        fault = f"{count} slice{'s' if count != 1 else ''}; the model needs at least {accepts.min_slices}"
        raise UnusableSeries(ReasonCode.TOO_FEW_SLICES, fault)
    if count > accepts.max_slices:
        raise UnusableSeries(ReasonCode.TOO_MANY_SLICES, f"{count} slices; the model reads {accepts.max_slices}")
    if stack.plane.value not in accepts.planes:
        fault = f"the slices are {stack.plane.value}; the model reads {', '.join(accepts.planes)}"
        raise UnusableSeries(ReasonCode.WRONG_PLANE, fault)


def _lies_in(part: SeriesPart, wanted: SeriesPart) -> bool:
    """Whether all images of a stack are among those that a rule expects."""
    if part.series_instance_uid != wanted.series_instance_uid:
        return False
    return wanted.images is None or _images(part) <= _images(wanted)


def _images(part: SeriesPart) -> set[tuple[str, int | None]]:
    return {(uid, number) for uid, numbers in (part.images or {}).items() for number in (numbers or (None,))}


def _is_wanted(one: ReadStack, wanted: WantedSeries) -> bool:
    acquired = one.acquired
    if wanted.contrasts and acquired.contrast.name not in wanted.contrasts:
        return False
    return PLANES[acquired.plane] in wanted.planes and acquired.sequence.name in wanted.sequences


def _in_order(read: Sequence[ReadStack]) -> Iterator[ReadStack]:
    """The finest axial T2 first, the others in the order of the study."""
    first = ReadStudy(stacks=tuple(read)).finest(Plane.AXIAL, SequenceId.T2) or 0
    yield read[first]
    yield from (one for place, one in enumerate(read) if place != first)


def _verdict(offer: _Offer, best: Stack) -> SeriesVerdict:
    """What was decided on a stack; `best` is what is read of its scan."""
    stack, refusal = offer.stack, offer.refusal
    if refusal is not None:
        reason = refusal.reason
    elif best is stack:
        reason = f"read: {len(stack.frames)} slices, {stack.reason}"
    else:
        reason = f"of the same scan series {best.series_number} is read, {best.name}: {WHICH_RECONSTRUCTION}"
    return SeriesVerdict(
        series_instance_uid=stack.series_instance_uid,
        modality=stack.modality,
        description=stack.description,
        stack=stack.name,
        slices=len(stack.frames),
        chosen=refusal is None and best is stack,
        code=refusal.code if refusal else None,
        reason=reason,
    )


def _best_refusal(verdicts: Sequence[SeriesVerdict]) -> tuple[ReasonCode, str]:
    """Code and reason of the stack that came furthest."""
    refused = [(one.code.progress, one.slices, one) for one in verdicts if one.code is not None]
    if not refused:
        return ReasonCode.NO_IMAGES, "the study has no images that lie in stacks"
    best = max(refused, key=lambda entry: entry[:2])[2]
    return best.code or ReasonCode.NO_IMAGES, best.reason
