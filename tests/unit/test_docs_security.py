"""docs/security.md says of every hostile input what it meets, and each test that it names is there."""

import re
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
TEXT = (REPOSITORY / "docs" / "security.md").read_text(encoding="utf-8")
NUMBERS = [*"abcdefg", *map(str, range(1, 28))]


def test_every_hostile_input_has_a_line() -> None:
    assert re.findall(r"^\| (\w{1,2}) \|", TEXT, re.MULTILINE) == NUMBERS


def test_every_test_it_names_is_there_and_every_test_is_named() -> None:
    files = (REPOSITORY / "tests" / "integration").glob("test_receive_hostile_*.py")
    written = {name for file in files for name in re.findall(r"^def (test_\w+)\(", file.read_text(), re.MULTILINE)}
    named = set(re.findall(r"`(test_\w+)`", TEXT))
    assert not named - written, "tests that are no more"
    assert written - named <= BESIDE, "tests that the table should name"


BESIDE = {
    "test_12_silence_after_the_handshake_is_hung_up_on",
    "test_12_the_bound_certificate_is_let_in_and_a_broken_stream_leaves_nothing",
    "test_14_spaces_around_an_ae_title_mean_nothing",
    "test_16_a_store_on_the_context_of_verification_is_refused",
    "test_17_a_lie_about_the_group_length_changes_nothing",
}
"""Tests of what is no attack, or that say again what another one says."""
