"""Files and ZIP archives that people drop, read instance by instance; what is packed may be hostile.

Names inside an archive are never used, so none can lead anywhere. What an archive says of its sizes is not believed:
bytes are counted as they come out, and one that grows too much is given up.
"""

import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO

LARGEST_INSTANCE_BYTES = 1 << 30
MOST_ENTRIES = 50_000
MOST_DIRECTORY_BYTES = 32 << 20
HIGHEST_RATIO = 250
FREE_BYTES = 64 << 20
"""An archive may unpack to this much whatever its ratio: empty images pack well."""
PIECE_BYTES = 1 << 20
_PREFIX_END = 132
_ENCRYPTED = 0x1


class FileRefused(Exception):
    """A file, or an entry of an archive, that is not taken; why, without its name, which may be a patient's."""


class Budget:
    """How many bytes the files of one transfer may still hold unpacked."""

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._spent_bytes = 0
        self._most_of_archive: int | None = None

    def begin_archive(self, packed_bytes: int) -> None:
        """From now on what is spent comes out of an archive of this size."""
        self._most_of_archive = self._spent_bytes + max(FREE_BYTES, HIGHEST_RATIO * packed_bytes)

    def end_archive(self) -> None:
        """What is spent from now on was not packed."""
        self._most_of_archive = None

    def spend(self, count: int) -> None:
        """Raises FileRefused when too many are spent."""
        self._spent_bytes += count
        if self._spent_bytes > self._most_bytes:
            raise FileRefused("the files hold more than bring_in.max_unpacked_gb allows; bring them in by parts")
        if self._most_of_archive is not None and self._spent_bytes > self._most_of_archive:
            raise FileRefused(f"an archive that grows to more than {HIGHEST_RATIO} times its size; it is given up")


def count_of(path: Path) -> int:
    """How many files a file holds: the entries of an archive, else itself."""
    if not _is_zip(path):
        return 1
    with suppress(FileRefused), _opened(path) as archive:
        return len(_entries(archive))
    return 1


def instances_in(path: Path, budget: Budget) -> Iterator[bytes | FileRefused | None]:
    """Each DICOM file in a file or archive; None for what is no DICOM file, FileRefused for what cannot be taken.

    Raises FileRefused when nothing more of it is taken.
    """
    if not _is_zip(path):
        yield _plain(path, budget)
        return
    with _opened(path) as archive:
        budget.begin_archive(path.stat().st_size)
        for entry in _entries(archive):
            yield _unpacked(archive, entry, budget)
        budget.end_archive()


def _plain(path: Path, budget: Budget) -> bytes | FileRefused | None:
    with path.open("rb") as file:
        return _dicom(file, budget)


def _dicom(file: IO[bytes], budget: Budget) -> bytes | FileRefused | None:
    """A whole DICOM file. PS3.10 7.1: a preamble of 128 bytes, then DICM. What has none of it is not read further."""
    content = bytearray(file.read(_PREFIX_END))
    if content[128:] != b"DICM":
        return None
    while piece := file.read(PIECE_BYTES):
        content += piece
        budget.spend(len(piece))
        if len(content) > LARGEST_INSTANCE_BYTES:
            return FileRefused(f"an instance of more than {LARGEST_INSTANCE_BYTES >> 20} MB")
    return bytes(content)


def _is_zip(path: Path) -> bool:
    with path.open("rb") as file:
        head = file.read(_PREFIX_END)
    return head[:4] in (b"PK\x03\x04", b"PK\x05\x06") and head[128:] != b"DICM"


def _opened(path: Path) -> zipfile.ZipFile:
    _check_directory(path)
    try:
        return zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError, ValueError, struct.error, NotImplementedError) as error:
        raise FileRefused("an archive that cannot be read; pack it again as a plain ZIP") from error


def _entries(archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    entries = [entry for entry in archive.infolist() if not entry.filename.endswith("/")]
    if len(entries) > MOST_ENTRIES:
        raise FileRefused(f"an archive of more than {MOST_ENTRIES} files; bring it in by parts")
    return entries


def _unpacked(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, budget: Budget) -> bytes | FileRefused | None:
    if entry.flag_bits & _ENCRYPTED:
        return FileRefused("an encrypted entry of an archive; pack it without a password")
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return FileRefused("an entry compressed by another method than Deflate; pack it again as a plain ZIP")
    try:
        with archive.open(entry) as file:
            return _dicom(file, budget)
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, NotImplementedError, RuntimeError):
        return FileRefused("a broken entry of an archive; pack it again")


def _check_directory(path: Path) -> None:
    """Refuses an archive whose list of entries alone would fill the memory. APPNOTE.TXT 4.3.14 to 4.3.16."""
    size = path.stat().st_size
    with path.open("rb") as file:
        file.seek(max(0, size - 65_557))
        tail = file.read()
        at = tail.rfind(b"PK\x05\x06")
        if at < 0 or len(tail) - at < 22:
            raise FileRefused("an archive that is cut off; pack it again")
        (directory_bytes,) = struct.unpack_from("<L", tail, at + 12)
        large = tail.rfind(b"PK\x06\x06", 0, at)
        if directory_bytes == 0xFFFFFFFF and large >= 0 and len(tail) - large >= 56:
            (directory_bytes,) = struct.unpack_from("<Q", tail, large + 40)
    if directory_bytes > MOST_DIRECTORY_BYTES:
        raise FileRefused(f"an archive of more than {MOST_ENTRIES} files; bring it in by parts")
