"""Stored values of slices, decoded within limits and laid out as the Slice says."""

import math
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby, islice
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.encaps import get_frame
from pydicom.pixels.utils import iter_pixels

from pacs_agent.archive import UNREADABLE_FILE
from pacs_agent.imaging.attributes import whole_number
from pacs_agent.imaging.codestream import codestream_size
from pacs_agent.imaging.frames import Frame, frame_count, frames_of, int16_shift
from pacs_agent.imaging.geometry import turn_between
from pacs_agent.imaging.headers import HeaderFile, read_file
from pacs_agent.imaging.refusal import UnusableImages, UnusableSlice
from pacs_agent.imaging.series import OrderedSeries, Slice

MAX_PIXELS = 8192 * 8192
"""Largest slice decoded; a CT or MR slice has at most 2048 × 2048 today."""

_DECODE_ERRORS = (*UNREADABLE_FILE, IndexError, MemoryError, RuntimeError)


def read_slices(series: OrderedSeries, indices: Iterable[int] | None = None) -> Iterator[NDArray[np.int16]]:
    """Stored values of the slices at `indices` (all when None), in that order, each of shape (rows, columns).

    With the slope, intercept, spacing and orientation of the same Slice they mean HU or intensities at places in the
    patient; unsigned 16-bit values come shifted by −32768, which that intercept makes up for.
    Raises UnusableSlice for pixel data that are missing, cut off, broken, too large, or not what the header said.
    """
    yield from decoded([series.slices[i] for i in (range(len(series.slices)) if indices is None else indices)])


def decoded(slices: Iterable[Slice]) -> Iterator[NDArray[np.int16]]:
    """Stored values of slices of any files, decoded in this process. Raises UnusableSlice as `read_slices` does."""
    for _, of_one_file in groupby(slices, key=lambda s: s.path):
        yield from slices_of_file(list(of_one_file))


def slices_of_file(slices: Sequence[Slice]) -> Iterator[NDArray[np.int16]]:
    """Stored values of slices of one file, decoded in this process. Raises UnusableSlice as `read_slices` does."""
    return _slices_of_file(read_file(slices[0].path, pixels=True), slices)


def hounsfield_units(stored: NDArray[np.int16], slope: float, intercept: float) -> NDArray[np.float32]:
    """CT numbers in HU from stored values, shape (rows, columns).

    PS3.3 C.7.6.16.2.9: output = slope × stored + intercept.
    Raises UnusableSlice when slope is 0 or not finite.
    """
    if slope == 0 or not math.isfinite(slope) or not math.isfinite(intercept):
        raise UnusableSlice("", f"RescaleSlope {slope} and RescaleIntercept {intercept} give no HU")
    return stored.astype(np.float32) * np.float32(slope) + np.float32(intercept)


def _slices_of_file(dataset: Dataset, slices: Sequence[Slice]) -> Iterator[NDArray[np.int16]]:
    uid = slices[0].sop_instance_uid
    frames = [(s.frame_number or 1) - 1 for s in slices]
    try:
        turn = turn_between(_frame(dataset, slices[0], frames[0]).orientation, slices[0].orientation)
        _check_pixel_data(dataset, frames)
        shift = int16_shift(dataset)
        decoded = iter_pixels(dataset, indices=frames, raw=True)
        for one, pixels in zip(slices, decoded, strict=True):
            yield _checked(turn.pixels(_int16(pixels, shift)), one)
    except UnusableImages as error:
        raise error if isinstance(error, UnusableSlice) else UnusableSlice(uid, error.reason, error.code) from error
    except _DECODE_ERRORS as error:
        raise UnusableSlice(uid, f"its pixel data cannot be decoded: {error}") from error


def _frame(dataset: Dataset, one: Slice, index: int) -> Frame:
    """The frame as the file describes it now. Raises UnusableSlice when the file is another one than was ordered."""
    if str(dataset.get("SOPInstanceUID", "")) != one.sop_instance_uid:
        raise UnusableSlice(one.sop_instance_uid, f"{one.path.name} now holds another image")
    frame = next(islice(frames_of(HeaderFile(one.path, dataset)), index, None), None)
    if frame is None:
        raise UnusableSlice(one.sop_instance_uid, f"it has no frame {index + 1}")
    return frame


def _check_pixel_data(dataset: Dataset, frames: list[int]) -> None:
    """Compares what the header, the pixel data and the codestreams say of the size, before anything is decoded."""
    uid = str(dataset.SOPInstanceUID)
    rows, columns = whole_number(dataset, "Rows"), whole_number(dataset, "Columns")
    if rows * columns > MAX_PIXELS:
        raise UnusableSlice(uid, f"{rows} × {columns} pixels; at most {MAX_PIXELS} are decoded")
    pixel_data: bytes | None = dataset.get("PixelData")
    if not pixel_data:
        raise UnusableSlice(uid, "it has no pixel data")
    if dataset.file_meta.TransferSyntaxUID.is_encapsulated:
        _check_codestreams(dataset, pixel_data, frames, (rows, columns))
        return
    needed = rows * columns * frame_count(dataset) * whole_number(dataset, "BitsAllocated", 16) // 8
    if len(pixel_data) < needed:
        raise UnusableSlice(uid, f"its pixel data have {len(pixel_data)} bytes where {needed} belong")


def _check_codestreams(dataset: Dataset, pixel_data: bytes, frames: list[int], size: tuple[int, int]) -> None:
    """A codestream that declares another size than the header is refused, so that no decoder is led astray by it."""
    for index in frames:
        declared = codestream_size(get_frame(pixel_data, index, number_of_frames=frame_count(dataset)))
        if declared is not None and declared != size:
            fault = f"its compressed frame {index + 1} has {declared} pixels, its header {size}"
            raise UnusableSlice(str(dataset.SOPInstanceUID), fault)


def _int16(pixels: NDArray[Any], shift: int) -> NDArray[np.int16]:
    return (pixels.astype(np.int32) - shift).astype(np.int16) if shift else pixels.astype(np.int16, copy=False)


def _checked(pixels: NDArray[np.int16], one: Slice) -> NDArray[np.int16]:
    if pixels.shape != (one.rows, one.columns):
        raise UnusableSlice(one.sop_instance_uid, f"decoded to {pixels.shape}, not {(one.rows, one.columns)}")
    return pixels
