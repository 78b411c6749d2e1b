"""Of several series of a study, the one a model reads, with a verdict on each."""

from collections.abc import Sequence
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
from pacs_agent.imaging.refusal import ReasonCode, UnusableSeries
from pacs_agent.imaging.series import OrderedSeries, Slice

THIN_MM = 3.0
"""Up to this slice distance a series counts as thin and its kernel decides before its thickness."""

_DERIVED_MAPS = frozenset({ParametricMapStorage, RTDoseStorage, SegmentationStorage})


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True)


class SeriesVerdict(_Frozen):
    """What was decided on one series. `code` is None when a model could read it; `reason` is a sentence."""

    series_instance_uid: str
    modality: str
    description: str
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


class _Candidate(NamedTuple):
    """One series, ordered if a model can read it, else with what is wrong."""

    headers: list[HeaderFile]
    slices: int
    ordered: OrderedSeries | None
    refusal: UnusableSeries | None


def choose_series(headers: Sequence[HeaderFile], accepted: AcceptedInput) -> SeriesChoice:
    """The series of a study that a model should read: thin before thick, soft before sharp kernel, more slices first.

    Every image series gets a verdict; structured reports, segmentations, maps and the like are no candidates.
    """
    candidates = [_examine(group, accepted) for group in _image_series(headers)]
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


def _examine(headers: list[HeaderFile], accepted: AcceptedInput) -> _Candidate:
    """Runs the checks in the order of ReasonCode, cheap ones first, and stops at the first that fails."""
    slices = 0
    try:
        slices = sum(map(slices_in, headers))
        _check_modality(headers, accepted)
        check_image_types(headers)
        _check_body_part(headers[0], accepted)
        _check_count(slices, accepted)
        ordered = order_series(headers)
        _check_extent(ordered, accepted)
    except UnusableSeries as refusal:
        return _Candidate(headers, slices, None, refusal)
    return _Candidate(headers, slices, ordered, None)


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


def _preference(candidate: _Candidate) -> tuple[bool, Sharpness, bool, float, int]:
    """Sort key of a usable series, the best first; equal ones stay in order of Series Number."""
    assert candidate.ordered is not None  # noqa: S101 (only usable ones are sorted)
    thickness = round(candidate.ordered.thickness_mm, 1)
    derived = "ORIGINAL" not in text(candidate.headers[0].dataset, "ImageType")
    return thickness > THIN_MM, _sharpness(candidate), derived, thickness, -candidate.slices


def _sharpness(candidate: _Candidate) -> Sharpness:
    return sharpness_of(text(candidate.headers[0].dataset, "ConvolutionKernel"))


def _verdict(candidate: _Candidate, best: _Candidate | None) -> SeriesVerdict:
    dataset = candidate.headers[0].dataset
    return SeriesVerdict(
        series_instance_uid=text(dataset, "SeriesInstanceUID"),
        modality=text(dataset, "Modality"),
        description=text(dataset, "SeriesDescription"),
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


def _described(candidate: _Candidate) -> str:
    """For example `133 axial slices, 2.50 mm apart, soft kernel STANDARD`."""
    assert candidate.ordered is not None  # noqa: S101 (only usable ones are described)
    series = candidate.ordered
    kernel = text(candidate.headers[0].dataset, "ConvolutionKernel")
    said = f", {_sharpness(candidate).name.lower()} kernel {kernel}" if kernel else ""
    return f"{len(series.slices)} {series.plane} slices, {series.thickness_mm:.2f} mm apart{said}"


def _best_refusal(candidates: Sequence[_Candidate]) -> tuple[ReasonCode, str]:
    """Code and reason of the series that came furthest; of equals the one with most slices speaks for the study."""
    refused = [(c.refusal.code.progress, c.slices, c.refusal) for c in candidates if c.refusal is not None]
    if not refused:
        return ReasonCode.NO_IMAGES, "the study has no images"
    refusal = max(refused, key=lambda entry: entry[:2])[2]
    return refusal.code, refusal.reason
