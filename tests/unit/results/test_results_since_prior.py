"""Two readings of one model compared: nothing is claimed that they do not carry."""

from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from measured_cases import EFFUSION, measured_case
from prior_cases import PRIOR
from said_attributes import ATTRIBUTES, LOBES
from study_readings import LABELS, finding, reading, series

from pacs_agent.imaging import Measured
from pacs_agent.inference.attributes import Attributes
from pacs_agent.inference.reading import Change, FindingChange, FindingReading, Obstacle, Presence, StudyReading
from pacs_agent.results import with_measurements
from pacs_agent.results.since_prior import since_prior

GRADES = ("small", "moderate", "large")
REVERSED = {
    Change.NEW: Change.GONE,
    Change.GONE: Change.NEW,
    Change.LARGER: Change.SMALLER,
    Change.SMALLER: Change.LARGER,
}
OF = series()


def read(*findings: FindingReading) -> StudyReading:
    return reading(of=OF).model_copy(update={"findings": findings})


def effusion(presence: Presence = Presence.PRESENT, grades: tuple[str, ...] = GRADES, **said: Any) -> FindingReading:
    made = finding(EFFUSION, 0.9, presence, OF)
    return made.model_copy(update={"attributes": Attributes(**said), "grades": grades})


def changes(now: FindingReading, then: FindingReading) -> list[tuple[Change, tuple[str, ...]]]:
    return [(one.change, one.sides) for one in since_prior(read(now), read(then), PRIOR).findings]


@st.composite
def readings(draw: st.DrawFn) -> StudyReading:
    found = []
    for number in range(4):
        made = finding(number, 0.5, draw(st.sampled_from(Presence)), OF)
        said = Attributes() if made.presence is Presence.ABSENT else draw(ATTRIBUTES)
        found.append(made.model_copy(update={"attributes": said, "grades": GRADES}))
    return read(*found)


@given(readings())
def test_a_reading_is_unchanged_beside_itself(said: StudyReading) -> None:
    found = since_prior(said, said, PRIOR).findings
    uncertain = {each.label.key for each in said.findings if each.presence is Presence.UNCERTAIN}
    assert {one.change for one in found if one.finding not in uncertain} <= {Change.UNCHANGED}
    assert {one.change for one in found if one.finding in uncertain} <= {Change.NOT_COMPARABLE}
    assert {one.finding for one in found} == {
        each.label.key for each in said.findings if each.presence is not Presence.ABSENT
    }


@given(readings(), readings())
def test_the_other_way_round_changes_are_reversed(now: StudyReading, then: StudyReading) -> None:
    def told(one: FindingChange) -> tuple[object, ...]:
        return one.finding, one.sides, one.by, one.obstacle

    forth, back = (since_prior(*pair, PRIOR).findings for pair in ((now, then), (then, now)))
    reversed_back = {(*told(one), REVERSED.get(one.change, one.change)) for one in back}
    assert {(*told(one), one.change) for one in forth} == reversed_back


@given(readings(), readings())
def test_what_is_not_present_in_one_of_the_two_is_never_called_larger(now: StudyReading, then: StudyReading) -> None:
    for one in since_prior(now, then, PRIOR).findings:
        present = [each.finding(one.finding).presence is Presence.PRESENT for each in (now, then)]
        assert all(present) or one.change not in (Change.LARGER, Change.SMALLER, Change.UNCHANGED)
        assert (one.obstacle is None) == (one.change is not Change.NOT_COMPARABLE)
        assert bool(one.prior_slices) == (then.finding(one.finding).presence is not Presence.ABSENT)


def test_new_and_gone_by_presence_and_by_side() -> None:
    absent = effusion(Presence.ABSENT)
    right, left, both = (effusion(sides=sides) for sides in (("right",), ("left",), ("right", "left")))
    assert changes(right, absent) == [(Change.NEW, ("right",))]
    assert changes(absent, right) == [(Change.GONE, ("right",))]
    assert changes(absent, absent) == []
    assert changes(right, left) == [(Change.NEW, ("right",)), (Change.GONE, ("left",))]
    assert changes(both, left) == [(Change.NEW, ("right",)), (Change.NOT_COMPARABLE, ("left",))]


@pytest.mark.parametrize(
    ("now", "then", "change"),
    [
        (2, 0, Change.LARGER),
        (0, 2, Change.SMALLER),
        (1, 1, Change.UNCHANGED),
        (1, 0, Change.NOT_COMPARABLE),
        (1, None, Change.NOT_COMPARABLE),
        (None, None, Change.UNCHANGED),
    ],
)
def test_grades_one_apart_may_be_an_error_of_grading(now: int | None, then: int | None, change: Change) -> None:
    assert changes(effusion(grade=now), effusion(grade=then)) == [(change, ())]


@pytest.mark.parametrize(
    ("now", "then", "obstacle"),
    [
        ({"sides": ("right",)}, {}, Obstacle.PLACE),
        ({"lobes": (LOBES[0],)}, {"lobes": (LOBES[2],)}, Obstacle.LOBES),
        ({"count": "one"}, {"count": "few"}, Obstacle.COUNT),
        ({"grade": 1}, {"grade": 2}, Obstacle.GRADE),
    ],
)
def test_what_cannot_be_compared_says_why(now: dict[str, Any], then: dict[str, Any], obstacle: Obstacle) -> None:
    (found,) = since_prior(read(effusion(**now)), read(effusion(**then)), PRIOR).findings
    assert (found.change, found.obstacle) == (Change.NOT_COMPARABLE, obstacle)


def test_other_words_of_grades_are_not_compared() -> None:
    now, then = effusion(grade=2), effusion(grade=2, grades=("mild", "moderate", "severe"))
    assert changes(now, then) == [(Change.NOT_COMPARABLE, ())]


def test_another_version_of_the_model_is_not_compared() -> None:
    now, then = reading(), reading(version="0.2.0", digest="cd" * 32)
    found = since_prior(now, then, PRIOR)
    assert found.findings == ()
    assert found.prior == PRIOR
    assert "0.2.0" in found.not_compared


def test_what_is_out_of_the_picture_is_not_called_gone() -> None:
    whole, part = reading(of=series(10)), reading("nothing", of=series(6))
    found = since_prior(part, whole, PRIOR)
    assert (found.findings, found.not_compared) == ((), "Its series covers 10 mm, that of this study 6 mm.")


def _measured(scale: float, sides: tuple[str, ...] = ("right",)) -> StudyReading:
    """A reading of an effusion and one nodule, its regions `scale` times as long and as voluminous."""
    read_, found, evidence = measured_case()
    told = with_measurements(read_, found, evidence)
    said = effusion(sides=sides).attributes
    findings = tuple(
        each.model_copy(update={"attributes": said}) if each.label.key == LABELS[EFFUSION][0] else each
        for each in told.findings
    )
    assert told.measurements
    regions = tuple(
        one.model_copy(update={"measured": one.measured.model_copy(update=_scaled(one.measured, scale))})
        for one in told.measurements.regions
    )
    measurements = told.measurements.model_copy(update={"regions": regions})
    return told.model_copy(update={"measurements": measurements, "findings": findings})


def _scaled(measured: Measured, scale: float) -> dict[str, float]:
    return {name: getattr(measured, name) * scale for name in ("volume_ml", "longest_diameter_mm")}


@pytest.mark.parametrize("scale", [1.0, 1.2, 1.3, 3.0])
def test_measured_sizes_are_larger_from_their_tolerance_on(scale: float) -> None:
    now, then = _measured(scale), _measured(1.0)
    by_key = {one.finding: one for one in since_prior(now, then, PRIOR).findings if one.by != "presence"}
    volume, diameter = by_key["pleural_effusion"], by_key["nodule"]
    assert (volume.by, volume.change) == ("volume", Change.LARGER if scale >= 1.25 else Change.UNCHANGED)
    assert diameter.by == "diameter"
    assert diameter.value is not None
    assert diameter.prior_value is not None
    grown_mm = diameter.value - diameter.prior_value
    assert diameter.change == (Change.LARGER if grown_mm >= 2 else Change.UNCHANGED)
    smaller = {one.finding: one.change for one in since_prior(then, now, PRIOR).findings}
    assert smaller["pleural_effusion"] == REVERSED.get(volume.change, volume.change)


def test_a_side_that_was_not_measured_is_not_called_larger() -> None:
    now, then = (_measured(scale, sides=("right", "left")) for scale in (3.0, 1.0))
    (found,) = since_prior(now, then, PRIOR).of_finding("pleural_effusion")
    assert (found.by, found.change) == ("presence", Change.UNCHANGED)


def test_a_measurement_by_another_segmenter_is_not_compared() -> None:
    now, then = _measured(3.0), _measured(1.0)
    assert then.measurements
    other = then.measurements.model.model_copy(update={"digest": "01" * 32})
    then = then.model_copy(update={"measurements": then.measurements.model_copy(update={"model": other})})
    assert {one.by for one in since_prior(now, then, PRIOR).findings} <= {"grade", "presence"}


@given(st.integers(0, 2), st.integers(0, 2))
def test_values_tell_what_was_compared(now: int, then: int) -> None:
    assume(abs(now - then) != 1)
    (found,) = since_prior(read(effusion(grade=now)), read(effusion(grade=then)), PRIOR).findings
    assert (found.by, found.value, found.prior_value) == ("grade", now, then)
