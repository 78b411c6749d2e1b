"""Compressed pixel data are decoded in processes of their own: bounded in number, memory and time, and replaced.

A codec is a large program in C, fed with a stranger's bytes. Here it may die, take too much memory or never end, and
that costs one slice. Nothing that comes back from such a process is executed or unpickled, and its size is known before
it is read (`decoding_process` is the other side).
"""

import json
import os
import select
import struct
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import groupby, islice
from queue import Empty, SimpleQueue

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter
from pydicom.filereader import read_file_meta_info
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from pacs_agent.archive import UNREADABLE_FILE
from pacs_agent.config import DecodingSettings
from pacs_agent.imaging.pixels import MAX_PIXELS, slices_of_file
from pacs_agent.imaging.refusal import ReasonCode, UnusableImages, UnusableSlice
from pacs_agent.imaging.series import Slice

Decoded = NDArray[np.int16] | UnusableSlice
"""Stored values of a slice, or why there are none."""

NATIVE = frozenset({ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian})
"""Transfer syntaxes in which no codec takes part. PS3.5 10, annex A."""
FRAMES_AT_ONCE = 32
"""Frames of one file that are asked for together, so that a file of thousands does not fill the memory."""
MAX_WORDS_BYTES = 1 << 16
START_S = 60.0
"""How long a process may take to begin, on a machine that is busy."""
_LENGTH = struct.Struct(">I")
_SLICES = TypeAdapter(list[Slice])
_CHUNK_BYTES = 1 << 20


class DecoderLost(Exception):
    """A decoding process died or did not answer in time. The text says which."""


class DecodingPool:
    """Decodes slices; at most `processes` codecs run at a time. Processes start when they are first needed."""

    def __init__(self, settings: DecodingSettings) -> None:
        self.settings = settings
        self._idle: SimpleQueue[DecodingProcess] = SimpleQueue()
        self._threads = ThreadPoolExecutor(settings.processes, thread_name_prefix="decoding")

    def read(self, slices: Sequence[Slice]) -> Iterator[NDArray[np.int16]]:
        """Stored values of slices in their order, as `read_slices` gives them. Raises UnusableSlice."""
        for decoded in self.read_each(slices):
            if isinstance(decoded, UnusableSlice):
                raise decoded
            yield decoded

    def read_each(self, slices: Sequence[Slice]) -> Iterator[Decoded]:
        """For each slice its stored values or why it has none; a slice that cannot be decoded stops no other.

        Decoding begins with the call, some slices ahead of who takes them.
        """
        asked = iter(list(_requests(slices)))
        begun = deque(self._threads.submit(self._decode, one) for one in islice(asked, self.settings.processes + 1))
        return self._as_they_come(begun, asked)

    def _as_they_come(self, begun: deque[Future[list[Decoded]]], asked: Iterator[list[Slice]]) -> Iterator[Decoded]:
        while begun:
            yield from begun.popleft().result()
            begun.extend(self._threads.submit(self._decode, one) for one in islice(asked, 1))

    def close(self) -> None:
        """Ends the processes."""
        self._threads.shutdown(cancel_futures=True)
        while (process := self._one_idle()) is not None:
            process.end()

    def _decode(self, slices: list[Slice]) -> list[Decoded]:
        """The slices asked for of one file. What comes behind a slice that failed is asked for again."""
        done: list[Decoded] = []
        while len(done) < len(slices):
            rest = slices[len(done) :]
            done += _in_this_process(rest) if _is_native(rest[0]) else self._elsewhere(rest)
        return done

    def _elsewhere(self, slices: list[Slice]) -> list[Decoded]:
        """What another process says of the slices, up to the first that it cannot decode."""
        done: list[Decoded] = []
        process = self._one_idle() or DecodingProcess(self.settings)
        try:
            for answer in process.decode(slices):
                done.append(answer)
            self._idle.put(process)
        except DecoderLost as lost:
            process.end()
            done.append(UnusableSlice(slices[len(done)].sop_instance_uid, f"its pixel data were given up: {lost}"))
        return done

    def _one_idle(self) -> "DecodingProcess | None":
        """A process that waits and lives."""
        while True:
            try:
                process = self._idle.get_nowait()
            except Empty:
                return None
            if process.is_alive():
                return process
            process.end()


class DecodingProcess:
    """One process that decodes. Not safe to use from two threads at a time."""

    def __init__(self, settings: DecodingSettings) -> None:
        self.settings = settings
        self._process = subprocess.Popen(  # noqa: S603 (our own module, no text of anybody else)
            [sys.executable, "-m", "pacs_agent.imaging.decoding_process", settings.model_dump_json()],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # what codecs print may hold patient data
            env={name: value for name, value in os.environ.items() if not name.startswith("PACS_AGENT_")},
            bufsize=0,
        )
        self._has_begun = False

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def is_alive(self) -> bool:
        """Whether it still runs."""
        return self._process.poll() is None

    def end(self) -> None:
        """Kills it, whatever it does."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()

    def decode(self, slices: Sequence[Slice]) -> Iterator[Decoded]:
        """What it says of slices of one file, up to the first that it cannot decode.

        Raises DecoderLost when it dies or takes longer for a slice than it may; it must be ended then.
        """
        self._begin()
        self._ask(slices)
        for one in slices:
            answer = self._answer(one)
            yield answer
            if isinstance(answer, UnusableSlice):
                return

    def _begin(self) -> None:
        """Waits until it is ready: its start is not counted as time of a slice."""
        if not self._has_begun:
            self._read(_LENGTH.size, time.monotonic() + START_S)
            self._has_begun = True

    def _ask(self, slices: Sequence[Slice]) -> None:
        request = _SLICES.dump_json(list(slices))
        try:
            assert self._process.stdin is not None  # noqa: S101 (it is a pipe)
            self._process.stdin.write(_LENGTH.pack(len(request)) + request)
        except OSError as error:
            raise DecoderLost(self._how_it_ended()) from error

    def _answer(self, one: Slice) -> Decoded:
        if one.rows * one.columns > MAX_PIXELS:
            raise DecoderLost(f"{one.rows} × {one.columns} pixels; at most {MAX_PIXELS} are decoded")
        until = time.monotonic() + self.settings.slice_s
        (length,) = _LENGTH.unpack(self._read(_LENGTH.size, until))
        if length > MAX_WORDS_BYTES:
            raise DecoderLost("its decoder answered nonsense")
        fault = _fault(bytes(self._read(length, until)))
        if fault is not None:
            return UnusableSlice(one.sop_instance_uid, *fault)
        pixels = self._read(one.rows * one.columns * 2, until)
        return np.frombuffer(pixels, "<i2").reshape(one.rows, one.columns)

    def _read(self, count: int, until: float) -> bytearray:
        """So many bytes of its answer."""
        assert self._process.stdout is not None  # noqa: S101 (it is a pipe)
        descriptor, taken = self._process.stdout.fileno(), bytearray()
        while len(taken) < count:
            left_s = until - time.monotonic()
            if left_s <= 0 or not select.select([descriptor], [], [], left_s)[0]:
                raise DecoderLost(f"its decoder did not end within {self.settings.slice_s:g} s")
            chunk = os.read(descriptor, min(count - len(taken), _CHUNK_BYTES))
            if not chunk:
                raise DecoderLost(self._how_it_ended())
            taken += chunk
        return taken

    def _how_it_ended(self) -> str:
        code = self._process.wait()
        return f"its decoder died of signal {-code}" if code < 0 else f"its decoder ended with code {code}"


def decoded_each(slices: Sequence[Slice]) -> Iterator[Decoded]:
    """For each slice its stored values or why it has none, decoded in this process: for trusted images."""
    for asked in _requests(slices):
        done: list[Decoded] = []
        while len(done) < len(asked):
            done += _in_this_process(asked[len(done) :])
        yield from done


def _requests(slices: Sequence[Slice]) -> Iterator[list[Slice]]:
    """Slices that are asked for together: neighbours of one file."""
    for _, of_one_file in groupby(slices, key=lambda one: one.path):
        listed = list(of_one_file)
        for start in range(0, len(listed), FRAMES_AT_ONCE):
            yield listed[start : start + FRAMES_AT_ONCE]


def _is_native(one: Slice) -> bool:
    """Whether no codec is needed; of a file that cannot be read pydicom finds the words, here as well as there."""
    try:
        return str(read_file_meta_info(one.path).get("TransferSyntaxUID", "")) in NATIVE
    except UNREADABLE_FILE:
        return True


def _in_this_process(slices: list[Slice]) -> list[Decoded]:
    """The slices up to the first that cannot be read."""
    done: list[Decoded] = []
    try:
        for pixels in slices_of_file(slices):
            done.append(pixels)
    except UnusableImages as error:
        uid = slices[len(done)].sop_instance_uid
        done.append(error if isinstance(error, UnusableSlice) else UnusableSlice(uid, error.reason, error.code))
    return done


def _fault(words: bytes) -> tuple[str, ReasonCode] | None:
    """Why a slice was refused, or None when its pixels follow. Raises DecoderLost."""
    try:
        said = json.loads(words)
        return (str(said["fault"])[:1000], ReasonCode(said["code"])) if "fault" in said else None
    except (ValueError, TypeError, KeyError) as error:
        raise DecoderLost("its decoder answered nonsense") from error
