"""What lies in the viewer's folder: the files that `npm run fetch-viewer` put there, and its note on them."""

import os
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Annotated

from pydantic import BaseModel, Field, ValidationError

NOTE = "viewer-build.json"
PAGE = "index.html"


class ViewerMissing(Exception):
    """There is no viewer in the folder. The text says what to run."""


class _Note(BaseModel):
    """What fetch-viewer.mjs says of the folder it made."""

    version: str
    script_hashes: list[Annotated[str, Field(pattern=r"^'sha256-[A-Za-z0-9+/]{43}='$")]]


@dataclass(frozen=True)
class ViewerBuild:
    """A viewer that can be served. `files` maps the path in an address to the file; nothing else is ever given."""

    version: str
    script_hashes: tuple[str, ...]
    files: dict[str, Path]

    @property
    def page(self) -> Path:
        """The one page, which shows every route of the viewer."""
        return self.files[PAGE]


def find_viewer(folder: Path) -> ViewerBuild:
    """The viewer in a folder, read again when it was fetched again. Raises ViewerMissing."""
    note = folder / NOTE
    try:
        changed_ns = note.stat().st_mtime_ns
    except OSError:
        raise ViewerMissing(f"there is no viewer in {folder}; run `make viewer`, or set web.viewer_dir") from None
    return _read(folder.resolve(), changed_ns)  # Flask looks for relative paths elsewhere than we do


@lru_cache(maxsize=4)
def _read(folder: Path, _changed_ns: int) -> ViewerBuild:
    try:
        note = _Note.model_validate_json((folder / NOTE).read_bytes())
    except (OSError, ValidationError) as error:
        raise ViewerMissing(f"{folder / NOTE} cannot be read ({error}); run `make viewer` again") from error
    files = dict(_files(folder))
    if PAGE not in files:
        raise ViewerMissing(f"{folder} has no {PAGE}; remove the folder and run `make viewer` again")
    return ViewerBuild(note.version, tuple(note.script_hashes), files)


def _files(folder: Path) -> list[tuple[str, Path]]:
    """Every file but the note and the compressed twins, which stand in for their originals."""
    found = [Path(parent) / name for parent, _, names in os.walk(folder) for name in names]
    return [
        (str(PurePosixPath(file.relative_to(folder))), file)
        for file in found
        if file.suffix != ".gz" and file.name != NOTE
    ]
