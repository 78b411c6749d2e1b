"""What a review may say of a reading. Every check raises ReviewRefused with what is wrong and what to do."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from pacs_agent.inference.attributes import PLACES
from pacs_agent.inference.reading import FindingReading, Presence, StudyReading
from pacs_agent.results import Action, Edited, FindingReview, SliceSeen
from pacs_agent.review.errors import ReviewRefused
from pacs_agent.review.model import ReviewRequest

LOBES = tuple(place for place in PLACES if place.endswith(" lobe"))


@dataclass(frozen=True)
class ImageKnown:
    """An image of the study that was received. Sizes are None where the archive does not know them."""

    frames: int
    rows: int | None
    columns: int | None


Images = Mapping[str, ImageKnown]
"""Images of the study by SOP Instance UID."""


def check_review(request: ReviewRequest, reading: StudyReading, images: Images) -> None:
    """Everything that the form of the request does not settle."""
    of_model = {finding.label.key: finding for finding in reading.findings}
    _check_keys(request.findings, of_model)
    for handled in request.findings:
        _CHECKS[handled.action](handled, of_model[handled.finding], images)
    if request.text is not None and not request.text.strip():
        raise ReviewRefused("the text of the report is empty; write one, or leave the draft as it is")
    if request.verify:
        _check_all_handled(request.findings, reading.findings)
    elif not request.findings and request.text is None:
        raise ReviewRefused("nothing was reviewed; accept, reject or edit a finding, or change the text")


def missing_for_verify(handled: Iterable[FindingReview], findings: Iterable[FindingReading]) -> list[FindingReading]:
    """The findings that are not absent and that nobody has handled."""
    known = {one.finding for one in handled}
    return [one for one in findings if one.presence is not Presence.ABSENT and one.label.key not in known]


def _check_keys(findings: Iterable[FindingReview], of_model: Mapping[str, FindingReading]) -> None:
    seen: set[str] = set()
    for handled in findings:
        if handled.finding not in of_model:
            raise ReviewRefused(f"the model does not know the finding {handled.finding!r}; it knows {_list(of_model)}")
        if handled.finding in seen:
            raise ReviewRefused(f"{of_model[handled.finding].label.name} was handled twice; send one answer")
        seen.add(handled.finding)


def _check_all_handled(handled: Iterable[FindingReview], findings: Iterable[FindingReading]) -> None:
    missing = missing_for_verify(handled, findings)
    if missing:
        names = ", ".join(one.label.name for one in missing)
        raise ReviewRefused(f"not handled yet: {names}; accept, reject or edit each before you verify")


def _check_accepted(handled: FindingReview, said: FindingReading, images: Images) -> None:
    if handled.edited or handled.slice:
        raise ReviewRefused(f"{said.label.name} was accepted and changed at once; say that it was edited")


def _check_rejected(handled: FindingReview, said: FindingReading, images: Images) -> None:
    if said.presence is Presence.ABSENT:
        raise ReviewRefused(f"{said.label.name} was not said to be there; add it on a slice if it is")
    if not handled.reason.strip():
        raise ReviewRefused(f"{said.label.name} was rejected without a reason; give one")
    if handled.edited or handled.slice:
        raise ReviewRefused(f"{said.label.name} was rejected and changed at once; say that it was edited")


def _check_edited(handled: FindingReview, said: FindingReading, images: Images) -> None:
    _check_statement(_statement(handled, said), said)
    if handled.slice:
        _check_slice(handled.slice, said, images)


def _check_added(handled: FindingReview, said: FindingReading, images: Images) -> None:
    statement = _statement(handled, said)
    if said.presence is not Presence.ABSENT:
        raise ReviewRefused(f"{said.label.name} is in the result already; edit it instead of adding it")
    if statement.presence is Presence.ABSENT:
        raise ReviewRefused(f"{said.label.name} was added as absent; say whether it is present or uncertain")
    if handled.slice is None:
        raise ReviewRefused(f"{said.label.name} was added without a slice; add it on the slice where it is seen")
    _check_statement(statement, said)
    _check_slice(handled.slice, said, images)


def _statement(handled: FindingReview, said: FindingReading) -> Edited:
    if handled.edited is None:
        raise ReviewRefused(f"{said.label.name} was {handled.action}, but nothing is said of it; say what is seen")
    return handled.edited


def _check_statement(edited: Edited, said: FindingReading) -> None:
    unknown = [lobe for lobe in edited.lobes if lobe not in LOBES]
    if unknown:
        raise ReviewRefused(f"{said.label.name}: there is no {_list(unknown)}; the lobes are {_list(LOBES)}")
    if edited.grade is not None and not 0 <= edited.grade < len(said.grades):
        words = f"its grades are 0 to {len(said.grades) - 1}, {_list(said.grades)}" if said.grades else "it has none"
        raise ReviewRefused(f"{said.label.name}: there is no grade {edited.grade}; {words}")
    if edited.presence is Presence.ABSENT and (
        edited.sides or edited.lobes or edited.grade is not None or edited.count
    ):
        raise ReviewRefused(f"{said.label.name} is absent, yet has a place, grade or count; leave these out")


def _check_slice(seen: SliceSeen, said: FindingReading, images: Images) -> None:
    image = images.get(seen.sop_instance_uid)
    if image is None:
        raise ReviewRefused(f"{said.label.name}: image {seen.sop_instance_uid} is not one of this study")
    if seen.frame_number is not None and seen.frame_number > image.frames:
        raise ReviewRefused(f"{said.label.name}: the image has {image.frames} frames, not {seen.frame_number}")
    if image.frames > 1 and seen.frame_number is None:
        raise ReviewRefused(f"{said.label.name}: the image has {image.frames} frames; say on which it is seen")
    if seen.point_px is not None and not _is_inside(seen.point_px, image):
        raise ReviewRefused(f"{said.label.name}: the point {seen.point_px} lies outside of the image")


def _is_inside(point_px: tuple[float, float], image: ImageKnown) -> bool:
    """Whether row and column lie on a pixel; the border of the first one is at -0.5."""
    sizes = (image.rows, image.columns)
    return all(size is None or -0.5 <= value <= size - 0.5 for value, size in zip(point_px, sizes, strict=True))


def _list(words: Iterable[str]) -> str:
    return ", ".join(words)


_CHECKS: dict[Action, Callable[[FindingReview, FindingReading, Images], None]] = {
    Action.ACCEPTED: _check_accepted,
    Action.REJECTED: _check_rejected,
    Action.EDITED: _check_edited,
    Action.ADDED: _check_added,
}
