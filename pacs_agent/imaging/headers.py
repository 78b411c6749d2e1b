"""Headers of files: everything but the pixel data, read within limits."""

import threading
import zlib
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar

from pydicom import Dataset, dcmread
from pydicom.dataelem import RawDataElement
from pydicom.filereader import read_file_meta_info
from pydicom.uid import DeflatedExplicitVRLittleEndian

from pacs_agent.archive import UNREADABLE_FILE
from pacs_agent.imaging.attributes import text
from pacs_agent.imaging.refusal import UnusableSlice

MAX_FILE_BYTES = 2 << 30
MAX_INFLATED_BYTES = 1 << 30
RECENT_HEADERS = 1500
"""Some 30 kB each."""
LARGE_PRIVATE_BYTES = 16 << 10
_CHUNK_BYTES = 1 << 20

Fact = TypeVar("Fact")


@dataclass(frozen=True, eq=False)
class HeaderFile:
    """A Part 10 file and its data set without the pixel data, which nobody may change."""

    path: Path
    dataset: Dataset
    facts: dict[object, Any] = field(default_factory=dict, init=False, repr=False)
    """What was derived of the data set, see `fact`: its study may be looked at again for each image that comes."""

    def text(self, keyword: str) -> str:
        """The text of an attribute, its values joined by a backslash; empty when it is missing."""
        if (known := self.facts.get(keyword)) is None:
            known = self.facts[keyword] = text(self.dataset, keyword)
        return str(known)

    @property
    def sop_instance_uid(self) -> str:
        """SOP Instance UID, empty when the file has none."""
        return _sop_instance_uid(self)

    @property
    def name(self) -> str:
        """What people find the image by: its SOP Instance UID, or its file name."""
        return self.sop_instance_uid or self.path.name

    @property
    def transfer_syntax_uid(self) -> str:
        """Transfer Syntax UID of the file meta information, empty when unknown. PS3.10 7.1."""
        return _transfer_syntax_uid(self)


def fact(derive: Callable[[HeaderFile], Fact]) -> Callable[[HeaderFile], Fact]:
    """Derives a fact of a header once and keeps it with the header. What it raises is not kept.

    A fact must not hold the header itself: it would be in memory until Python's collector finds the cycle.
    """

    @wraps(derive)
    def known_or_derived(header: HeaderFile) -> Fact:
        if (known := header.facts.get(derive)) is None:
            known = header.facts[derive] = derive(header)
        return known

    return known_or_derived


@fact
def _sop_instance_uid(header: HeaderFile) -> str:
    return str(header.dataset.get("SOPInstanceUID", ""))


@fact
def _transfer_syntax_uid(header: HeaderFile) -> str:
    return str(getattr(header.dataset, "file_meta", Dataset()).get("TransferSyntaxUID", ""))


def read_headers(paths: Iterable[Path]) -> list[HeaderFile]:
    """The headers of files, in the order given.

    Raises UnusableSlice for a file that is not DICOM, is cut off before its pixel data, or inflates beyond 1 GiB.
    """
    return [HeaderFile(path, read_file(path, pixels=False)) for path in paths]


def without_large_private_values(header: HeaderFile) -> HeaderFile:
    """A header that was just read, without private elements of more than 16 KiB: protocols and raw data of the vendor.

    Siemens' alone have a tenth of a megabyte in each image; of a study of thousands all headers lie in memory at once.
    """
    dataset = header.dataset
    raw = (one for one in dataset.values() if isinstance(one, RawDataElement))
    for tag in [one.tag for one in raw if one.tag.is_private and one.length > LARGE_PRIVATE_BYTES]:
        del dataset[tag]
    return header


class RecentHeaders:
    """Headers read lately, so that a study of many files is not parsed again by each step. Safe to use from threads.

    A file that was written anew since is read again. Nobody may change the data sets.
    """

    def __init__(self, most: int = RECENT_HEADERS) -> None:
        self.most = most
        self._known: OrderedDict[tuple[Path, int, int], HeaderFile] = OrderedDict()
        self._lock = threading.Lock()

    def read(self, paths: Iterable[Path]) -> list[HeaderFile]:
        """The headers of files, in the order given. Raises UnusableSlice as `read_headers` does."""
        return [self._read(path) for path in paths]

    def _read(self, path: Path) -> HeaderFile:
        try:
            state = path.stat()
        except OSError:
            return read_headers([path])[0]  # which says what is wrong
        version = (path, state.st_size, state.st_mtime_ns)
        with self._lock:
            if (known := self._known.get(version)) is not None:
                self._known.move_to_end(version)
                return known
        [header] = read_headers([path])
        if "PerFrameFunctionalGroupsSequence" not in header.dataset:
            self._keep(version, header)
        return header

    def _keep(self, version: tuple[Path, int, int], header: HeaderFile) -> None:
        """Enhanced images are not kept: one header of them may be as large as a thousand others."""
        with self._lock:
            self._known[version] = header
            while len(self._known) > self.most:
                self._known.popitem(last=False)


def read_file(path: Path, *, pixels: bool) -> Dataset:
    """The data set of a Part 10 file, with or without its pixel data. Raises UnusableSlice naming the file."""
    try:
        _check_size(path)
        return dcmread(path, stop_before_pixels=not pixels)
    except UnusableSlice:
        raise
    except UNREADABLE_FILE as error:
        why = getattr(error, "strerror", None) or error  # an OSError's own text has the whole path
        raise UnusableSlice("", f"{path.name} cannot be read as DICOM: {why}") from error


def _check_size(path: Path) -> None:
    """Refuses a file that does not fit in memory. PS3.5 A.5: deflated data declare no size, so they are measured."""
    if (size := path.stat().st_size) > MAX_FILE_BYTES:
        raise UnusableSlice("", f"{path.name} has {size} bytes; at most {MAX_FILE_BYTES} are read")
    if read_file_meta_info(path).get("TransferSyntaxUID") != DeflatedExplicitVRLittleEndian:
        return
    if _inflated_bytes(path) > MAX_INFLATED_BYTES:
        raise UnusableSlice("", f"{path.name} inflates to more than {MAX_INFLATED_BYTES} bytes")


def _inflated_bytes(path: Path) -> int:
    """Size of a deflated data set, counted without keeping it, up to just past the limit."""
    inflater, total = zlib.decompressobj(-zlib.MAX_WBITS), 0
    with path.open("rb") as file:
        file.seek(_length_of_meta(path))
        while (chunk := inflater.unconsumed_tail or file.read(_CHUNK_BYTES)) and total <= MAX_INFLATED_BYTES:
            total += len(inflater.decompress(chunk, _CHUNK_BYTES))
    return total


def _length_of_meta(path: Path) -> int:
    """Offset of the data set: preamble, prefix, the group length element and the group it measures. PS3.10 7.1."""
    return 128 + 4 + 12 + int(read_file_meta_info(path).FileMetaInformationGroupLength)
