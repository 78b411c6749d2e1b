"""A file that says which archives to train on, and the studies of each split that come of it.

    # archives.yaml
    salt: change-me
    ct_rate:
      - root: /data/ct-rate
    dicom:
      - name: city-hospital
        folder: /data/dicom
        reports: /data/reports.csv
        columns: {accession: AccessionNumber, findings: Befund}

`python -m models.datasets.archives archives.yaml` reads every study once, prints how many each split has of each
finding, and writes those that cannot be used to `archives.unusable.tsv`, which is left out from then on.
"""

import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Protocol

import yaml
from pydantic import BaseModel, ConfigDict
from rich.console import Console
from rich.progress import track
from rich.table import Table

from models.datasets.ct_rate import CtRate
from models.datasets.dicom_folder import Columns, DicomFolder
from models.datasets.report_text import digest_of
from models.datasets.splits import split_of
from models.datasets.study import LabelledStudy, StudyUnreadable
from models.phantoms.findings import FINDINGS, Finding
from pacs_agent.imaging import UnusableImages

DEFAULT_SHARES = {"encoder": 0.5, "reader": 0.3, "validation": 0.1, "test": 0.1}
"""The reader is trained on patients that the slice encoder has not seen."""


class Archive(Protocol):
    """A collection whose patients are known without reading a volume."""

    @property
    def name(self) -> str:
        """Name of the collection, fit for a folder."""

    @property
    def code(self) -> tuple[str, ...]:
        """Source files on which its studies depend."""

    def patients(self) -> Sequence[tuple[str, str]]:
        """Study and patient of each study, in order."""

    def study(self, index: int) -> LabelledStudy:
        """One study. Raises StudyUnreadable, UnusableImages."""


@dataclass(frozen=True)
class SplitStudies:
    """The studies of an archive whose patients are in one split; a `StudySource` of training."""

    archive: Archive
    split: str
    indices: tuple[int, ...]
    patches: bool = False

    @property
    def name(self) -> str:
        """Name of the collection; another choice of studies has another name."""
        return f"{self.archive.name}-{self.split}-{digest_of(self.indices)}"

    @property
    def code(self) -> tuple[str, ...]:
        """Source files on which its studies depend."""
        return self.archive.code

    def __len__(self) -> int:
        """Number of studies."""
        return len(self.indices)

    def study(self, index: int) -> LabelledStudy:
        """A study, always the same for the same index. Raises StudyUnreadable."""
        try:
            return self.archive.study(self.indices[index])
        except UnusableImages as why:
            raise StudyUnreadable(str(why)) from why


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class CtRateEntry(_Entry):
    """CT-RATE below `root`. Its own `valid` split is for tests alone; `train` is divided by the shares."""

    root: Path
    one_per_study: bool = True


class ColumnEntry(_Entry):
    """Names of the report table's columns; `labels` from column to finding."""

    accession: str = "accession"
    study_uid: str = "study_uid"
    patient: str = "patient"
    findings: str = "findings"
    impression: str = "impression"
    labels: dict[str, Finding] | None = None

    def columns(self) -> Columns:
        """As the reader of report tables takes them."""
        given = self.model_dump(exclude_none=True)
        return Columns(**given)


class DicomEntry(_Entry):
    """A folder of DICOM files and its report table."""

    name: str
    folder: Path
    reports: Path
    columns: ColumnEntry = ColumnEntry()


class Archives(_Entry):
    """The file that says which archives to train on."""

    salt: str = ""
    shares: Mapping[str, float] = DEFAULT_SHARES
    ct_rate: tuple[CtRateEntry, ...] = ()
    dicom: tuple[DicomEntry, ...] = ()
    unusable: Path | None = None

    @classmethod
    def load(cls, path: Path) -> "Archives":
        """Reads the file. Raises pydantic's ValidationError naming what is wrong."""
        content = yaml.safe_load(path.read_text()) or {}
        return cls.model_validate({"unusable": path.with_suffix(".unusable.tsv"), **content})

    @cached_property
    def archives(self) -> tuple[tuple[Archive, str | None], ...]:
        """The archives, each with the one split that all of it belongs to, if there is one."""
        found: list[tuple[Archive, str | None]] = []
        for entry in self.ct_rate:
            for split, whole in (("train", None), ("valid", "test")):
                if any((entry.root / name).is_dir() for name in (split, f"{split}_fixed")):
                    found.append((CtRate(entry.root, split, entry.one_per_study), whole))
        for folder in self.dicom:
            found.append((DicomFolder(folder.name, folder.folder, folder.reports, folder.columns.columns()), None))
        return tuple(found)

    @cached_property
    def left_out(self) -> frozenset[str]:
        """Studies that cannot be used."""
        if self.unusable is None or not self.unusable.is_file():
            return frozenset()
        return frozenset(line.split("\t")[0] for line in self.unusable.read_text().splitlines())

    def sources(self, split: str) -> list[SplitStudies]:
        """The studies of a split, one source per archive. Raises ValueError for a split that has no share."""
        if split not in self.shares:
            raise ValueError(f"no split {split!r} in the shares: there are {', '.join(self.shares)}")
        sources = [self._of_split(archive, whole, split) for archive, whole in self.archives]
        return [source for source in sources if len(source)]

    def _of_split(self, archive: Archive, whole: str | None, split: str) -> SplitStudies:
        indices = tuple(
            index
            for index, (study, patient) in enumerate(archive.patients())
            if study not in self.left_out and (whole or split_of(patient, self.shares, self.salt)) == split
        )
        return SplitStudies(archive, split, indices)


def check(archives: Archives) -> Iterator[tuple[str, str]]:
    """Reads every study; gives those that cannot be used, with the reason, and prints what is there."""
    table = Table("", *archives.shares, title="studies with a finding / without it")
    counts = {split: Counter[tuple[Finding, bool]]() for split in archives.shares}
    totals: Counter[str] = Counter()
    for split in archives.shares:
        for source in archives.sources(split):
            for index in track(range(len(source)), f"reading {source.name}"):
                try:
                    study = source.study(index)
                except StudyUnreadable as fault:
                    yield source.archive.patients()[source.indices[index]][0], str(fault)
                    continue
                totals[split] += 1
                counts[split].update(study.labels.items())
    table.add_row("all", *(str(totals[split]) for split in archives.shares))
    for finding in FINDINGS:
        table.add_row(finding.value, *(f"{c[finding, True]} / {c[finding, False]}" for c in counts.values()))
    Console().print(table)


def main(path: Path) -> None:
    """Checks the archives of a file and notes what cannot be used."""
    archives = Archives.load(path)
    unusable = dict(check(archives))
    if unusable and archives.unusable is not None:
        with archives.unusable.open("a") as file:
            file.writelines(f"{study}\t{reason}\n" for study, reason in unusable.items())
        Console().print(f"{len(unusable)} studies cannot be used: see {archives.unusable}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
