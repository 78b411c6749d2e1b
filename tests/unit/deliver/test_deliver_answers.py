"""What a destination's numbers mean."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacs_agent.deliver import Verdict
from pacs_agent.deliver.answer import answer_for, verdict_of


@pytest.mark.parametrize(
    ("status", "verdict"),
    [
        (0x0000, Verdict.STORED),
        (0xB000, Verdict.STORED),
        (0xB006, Verdict.STORED),
        (0xB007, Verdict.STORED),
        (0x0111, Verdict.STORED),
        (0xA700, Verdict.TRY_AGAIN),
        (0xA7FF, Verdict.TRY_AGAIN),
        (0x0110, Verdict.TRY_AGAIN),
        (0xA900, Verdict.REFUSED),
        (0xC000, Verdict.REFUSED),
        (0x0122, Verdict.NOT_TAKEN),
        (0x0124, Verdict.REFUSED),
    ],
)
def test_status_has_its_meaning(status: int, verdict: Verdict) -> None:
    assert verdict_of(status) is verdict


@given(st.integers(0, 0xFFFF))
def test_every_status_means_something_and_only_known_ones_mean_stored(status: int) -> None:
    stored = status in (0, 0x0001, 0x0107, 0x0111, 0x0116) or 0xB000 <= status <= 0xBFFF
    assert (verdict_of(status) is Verdict.STORED) == stored


def test_the_number_is_kept_for_people() -> None:
    assert answer_for("1.2", 0xA700, "disk full").text == "0xA700 disk full"
