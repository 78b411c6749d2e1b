"""Uploaded files straight to disk, one open at a time: a study dropped as 1,000 files needs no 1,000 handles."""

import os
import tempfile
from pathlib import Path
from typing import IO, Any

from flask import Request

MOST_PARTS = 20_000
"""Fields and files of one form: a large study dropped as single files."""


class ParkedFile:
    """A file of an upload: written once, rewound, read. It is open only meanwhile, and gone when it is closed."""

    def __init__(self) -> None:
        handle, name = tempfile.mkstemp(prefix="pacs-agent-upload-")
        self._path = Path(name)
        self._file: IO[bytes] | None = os.fdopen(handle, "w+b")

    def write(self, content: bytes) -> int:
        """Appends."""
        return self._opened().write(content)

    def read(self, size: int = -1) -> bytes:
        """The next bytes; the file is let go of at its end."""
        content = self._opened().read(size)
        if not content or size < 0:
            self._let_go()
        return content

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """To the beginning lets go of the file until it is read: werkzeug does so when it has written all."""
        if (offset, whence) == (0, os.SEEK_SET):
            self._let_go()
            return 0
        return self._opened().seek(offset, whence)

    def seekable(self) -> bool:
        """True; zipfile asks."""
        return True

    def tell(self) -> int:
        """The position."""
        return self._file.tell() if self._file else 0

    def close(self) -> None:
        """Removes the file."""
        self._let_go()
        self._path.unlink(missing_ok=True)

    def __del__(self) -> None:
        self.close()

    def _opened(self) -> IO[bytes]:
        if self._file is None:
            self._file = self._path.open("r+b")
        return self._file

    def _let_go(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


class ParkingRequest(Request):
    """A request whose uploaded files are parked."""

    max_form_parts = MOST_PARTS

    def _get_file_stream(self, *_: Any, **__: Any) -> IO[bytes]:
        return ParkedFile()  # type: ignore[return-value]
