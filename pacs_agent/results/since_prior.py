"""What changed since the prior study: two readings of one model compared, finding by finding.

Nothing is claimed that the two readings do not carry: where one of them is uncertain, or they say different things of
where and how many, the finding cannot be compared (docs/decisions, "A prior is compared only beyond doubt").
"""

from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

from pacs_agent.imaging import OrderedSeries, Plane
from pacs_agent.inference.reading import (
    Change,
    FindingChange,
    FindingReading,
    MeasuredRegion,
    Obstacle,
    Presence,
    PriorSlice,
    PriorStudy,
    SincePrior,
    StudyReading,
)
from pacs_agent.results.codes import LENGTH, PLACES, concept
from pacs_agent.results.sources import SourceSlice, source_slice
from pacs_agent.results.stated import SAID_AS_VOLUME, stated_regions

VOLUME_RATIO = 1.25
"""From this ratio of volumes on, either way, one is larger: smaller differences are within what measuring the same
lesion again gives. British Thoracic Society, guidelines for pulmonary nodules, Thorax 2015;70 Suppl 2: 25 %."""
DIAMETER_MM = 2.0
"""From this difference on, one diameter is larger. Fleischner Society 2017, Radiology 284:228: 2 mm."""
LENGTH_RATIO, LENGTH_MM = 1.2, 5.0
"""From this ratio and this difference on, both of them, one length is larger. RECIST 1.1 (Eisenhauer, Eur J Cancer
2009;45:228) calls a growth by 20 % and 5 mm progress; it is asked for either way here, so that neither is favoured."""
GRADES_APART = 2
"""From this difference of grades on, one is larger: with one less, a finding on the border of two grades is enough."""
COVERED = 0.8
"""The shorter series covers at least this share of the longer, or what is gone may only be out of the picture."""
THICKNESS_RATIO = 1.5
"""Sizes are compared where the slices of one series are at most so many times as far apart as those of the other."""
SLICES_OF_CHANGE = 3
"""Slices of each of the two studies that are named for a finding."""


class _Sized(NamedTuple):
    """What one kind of size says: by how much it differs, what it was, and what it is."""

    by: Literal["grade", "volume", "diameter"]
    change: Change | None
    """None: the two are too near to tell larger from unchanged."""
    value: float | None
    prior_value: float | None


def since_prior(reading: StudyReading, before: StudyReading, prior: PriorStudy) -> SincePrior:
    """The changes from `before`, the reading of `prior`, to `reading`. With the two swapped, the changes are reversed.

    Both are whole readings, with their measurements where they have any. Nothing is compared where the two are of
    different models or versions, or of series of other kinds or that show different parts. What says only where another
    finding lies has no more and no less.
    """
    why = _other_model(reading, before) or _other_images(reading, before) or _other_part(reading, before)
    if why:
        return SincePrior(prior=prior, not_compared=why)
    known = {each.label.key: each for each in before.findings}
    changes = [
        change.model_copy(update={"prior_slices": _slices(known[each.label.key], before)})
        for each in reading.findings
        if each.label.key in known and concept(each.label.code) not in PLACES
        for change in _changes(_Pair(reading, before, each, known[each.label.key]))
    ]
    return SincePrior(prior=prior, series_instance_uid=before.series.series_instance_uid, findings=tuple(changes))


def _other_model(reading: StudyReading, before: StudyReading) -> str:
    now, then = reading.bundle, before.bundle
    if now.digest == then.digest:
        return ""
    return f"It was read by {then.name} {then.version}, this study by {now.name} {now.version}."


def _other_images(reading: StudyReading, before: StudyReading) -> str:
    """Why what one study shows the other may not show at all; empty where both have images of the same kinds."""
    now, then = set(_series_by_kind(reading)), set(_series_by_kind(before))
    if now == then:
        return ""
    if len(now) == len(then) == 1:
        return f"Its series is {then.pop()}, that of this study {now.pop()}."
    return f"Only one of the two has {' and '.join(sorted(now ^ then))} images."


def _other_part(reading: StudyReading, before: StudyReading) -> str:
    """Why what is absent in one may lie outside of it; empty where the series of each kind show the same part."""
    now, then = _series_by_kind(reading), _series_by_kind(before)
    for kind, series in now.items():
        covered, before_mm = (max(map(_covered_mm, each)) for each in (series, then[kind]))
        if min(covered, before_mm) < COVERED * max(covered, before_mm):
            which = "series" if len(now) == 1 else f"{kind} series"
            return f"Its {which} covers {before_mm:.0f} mm, that of this study {covered:.0f} mm."
    return ""


def _series_by_kind(reading: StudyReading) -> dict[str, list[OrderedSeries]]:
    """By plane and weighting as they are called, as `axial T2`; by plane and modality where no weighting is known."""
    found = dict[str, list[OrderedSeries]]()
    sequences = reading.sequences or ("",) * len(reading.all_series)
    for series, sequence in zip(reading.all_series, sequences, strict=True):
        found.setdefault(f"{series.plane} {sequence or series.modality}", []).append(series)
    return found


def _covered_mm(series: OrderedSeries) -> float:
    return series.slices[-1].z_mm - series.slices[0].z_mm + series.thickness_mm


class _Pair(NamedTuple):
    """One finding in both readings."""

    reading: StudyReading
    before: StudyReading
    now: FindingReading
    then: FindingReading

    @property
    def key(self) -> str:
        return self.now.label.key

    @property
    def sides(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        return self.now.attributes.all_sides, self.then.attributes.all_sides


def _changes(pair: _Pair) -> Iterator[FindingChange]:
    """What is to be said of a finding; nothing where it is absent in both."""
    presences = {pair.now.presence, pair.then.presence}
    if presences == {Presence.ABSENT}:
        return
    if Presence.UNCERTAIN in presences:
        yield _not_comparable(pair, (), Obstacle.UNCERTAIN)
    elif pair.then.presence is Presence.ABSENT:
        yield _said(pair, Change.NEW, pair.sides[0])
    elif pair.now.presence is Presence.ABSENT:
        yield _said(pair, Change.GONE, pair.sides[1])
    else:
        yield from _of_present(pair)


def _of_present(pair: _Pair) -> Iterator[FindingChange]:
    """Present in both: side by side, as what lies on another side is another thing."""
    now, then = pair.sides
    if bool(now) != bool(then):
        yield _not_comparable(pair, (), Obstacle.PLACE)
        return
    shared = tuple(side for side in now if side in then)
    if new := tuple(side for side in now if side not in then):
        yield _said(pair, Change.NEW, new)
    if gone := tuple(side for side in then if side not in now):
        yield _said(pair, Change.GONE, gone)
    if shared or not now:
        yield _of_same_sides(pair, shared)


def _of_same_sides(pair: _Pair, sides: tuple[str, ...]) -> FindingChange:
    """What lies on the same sides in both, compared by what is known of its size."""
    if _lobes(pair.now, sides) != _lobes(pair.then, sides):
        return _not_comparable(pair, sides, Obstacle.LOBES)
    measured, graded = _by_measurement(pair, sides), _by_grade(pair)
    if measured is not None:
        if {measured.change, graded.change if graded else None} == {Change.LARGER, Change.SMALLER}:
            return _not_comparable(pair, sides, Obstacle.CONTRADICTION)
        return _of_size(pair, sides, measured)
    if pair.now.attributes.count != pair.then.attributes.count:
        return _not_comparable(pair, sides, Obstacle.COUNT)
    if set(pair.sides[0]) != set(pair.sides[1]):
        return _not_comparable(pair, sides, Obstacle.EXTENT)
    if graded is not None:
        return _of_size(pair, sides, graded)
    return _said(pair, Change.UNCHANGED, sides)


def _lobes(finding: FindingReading, sides: Sequence[str]) -> set[str]:
    return {lobe for lobe in finding.attributes.lobes if lobe.split()[0] in sides}


def _by_grade(pair: _Pair) -> _Sized | None:
    """None where neither has a grade."""
    now, then = pair.now.attributes.grade, pair.then.attributes.grade
    if now is None and then is None:
        return None
    if now is None or then is None or pair.now.grades != pair.then.grades:
        return _Sized("grade", None, now, then)
    change = None if 0 < abs(now - then) < GRADES_APART else _larger(now - then, GRADES_APART)
    return _Sized("grade", change, now, then)


def _by_measurement(pair: _Pair, sides: tuple[str, ...]) -> _Sized | None:
    """By what the model or one segmenter measured in both; None where they did not, or it is not the same for certain.

    Of findings that are said by their diameter one region alone is compared: which of several is which is not known.
    """
    if sized := _by_length(pair):
        return sized
    now, then = _regions(pair.reading, pair.now, sides), _regions(pair.before, pair.then, sides)
    if not now or not then or not _same_measure(pair):
        return None
    if not _sides_of(now) == _sides_of(then) in ({""}, set(sides)):
        return None
    if pair.key in SAID_AS_VOLUME:
        volume, before = (sum(one.measured.volume_ml for one in each) for each in (now, then))
        if volume <= 0 or before <= 0:
            return None
        change = Change.LARGER if volume >= VOLUME_RATIO * before else Change.UNCHANGED
        change = Change.SMALLER if before >= VOLUME_RATIO * volume else change
        return _Sized("volume", change, volume, before)
    if len(now) != 1 or len(then) != 1:
        return None
    longest, before = now[0].measured.longest_diameter_mm, then[0].measured.longest_diameter_mm
    return _Sized("diameter", _larger(longest - before, DIAMETER_MM), longest, before)


def _by_length(pair: _Pair) -> _Sized | None:
    """By the length that the model itself measured; None where it did not, or not on images of one plane in both."""
    now, then = _length(pair.reading, pair.key), _length(pair.before, pair.key)
    if now is None or then is None or now.plane is not then.plane:
        return None
    differ = max(now.mm, then.mm) >= LENGTH_RATIO * min(now.mm, then.mm)
    return _Sized("diameter", _larger(now.mm - then.mm, LENGTH_MM) if differ else Change.UNCHANGED, now.mm, then.mm)


class _Length(NamedTuple):
    """How long a finding is, and in which plane that was measured."""

    mm: float
    plane: Plane


def _length(reading: StudyReading, key: str) -> _Length | None:
    planes = {series.series_instance_uid: series.plane for series in reading.all_series}
    for one in reading.distances:
        if one.finding == key and concept(one.type) == LENGTH:
            return _Length(one.value_mm, planes[one.series_instance_uid])
    return None


def _regions(reading: StudyReading, finding: FindingReading, sides: tuple[str, ...]) -> list[MeasuredRegion]:
    stated = stated_regions(finding, reading.measurements) if reading.measurements else ()
    return [one for one in stated if not (one.side and sides) or one.side in sides]


def _sides_of(regions: Sequence[MeasuredRegion]) -> set[str]:
    return {one.side for one in regions}


def _same_measure(pair: _Pair) -> bool:
    now, then = pair.reading.measurements, pair.before.measurements
    if now is None or then is None or now.model.digest != then.model.digest:
        return False
    thinner, thicker = sorted((pair.reading.series.thickness_mm, pair.before.series.thickness_mm))
    return thicker <= THICKNESS_RATIO * thinner


def _larger(difference: float, tolerance: float) -> Change:
    if difference >= tolerance:
        return Change.LARGER
    return Change.SMALLER if difference <= -tolerance else Change.UNCHANGED


def _of_size(pair: _Pair, sides: tuple[str, ...], sized: _Sized) -> FindingChange:
    update = {"by": sized.by, "value": sized.value, "prior_value": sized.prior_value}
    if sized.change is None:
        return _not_comparable(pair, sides, Obstacle.GRADE).model_copy(update=update)
    return _said(pair, sized.change, sides).model_copy(update=update)


def _said(pair: _Pair, change: Change, sides: Sequence[str]) -> FindingChange:
    return FindingChange.model_validate({"finding": pair.key, "change": change, "sides": sides})


def _not_comparable(pair: _Pair, sides: Sequence[str], obstacle: Obstacle) -> FindingChange:
    return _said(pair, Change.NOT_COMPARABLE, sides).model_copy(update={"obstacle": obstacle})


def _slices(finding: FindingReading, before: StudyReading) -> tuple[PriorSlice, ...]:
    slices = (source_slice(one, before.all_series) for one in finding.evidence[:SLICES_OF_CHANGE])
    return tuple(_prior_slice(one, before.series.series_instance_uid) for one in slices)


def _prior_slice(found: SourceSlice, first_uid: str) -> PriorSlice:
    one, series_uid = found.slice, found.series.series_instance_uid
    return PriorSlice(
        sop_class_uid=one.sop_class_uid,
        sop_instance_uid=one.sop_instance_uid,
        frame_number=one.frame_number,
        series_instance_uid="" if series_uid == first_uid else series_uid,
    )
