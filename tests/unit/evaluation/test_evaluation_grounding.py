import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.evaluation.grounding import MARGIN, grounded, reads_the_image


def evaluation(correct, shuffled, blanked):
    names = ("report_macro_f1", "report_macro_f1_shuffled", "report_macro_f1_blanked")
    return {name: {"value": value} for name, value in zip(names, (correct, shuffled, blanked), strict=True)}


def test_a_model_that_reads_the_image_passes():
    assert reads_the_image(evaluation(0.9, 0.25, 0.1))


@pytest.mark.parametrize("figures", [(0.9, 0.85, 0.1), (0.9, 0.2, 0.89), (0.3, 0.25, 0.25), (None, 0.1, 0.1)])
def test_a_model_whose_figures_do_not_fall_fails(figures):
    assert not reads_the_image(evaluation(*figures))


def test_what_was_not_measured_fails():
    assert not reads_the_image({})
    assert "tokens without content" in " ".join(grounded(evaluation(0.5, 0.1, 0.5)).reasons)


@settings(deadline=None)
@given(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1))
def test_it_passes_exactly_when_both_controls_fall_by_the_margin(correct, shuffled, blanked):
    expected = correct - shuffled >= MARGIN and correct - blanked >= MARGIN
    assert reads_the_image(evaluation(correct, shuffled, blanked)) == expected
