"""What the fuzzer starts from and what it found (tests/fuzz), and some mutations of it, without the fuzzer."""

import random
from collections.abc import Callable

import pytest

from tests.fuzz import commands, data_set, wire
from tests.fuzz.fuzzer import CORPUS

TARGETS: dict[str, Callable[[bytes], None]] = {
    "wire": wire.check,
    "commands": commands.check,
    "data_set": data_set.check,
}
MUTATIONS = 2000


@pytest.mark.parametrize("target", TARGETS)
def test_every_input_of_the_corpus_is_taken_or_refused(target: str) -> None:
    inputs = sorted((CORPUS / target).iterdir())
    assert len(inputs) >= 10
    for file in inputs:
        TARGETS[target](file.read_bytes())


@pytest.mark.parametrize("target", TARGETS)
def test_damaged_inputs_are_taken_or_refused(target: str) -> None:
    chance = random.Random(target)
    inputs = [file.read_bytes() for file in sorted((CORPUS / target).iterdir())]
    for _ in range(MUTATIONS):
        TARGETS[target](mutated(chance.choice(inputs), chance))


def mutated(whole: bytes, chance: random.Random) -> bytes:
    """An input with one to four pieces changed, cut out, or doubled."""
    encoded = bytearray(whole)
    for _ in range(chance.randint(1, 4)):
        start = chance.randint(0, len(encoded))
        end = min(len(encoded), start + chance.choice((1, 2, 4, 30)))
        extreme = chance.choice((0, 1, 0x7F, 0x80, 0xFE, 0xFF, chance.randrange(256)))
        piece = encoded[start:end]
        encoded[start:end] = chance.choice(
            (bytes([extreme]) * len(piece), b"", piece * 2, chance.randbytes(len(piece)))
        )
    return bytes(encoded)
