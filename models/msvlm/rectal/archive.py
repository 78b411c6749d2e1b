"""A hospital's own studies with their stagings: DICOM files in folders of any layout, and a table of the seven items.

Splits are by patient, by a digest of salt and Patient ID: a patient is never in two, and a study that arrives later
moves no other.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import click

from models.datasets.splits import split_of
from models.msvlm.distributed import lead_first
from models.msvlm.rectal.archive_files import ArchiveFile, files_below
from models.msvlm.rectal.items import Told
from models.msvlm.rectal.staging_table import WrongTable, read_patients, read_stagings
from models.phantoms.pelvis import Item

SHARES = {"reader": 0.6, "validation": 0.15, "test": 0.25}
"""Share of the patients in each split."""


class ArchiveFault(ValueError):
    """An archive cannot be learned from; says what to do."""


@dataclass(frozen=True)
class StagedStudy:
    """A study that has images and a staging; `told` is what the table knows of it."""

    uid: str
    patient: str
    split: str
    paths: tuple[Path, ...]
    digest: str
    """Of the content of its files."""
    told: Mapping[Item, Told]


@dataclass(frozen=True)
class LeftOutStudy:
    """A study that is not learned from, and why."""

    uid: str
    reason: str


@dataclass(frozen=True)
class StagedArchive:
    """The studies of a folder that a table tells the staging of; `cache` is where what was found in the files is kept.

    `share` of the studies of a training step are the archive's, the others phantoms.
    """

    folder: Path
    table: Path
    cache: Path
    share: float = 0.5
    salt: str = ""

    def __post_init__(self) -> None:
        if not 0.0 < self.share <= 1.0:
            raise ArchiveFault(f"the share of the archive is {self.share}; it must be above 0 and at most 1")

    @cached_property
    def _sorted(self) -> tuple[tuple[StagedStudy, ...], tuple[LeftOutStudy, ...]]:
        """What is learned from, and what is not. Raises WrongTable."""
        return lead_first(self._looked_through)

    def _looked_through(self) -> tuple[tuple[StagedStudy, ...], tuple[LeftOutStudy, ...]]:
        told, patients = read_stagings(self.table), read_patients(self.table)
        index = hashlib.sha256(str(self.folder.resolve()).encode()).hexdigest()[:12]
        files: dict[str, list[ArchiveFile]] = {uid: [] for uid in told}
        for file in files_below(self.folder, self.cache / "archives" / f"{index}.jsonl"):
            if file.study_uid:
                files.setdefault(file.study_uid, []).append(file)
        found = [self._study(uid, files[uid], told.get(uid), patients) for uid in sorted(files)]
        return (
            tuple(one for one in found if isinstance(one, StagedStudy)),
            tuple(one for one in found if isinstance(one, LeftOutStudy)),
        )

    def _study(
        self, uid: str, files: Sequence[ArchiveFile], told: Mapping[Item, Told] | None, named: Mapping[str, str]
    ) -> StagedStudy | LeftOutStudy:
        """A study, and whose it is: as the table says where it has a column of patients, else by Patient ID."""
        if told is None:
            return LeftOutStudy(uid, f"{self.table.name} has no row of it")
        patients = {named[uid]} if named else {file.patient for file in files}
        reasons = {
            f"{self.folder.name} has no images of it": not files,
            "its row tells no item": not told,
            "nothing says whose it is, so that patients could part": "" in patients,
            f"its images name {len(patients)} patients": len(patients) > 1,
        }
        if reason := next((reason for reason, holds in reasons.items() if holds), ""):
            return LeftOutStudy(uid, reason)
        [patient] = patients
        once = {file.sha256: self.folder / file.path for file in files}
        digest = hashlib.sha256("\n".join(sorted(once)).encode()).hexdigest()[:16]
        return StagedStudy(uid, patient, split_of(patient, SHARES, self.salt), tuple(once.values()), digest, told)

    @property
    def left_out(self) -> tuple[LeftOutStudy, ...]:
        """Studies that are not learned from, as far as table and headers tell. Raises WrongTable."""
        return self._sorted[1]

    def studies(self, split: str) -> tuple[StagedStudy, ...]:
        """The studies of a split. Raises WrongTable."""
        return tuple(study for study in self._sorted[0] if study.split == split)

    def content(self) -> dict[str, object]:
        """What the reader learns from: images and items of its split, and how much of it."""
        return {"share": self.share, "studies": list(self._facts("reader"))}

    def _facts(self, split: str) -> Iterator[list[object]]:
        for study in self.studies(split):
            told = {item.value: (one.level, one.is_exact) for item, one in sorted(study.told.items())}
            yield [study.uid, study.digest, told]


def archive_of(
    folder: Path | None, table: Path | None, cache: Path, share: float = 0.5, salt: str = ""
) -> StagedArchive | None:
    """The archive that a command names; none where it names none. Raises click's UsageError for half of one."""
    if folder is None and table is None:
        return None
    if folder is None or table is None:
        raise click.UsageError("--archive and --labels go together: the images and their seven items")
    return StagedArchive(folder, table, cache, share, salt)


@contextmanager
def told_to_the_user() -> Iterator[None]:
    """Within: what is wrong with an archive or its table ends the command with its message alone."""
    try:
        yield
    except (ArchiveFault, WrongTable) as fault:
        raise click.ClickException(str(fault)) from fault
