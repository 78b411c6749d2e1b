"""Of several series of a study, the one a model reads, with a verdict on each."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict
from pydicom.uid import UID, ParametricMapStorage, RTDoseStorage, SegmentationStorage

from pacs_agent.imaging.accept import AcceptedInput
from pacs_agent.imaging.attributes import MalformedAttribute, text, whole_number
from pacs_agent.imaging.body_part import body_part_fault
from pacs_agent.imaging.checks import check_image_types
from pacs_agent.imaging.frames import SLICE_CLASSES, slices_in
from pacs_agent.imaging.geometry import plane_of
from pacs_agent.imaging.headers import HeaderFile, fact
from pacs_agent.imaging.kernel import Sharpness, sharpness_of
from pacs_agent.imaging.order import order_series, slices_of_header
from pacs_agent.imaging.part import SeriesPart
from pacs_agent.imaging.refusal import ReasonCode, UnusableSeries
from pacs_agent.imaging.series import OrderedSeries, Slice

THIN_MM = 3.0
"""Up to this slice distance a series counts as thin and its kernel decides before its thickness."""

NOT_EXPECTED = "it is none of the series that are expected"

_DERIVED_MAPS = frozenset({ParametricMapStorage, RTDoseStorage, SegmentationStorage})


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True)


class SeriesVerdict(_Frozen):
    """What was decided on one series, or on a stack of it.

    `code` is None when a model could read it; `reason` is a sentence.
    """

    series_instance_uid: str
    modality: str
    description: str
    stack: str = ""
    """Name of the stack; empty for the whole series."""
    slices: int
    chosen: bool
    code: ReasonCode | None
    reason: str


class SeriesChoice(_Frozen):
    """The series to read, or why there is none: then `code` and `reason` are those of the series that came furthest."""

    chosen: OrderedSeries | None
    verdicts: tuple[SeriesVerdict, ...]
    code: ReasonCode | None
    reason: str


class _Offer(NamedTuple):
    """One series, or a part of it, that may be read, and its place among what is expected; the first is read rather."""

    headers: list[HeaderFile]
    part: SeriesPart | None = None
    place: int = 0


class _Candidate(NamedTuple):
    """What is offered, ordered if a model can read it, else with what is wrong."""

    offer: _Offer
    slices: int
    ordered: OrderedSeries | None
    refusal: UnusableSeries | None

    @property
    def headers(self) -> list[HeaderFile]:
        return self.offer.headers


def choose_series(
    headers: Sequence[HeaderFile], accepted: AcceptedInput, among: Sequence[SeriesPart] | None = None
) -> SeriesChoice:
    """The series of a study that a model should read: thin before thick, soft before sharp kernel, more slices first.

    `among`: parts of the study of which alone one may be read, those named first rather; None for all of it. Every
    image series gets a verdict; structured reports, segmentations, maps and the like are no candidates.
    """
    candidates = [candidate for group in _image_series(headers) for candidate in _candidates(group, accepted, among)]
    usable = sorted((c for c in candidates if c.ordered is not None), key=_preference)
    best = usable[0] if usable else None
    verdicts = tuple(_verdict(candidate, best) for candidate in candidates)
    if best is not None:
        reason = next(verdict.reason for verdict in verdicts if verdict.chosen)
        return SeriesChoice(chosen=best.ordered, verdicts=verdicts, code=None, reason=reason)
    code, reason = _best_refusal(candidates)
    return SeriesChoice(chosen=None, verdicts=verdicts, code=code, reason=reason)


class Promise(NamedTuple):
    """How a series promises to fare in the choice, by one header of it; a smaller one is read first."""

    sharpness: Sharpness
    derived: bool


def slices_ahead(header: HeaderFile, accepted: AcceptedInput) -> tuple[Slice, ...]:
    """The slices of one file, of which it cannot be told yet that the model will not read them; none otherwise.

    They are those that `choose_series` gives when the series is complete and chosen, see `slices_of_header`.
    """
    if not _is_image(header):
        return ()
    try:
        _check_modality([header], accepted)
        _check_body_part(header, accepted)
        slices = slices_of_header(header)
    except UnusableSeries:
        return ()
    return slices if plane_of(slices[0].orientation) in accepted.planes else ()


def promise_of(header: HeaderFile) -> Promise:
    """What one header says of its series' place in the choice."""
    kernel, image_type = text(header.dataset, "ConvolutionKernel"), text(header.dataset, "ImageType")
    return Promise(sharpness_of(kernel), "ORIGINAL" not in image_type)


@fact
def _is_image(header: HeaderFile) -> bool:
    return "Rows" in header.dataset and header.dataset.get("SOPClassUID") not in _DERIVED_MAPS


def _image_series(headers: Sequence[HeaderFile]) -> list[list[HeaderFile]]:
    """Files grouped by series, only those with an image of the patient, in order of Series Number."""
    groups: dict[str, list[HeaderFile]] = {}
    for header in headers:
        if _is_image(header):
            groups.setdefault(header.text("SeriesInstanceUID"), []).append(header)
    return sorted(
        groups.values(), key=lambda group: (_series_number(group[0]), text(group[0].dataset, "SeriesInstanceUID"))
    )


def _series_number(header: HeaderFile) -> int:
    try:
        return whole_number(header.dataset, "SeriesNumber")
    except MalformedAttribute:
        return 0


def _candidates(
    headers: list[HeaderFile], accepted: AcceptedInput, among: Sequence[SeriesPart] | None
) -> Iterator[_Candidate]:
    """What may be read of one series, examined; the series refused where nothing of it is expected."""
    if among is None:
        yield _examine(_Offer(headers), accepted)
        return
    offers = list(_offers(headers, among))
    yield from (_examine(offer, accepted) for offer in offers)
    if not offers:
        yield _not_expected(headers)


def _offers(headers: list[HeaderFile], among: Sequence[SeriesPart]) -> Iterator[_Offer]:
    """The parts of one series that are expected and there, each once, by its first place."""
    uid = headers[0].text("SeriesInstanceUID")
    known: list[SeriesPart] = []
    for place, part in enumerate(among):
        files = part.files(headers) if part.series_instance_uid == uid else []
        if files and part not in known:
            known.append(part)
            yield _Offer(files, part, place)


def _not_expected(headers: list[HeaderFile]) -> _Candidate:
    slices = 0
    with suppress(UnusableSeries):
        slices = sum(map(slices_in, headers))
    return _Candidate(_Offer(headers), slices, None, UnusableSeries(ReasonCode.NOT_EXPECTED, NOT_EXPECTED))


def _examine(offer: _Offer, accepted: AcceptedInput) -> _Candidate:
    """Runs the checks in the order of ReasonCode, cheap ones first, and stops at the first that fails."""
    headers, part, _ = offer
    slices = 0
    try:
        slices = part.slices(headers) if part else sum(map(slices_in, headers))
        _check_modality(headers, accepted)
        check_image_types(headers)
        _check_body_part(headers[0], accepted)
        _check_count(slices, accepted)
        ordered = order_series(headers, part)
        _check_extent(ordered, accepted)
    except UnusableSeries as refusal:
        return _Candidate(offer, slices, None, refusal)
    return _Candidate(offer, slices, ordered, None)


def _check_modality(headers: Sequence[HeaderFile], accepted: AcceptedInput) -> None:
    wanted = ", ".join(accepted.modalities)
    modalities = {header.text("Modality") for header in headers}
    if not modalities <= set(accepted.modalities):
        fault = f"the modality is {', '.join(sorted(modalities)) or 'not given'}; the model reads {wanted}"
        raise UnusableSeries(ReasonCode.WRONG_MODALITY, fault)
    known = frozenset[str]().union(*(SLICE_CLASSES.get(modality, frozenset()) for modality in modalities))
    if others := {header.text("SOPClassUID") for header in headers} - known:
        names = ", ".join(sorted(UID(uid).name for uid in others))
        fault = f"{names} is no slice of modality {', '.join(sorted(modalities))}"
        raise UnusableSeries(ReasonCode.WRONG_MODALITY, fault)


def _check_body_part(header: HeaderFile, accepted: AcceptedInput) -> None:
    if fault := body_part_fault(header.dataset, accepted.body_parts):
        raise UnusableSeries(ReasonCode.WRONG_BODY_PART, fault)


def _check_count(slices: int, accepted: AcceptedInput) -> None:
    if slices < accepted.min_slices:
        fault = f"{slices} slice{'s' if slices != 1 else ''}; the model needs at least {accepted.min_slices}"
        raise UnusableSeries(ReasonCode.TOO_FEW_SLICES, fault)
    if slices > accepted.max_slices:
        raise UnusableSeries(ReasonCode.TOO_MANY_SLICES, f"{slices} slices; the model reads {accepted.max_slices}")


def _check_extent(series: OrderedSeries, accepted: AcceptedInput) -> None:
    """Plane, slice distance and coverage against what the model accepts."""
    if series.plane not in accepted.planes:
        fault = f"the slices are {series.plane}; the model reads {', '.join(accepted.planes)}"
        raise UnusableSeries(ReasonCode.WRONG_PLANE, fault)
    low, high = accepted.min_thickness_mm, accepted.max_thickness_mm
    if not low <= series.thickness_mm <= high:
        fault = f"the slices are {series.thickness_mm:.2f} mm apart; the model reads {low:g} to {high:g} mm"
        raise UnusableSeries(ReasonCode.WRONG_THICKNESS, fault)
    coverage = series.slices[-1].z_mm - series.slices[0].z_mm + series.thickness_mm
    if coverage < accepted.min_coverage_mm:
        fault = f"the slices cover {coverage:.0f} mm; the model needs {accepted.min_coverage_mm:g} mm"
        raise UnusableSeries(ReasonCode.TOO_SHORT, fault)


def _preference(candidate: _Candidate) -> tuple[int, bool, Sharpness, bool, float, int]:
    """Sort key of a usable series, the best first; equal ones stay in order of Series Number."""
    assert candidate.ordered is not None  # noqa: S101 (only usable ones are sorted)
    thickness = round(candidate.ordered.thickness_mm, 1)
    derived = "ORIGINAL" not in text(candidate.headers[0].dataset, "ImageType")
    place = candidate.offer.place
    return place, thickness > THIN_MM, _sharpness(candidate), derived, thickness, -candidate.slices


def _sharpness(candidate: _Candidate) -> Sharpness:
    return sharpness_of(text(candidate.headers[0].dataset, "ConvolutionKernel"))


def _verdict(candidate: _Candidate, best: _Candidate | None) -> SeriesVerdict:
    dataset = candidate.headers[0].dataset
    return SeriesVerdict(
        series_instance_uid=text(dataset, "SeriesInstanceUID"),
        modality=text(dataset, "Modality"),
        description=text(dataset, "SeriesDescription"),
        stack=_stack(candidate),
        slices=candidate.slices,
        chosen=candidate is best,
        code=candidate.refusal.code if candidate.refusal else None,
        reason=_in_words(candidate, best),
    )


def _in_words(candidate: _Candidate, best: _Candidate | None) -> str:
    if candidate.refusal is not None:
        return candidate.refusal.reason
    if candidate is best or best is None:
        return f"chosen: {_described(candidate)}"
    return f"usable ({_described(candidate)}), but another series suits better ({_described(best)})"


def _stack(candidate: _Candidate) -> str:
    """Name of the stack that is offered; empty for a whole series."""
    return candidate.offer.part.stack if candidate.offer.part else ""


def _described(candidate: _Candidate) -> str:
    """For example `133 axial slices, 2.50 mm apart, soft kernel STANDARD`; of a stack its name before it."""
    assert candidate.ordered is not None  # noqa: S101 (only usable ones are described)
    series = candidate.ordered
    kernel = text(candidate.headers[0].dataset, "ConvolutionKernel")
    said = f", {_sharpness(candidate).name.lower()} kernel {kernel}" if kernel else ""
    stack = f"{name}: " if (name := _stack(candidate)) else ""
    return f"{stack}{len(series.slices)} {series.plane} slices, {series.thickness_mm:.2f} mm apart{said}"


def _best_refusal(candidates: Sequence[_Candidate]) -> tuple[ReasonCode, str]:
    """Code and reason of the series that came furthest; of equals the one with most slices speaks for the study."""
    refused = [(c.refusal.code.progress, c.slices, c.refusal) for c in candidates if c.refusal is not None]
    if not refused:
        return ReasonCode.NO_IMAGES, "the study has no images"
    refusal = max(refused, key=lambda entry: entry[:2])[2]
    return refusal.code, refusal.reason
