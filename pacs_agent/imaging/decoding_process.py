"""A process that decodes for `DecodingPool`: python -m pacs_agent.imaging.decoding_process SETTINGS.

It reads requests from its standard input (a length of four bytes, then slices of one file as JSON) and answers on its
standard output, for each slice until one fails: a length, a JSON object and, where that names no fault, the slice's
rows × columns values of int16, little endian. It begins with four bytes that say that it is ready, and ends with its
input, so that none outlives a worker. It has no network to ask, may write no file and gives way to everything else.
"""

import json
import os
import resource
import signal
import struct
import sys
from collections.abc import Iterator, Sequence
from typing import BinaryIO

from pydantic import TypeAdapter

from pacs_agent.config import DecodingSettings
from pacs_agent.imaging.pixels import slices_of_file
from pacs_agent.imaging.refusal import UnusableImages, UnusableSlice
from pacs_agent.imaging.series import Slice

NICE = 5
ORPHANED_S = 5
"""Seconds after the time for a slice at which the kernel ends a process whose parent did not."""
_LENGTH = struct.Struct(">I")
_SLICES = TypeAdapter(list[Slice])


def main() -> None:
    """Serves until its input ends."""
    settings = DecodingSettings.model_validate_json(sys.argv[1])
    requests, answers = _own_pipes()
    _limit(settings)
    answers.write(_LENGTH.pack(0))
    while head := requests.read(_LENGTH.size):
        slices = _SLICES.validate_json(requests.read(_LENGTH.unpack(head)[0]))
        for answer in _answers(slices, int(settings.slice_s) + ORPHANED_S):
            answers.write(answer)
        signal.alarm(0)


def _own_pipes() -> tuple[BinaryIO, BinaryIO]:
    """Input and output that no codec can print into: its standard output is the standard error from here on."""
    answers = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)
    return os.fdopen(os.dup(0), "rb"), answers


def _limit(settings: DecodingSettings) -> None:
    """Memory, no files, no core dump, low priority."""
    limit_bytes = settings.memory_mb << 20
    resource.setrlimit(resource.RLIMIT_AS, (limit_bytes, limit_bytes))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.nice(NICE)


def _answers(slices: Sequence[Slice], slice_s: int) -> Iterator[bytes]:
    signal.alarm(slice_s)
    try:
        for pixels in slices_of_file(slices):
            yield _said({})
            yield pixels.astype("<i2", copy=False).tobytes()
            signal.alarm(slice_s)
    except UnusableImages as error:
        fault = error.args[1] if isinstance(error, UnusableSlice) else error.reason
        yield _said({"fault": fault, "code": error.code})


def _said(words: dict[str, str]) -> bytes:
    text = json.dumps(words).encode()
    return _LENGTH.pack(len(text)) + text


if __name__ == "__main__":
    main()
