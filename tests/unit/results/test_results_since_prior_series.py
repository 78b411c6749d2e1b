"""Two readings of several series compared: the same kinds of images in both, and a tumour by its measured length."""

import pytest
from prior_cases import PRIOR
from several_series import distance, several_series

from pacs_agent.inference.reading import Change, Code, MeasuredDistance, StudyReading
from pacs_agent.results.codes import LENGTH, PLACES
from pacs_agent.results.since_prior import since_prior

SEQUENCES = ("T2", "T2", "T2", "DIFFUSION", "DIFFUSION")


def read(**changes: object) -> StudyReading:
    said = several_series()[0].model_copy(update={"sequences": SEQUENCES})
    return said.model_copy(update=changes)


def long_tumour(of: StudyReading, length_mm: float, place: int = 1) -> StudyReading:
    """The same, with a tumour of that length, measured on one of its series."""
    code = Code(value=LENGTH.value, scheme=LENGTH.scheme_designator, meaning=LENGTH.meaning)
    measured = distance(of.all_series[place], length_mm, "tumour", "Tumour length")
    return of.model_copy(update={"distances": (measured.model_copy(update={"type": code}), *_margins(of))})


def _margins(of: StudyReading) -> list[MeasuredDistance]:
    return [one for one in of.distances if one.finding == "crm"]


def of_tumour(now: StudyReading, then: StudyReading) -> tuple[Change, str]:
    ((found),) = since_prior(now, then, PRIOR).of_finding("tumour")
    return found.change, found.by


def test_a_reading_is_unchanged_beside_itself_and_names_the_series_of_each_slice() -> None:
    said = read()
    since = since_prior(said, said, PRIOR)
    assert {one.change for one in since.findings} == {Change.UNCHANGED}
    named = {slice_.series_instance_uid for one in since.findings for slice_ in one.prior_slices}
    assert named <= {"", *(each.series_instance_uid for each in said.further_series)}
    assert len(named) > 1


@pytest.mark.parametrize(
    ("now_mm", "then_mm", "change"),
    [
        (40.0, 30.0, Change.LARGER),
        (30.0, 40.0, Change.SMALLER),
        (34.0, 30.0, Change.UNCHANGED),
        (12.0, 9.0, Change.UNCHANGED),
        (90.0, 84.0, Change.UNCHANGED),
    ],
)
def test_a_tumour_is_larger_by_a_fifth_and_five_millimetres(now_mm: float, then_mm: float, change: Change) -> None:
    assert of_tumour(long_tumour(read(), now_mm), long_tumour(read(), then_mm)) == (change, "diameter")


def test_lengths_of_different_planes_are_not_compared() -> None:
    assert of_tumour(long_tumour(read(), 60.0, 1), long_tumour(read(), 30.0, 0)) == (Change.UNCHANGED, "presence")


def test_where_a_tumour_lies_is_no_more_and_no_less() -> None:
    ((place),) = PLACES
    code = Code(value=place.value, scheme=place.scheme_designator, meaning=place.meaning)

    def located(level: int) -> StudyReading:
        said = read()
        findings = [
            one.model_copy(
                update={
                    "label": one.label.model_copy(update={"code": code}),
                    "attributes": one.attributes.model_copy(update={"grade": level}),
                }
            )
            if one.label.key == "location"
            else one
            for one in said.findings
        ]
        return said.model_copy(update={"findings": tuple(findings)})

    assert since_prior(located(2), located(0), PRIOR).of_finding("location") == ()


def test_what_only_one_of_the_two_shows_keeps_all_from_being_compared() -> None:
    said = read()
    fewer = said.model_copy(update={"further_series": said.further_series[1:], "sequences": SEQUENCES[1:]})
    for pair in ((said, fewer), (fewer, said)):
        since = since_prior(*pair, PRIOR)
        assert (since.findings, since.not_compared) == ((), "Only one of the two has sagittal T2 images.")


def test_a_series_that_shows_less_keeps_all_from_being_compared() -> None:
    said = read()
    first = said.further_series[0]
    short = first.model_copy(update={"slices": first.slices[:2]})
    cut = said.model_copy(update={"further_series": (short, *said.further_series[1:])})
    since = since_prior(said, cut, PRIOR)
    assert since.findings == ()
    assert since.not_compared.startswith("Its sagittal T2 series covers")
