"""Splits by patient."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.datasets.splits import split_of

shares = (
    st.lists(st.integers(0, 9), min_size=1, max_size=5)
    .filter(any)
    .map(lambda parts: {f"s{k}": part / sum(parts) for k, part in enumerate(parts)})
)


@settings(deadline=None)
@given(st.text(min_size=1), shares, st.text())
def test_a_patient_is_always_in_the_same_split_and_never_in_an_empty_one(patient, shares, salt):
    split = split_of(patient, shares, salt)
    assert shares[split] > 0.0
    assert split == split_of(patient, dict(shares), salt)


@settings(deadline=None)
@given(st.text(min_size=1), st.floats(0.05, 0.9), st.floats(0.0, 0.05))
def test_a_larger_first_split_keeps_those_it_had(patient, first, more):
    if split_of(patient, {"train": first, "test": 1.0 - first}) == "train":
        assert split_of(patient, {"train": first + more, "test": 1.0 - first - more}) == "train"


def test_the_shares_come_out_and_another_salt_draws_anew():
    patients = [f"P{number}" for number in range(4000)]
    shares = {"train": 0.7, "validation": 0.1, "test": 0.2}
    drawn = [split_of(patient, shares) for patient in patients]
    counts = Counter(drawn)
    assert all(abs(counts[name] / 4000 - share) < 0.03 for name, share in shares.items())
    again = [split_of(patient, shares, "other") for patient in patients]
    assert sum(a == b for a, b in zip(drawn, again, strict=True)) < 0.65 * 4000


@pytest.mark.parametrize("bad", [{}, {"a": 0.5}, {"a": 1.5, "b": -0.5}])
def test_shares_that_are_none_are_refused(bad):
    with pytest.raises(ValueError, match="add up"):
        split_of("P1", bad)


def test_a_study_without_a_patient_is_refused():
    with pytest.raises(ValueError, match="patient"):
        split_of("")
