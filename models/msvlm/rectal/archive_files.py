"""The DICOM images below a folder, told apart by content: a file that was met before is not read again.

Of every file the index keeps study, patient and digest, one line each, written as it is met: a cut run goes on. A file
of another size or time is met anew. The index holds Patient IDs: keep it where the images may be kept.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.progress import track

from pacs_agent.imaging import UnusableImages, read_headers


@dataclass(frozen=True)
class ArchiveFile:
    """A file of an archive; `study_uid` is empty where it is no DICOM image. `path` is below the archive's folder."""

    path: str
    size: int
    mtime_ns: int
    study_uid: str = ""
    patient: str = ""
    sha256: str = ""

    @property
    def met_as(self) -> tuple[str, int, int]:
        """What says that a file is the one that was met."""
        return self.path, self.size, self.mtime_ns


def files_below(folder: Path, index: Path) -> list[ArchiveFile]:
    """All files below a folder, by path; those that `index` does not know yet are read."""
    known = {file.met_as: file for file in _met(index)}
    there = [_seen(path, folder) for path in sorted(folder.rglob("*")) if path.is_file()]
    new = [file for file in there if file.met_as not in known]
    index.parent.mkdir(parents=True, exist_ok=True)
    with index.open("a", encoding="utf-8") as lines:
        for file in track(new, "files of the archive", disable=not new):
            met = _read(file, folder)
            known[met.met_as] = met
            lines.write("\n" + json.dumps(asdict(met)))
    return [known[file.met_as] for file in there]


def _met(index: Path) -> Iterator[ArchiveFile]:
    """The files of an index; the half of a line that a cut run left is none."""
    for line in index.read_text(encoding="utf-8").splitlines() if index.is_file() else ():
        try:
            yield ArchiveFile(**json.loads(line))
        except (json.JSONDecodeError, TypeError):
            continue


def _seen(path: Path, folder: Path) -> ArchiveFile:
    found = path.stat()
    return ArchiveFile(str(path.relative_to(folder)), found.st_size, found.st_mtime_ns)


def _read(file: ArchiveFile, folder: Path) -> ArchiveFile:
    path = folder / file.path
    try:
        dataset = read_headers([path])[0].dataset
    except UnusableImages:
        return file
    if "Rows" not in dataset:
        return file
    with path.open("rb") as content:
        sha256 = hashlib.file_digest(content, "sha256").hexdigest()
    told = (str(dataset.get(keyword, "")).strip() for keyword in ("StudyInstanceUID", "PatientID"))
    return ArchiveFile(*file.met_as, *told, sha256)
