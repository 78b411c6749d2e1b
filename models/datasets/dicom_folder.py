"""A hospital's own archive as training material: folders of DICOM files, and a table of reports.

The folder may be laid out in any way: files are grouped by Study Instance UID, and of each study the series is chosen
that the agent itself would read (`pacs_agent.imaging.choose_series`). Reports come from a CSV file, one row per study,
found by Accession Number or Study Instance UID. Label columns of that file, where there are any, win over the labels
that the extractor reads from the text.
"""

import csv
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.datasets.report_text import LabelExtractor, ReportText, digest_of, given, report_sentences, stated_labels
from models.datasets.study import LabelledStudy, StudyUnreadable
from models.phantoms.findings import FINDINGS, Finding
from pacs_agent.imaging import (
    AcceptedInput,
    HeaderFile,
    OrderedSeries,
    Plane,
    UnusableImages,
    choose_series,
    hounsfield_units,
    read_headers,
    read_slices,
)

CHEST_CT = AcceptedInput(
    modalities=("CT",),
    body_parts=("CHEST", "THORAX", "LUNG"),
    planes=(Plane.AXIAL,),
    min_slices=20,
    max_slices=1200,
    min_thickness_mm=0.4,
    max_thickness_mm=10.0,
    min_coverage_mm=120.0,
)
"""What counts as a chest CT for training."""
LOWEST_HU, HIGHEST_HU = -1024, 3071
_TRUE, _FALSE = frozenset({"1", "1.0", "true", "yes", "y"}), frozenset({"0", "0.0", "false", "no", "n"})
_log = logging.getLogger(__name__)


class ArchiveFault(StudyUnreadable):
    """The report table or a study cannot be used; says which, and what to do."""


@dataclass(frozen=True)
class Columns:
    """Names of the columns of the report table; empty for one that it does not have."""

    accession: str = "accession"
    study_uid: str = "study_uid"
    patient: str = "patient"
    findings: str = "findings"
    impression: str = "impression"
    labels: Mapping[str, Finding] = field(default_factory=lambda: {finding.value: finding for finding in FINDINGS})
    """Label columns that may be there, with 1, 0 or nothing for not known."""


@dataclass(frozen=True)
class ReportRow:
    """One row of the report table."""

    report: ReportText
    labels: dict[Finding, bool]
    patient: str


@dataclass(frozen=True)
class StudyFiles:
    """The files of one study."""

    study_uid: str
    accession: str
    patient: str
    paths: tuple[Path, ...]


@dataclass(frozen=True)
class DicomFolder:
    """Studies of a folder tree that have a report. Headers are read when a study is asked for, pixels with them.

    `collection` is what the card calls it; `reports` is the table.
    """

    collection: str
    folder: Path
    reports: Path
    columns: Columns = field(default_factory=Columns)
    extract: LabelExtractor = field(default=stated_labels, repr=False)
    accepted: AcceptedInput = CHEST_CT
    patches: bool = False
    """Patch targets need masks, which reports do not give."""

    @property
    def name(self) -> str:
        """Name of the collection; another set of studies or reports has another name."""
        return f"{self.collection}-{digest_of((study.study_uid, self._row(study)) for study in self.studies)}"

    @property
    def code(self) -> tuple[str, ...]:
        """Source files on which its studies depend."""
        return ("datasets/dicom_folder.py", "datasets/report_text.py", "evaluation/extractor.py")

    def __len__(self) -> int:
        """Number of studies with a report."""
        return len(self.studies)

    @cached_property
    def rows(self) -> Mapping[str, ReportRow]:
        """Rows of the table by accession number and by study UID."""
        return read_reports(self.reports, self.columns)

    @cached_property
    def studies(self) -> tuple[StudyFiles, ...]:
        """The studies that have both images and a report, by their UID."""
        there = list(studies_below(self.folder))
        reported = [study for study in there if self._row(study) is not None]
        if len(reported) < len(there):
            _log.warning("%d of %d studies in %s have no report", len(there) - len(reported), len(there), self.folder)
        return tuple(sorted(reported, key=lambda study: study.study_uid))

    def patients(self) -> tuple[tuple[str, str], ...]:
        """Study UID and patient of each study, in order."""
        return tuple((study.study_uid, self._patient(study)) for study in self.studies)

    def _patient(self, study: StudyFiles) -> str:
        row = self._row(study)
        return (row.patient if row else "") or study.patient

    def _row(self, study: StudyFiles) -> ReportRow | None:
        return self.rows.get(study.study_uid) or self.rows.get(study.accession)

    def __iter__(self) -> Iterator[LabelledStudy]:
        """All studies, one at a time; one that cannot be read is named in the log and left out."""
        for index, study in enumerate(self.studies):
            try:
                yield self.study(index)
            except (ArchiveFault, UnusableImages) as fault:
                _log.warning("study %s is left out: %s", study.study_uid, fault)

    def study(self, index: int) -> LabelledStudy:
        """One study with labels and sentences. Raises ArchiveFault when none of its series is a usable chest CT."""
        files = self.studies[index]
        row = self._row(files)
        choice = choose_series(read_headers(files.paths), self.accepted)
        if row is None or choice.chosen is None:
            raise ArchiveFault(f"study {files.study_uid} in {files.paths[0].parent}: {choice.reason}")
        hu, z_mm, spacing_mm = volume_of(choice.chosen)
        return LabelledStudy(
            patient=self._patient(files),
            study=files.study_uid,
            source=self.collection,
            hu=hu,
            z_mm=z_mm,
            spacing_mm=spacing_mm,
            labels={**self.extract(row.report.text), **row.labels},
            sentences=report_sentences(row.report, self.extract),
        )


def volume_of(series: OrderedSeries) -> tuple[NDArray[np.int16], NDArray[np.float32], tuple[float, float]]:
    """HU [slices, rows, columns], z and spacing of an ordered axial series. Raises UnusableSlice."""
    stack = np.empty((len(series.slices), series.slices[0].rows, series.slices[0].columns), np.int16)
    for number, (one, stored) in enumerate(zip(series.slices, read_slices(series), strict=True)):
        hu = hounsfield_units(stored, one.slope, one.intercept)
        stack[number] = np.clip(np.rint(hu), LOWEST_HU, HIGHEST_HU).astype(np.int16)
    z_mm = np.array([one.z_mm for one in series.slices], np.float32)
    return stack, z_mm, series.slices[0].spacing_mm


def studies_below(folder: Path) -> Iterator[StudyFiles]:
    """The DICOM files of a folder tree, grouped by study; other files are passed over."""
    if not folder.is_dir():
        raise ArchiveFault(f"{folder} is no folder: name the one that holds the DICOM files")
    groups: dict[str, list[HeaderFile]] = {}
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        header = _header(path)
        if header is not None:
            groups.setdefault(str(header.dataset.get("StudyInstanceUID", "")), []).append(header)
    for uid, headers in groups.items():
        first = headers[0].dataset
        yield StudyFiles(
            study_uid=uid,
            accession=str(first.get("AccessionNumber", "")),
            patient=str(first.get("PatientID", "")),
            paths=tuple(header.path for header in headers),
        )


def _header(path: Path) -> HeaderFile | None:
    try:
        header = read_headers([path])[0]
    except UnusableImages as fault:
        _log.debug("%s is passed over: %s", path, fault)
        return None
    return header if header.dataset.get("StudyInstanceUID") and "Rows" in header.dataset else None


def read_reports(path: Path, columns: Columns) -> dict[str, ReportRow]:
    """Rows of a report table by each of their keys. Raises ArchiveFault naming the file, the row and what to do."""
    if not path.is_file():
        raise ArchiveFault(f"{path} is not there: export the reports as a CSV file, see docs/training.md")
    with path.open(newline="", encoding="utf-8-sig") as file:
        table = csv.DictReader(file)
        names = frozenset(table.fieldnames or ())
        keys = [column for column in (columns.study_uid, columns.accession) if column in names]
        _check_columns(path, names, keys, columns)
        rows: dict[str, ReportRow] = {}
        for number, row in enumerate(table, start=2):
            parsed = _report_row(path, number, row, columns)
            for key in filter(None, ((row[column] or "").strip() for column in keys)):
                if key in rows and rows[key] != parsed:
                    raise ArchiveFault(f"{path}, line {number}: {key} has two reports; keep the final one")
                rows[key] = parsed
    return rows


def _check_columns(path: Path, names: frozenset[str], keys: Sequence[str], columns: Columns) -> None:
    if not keys:
        raise ArchiveFault(f"{path} has neither a column {columns.study_uid!r} nor {columns.accession!r}")
    if not names & {columns.findings, columns.impression, *columns.labels}:
        raise ArchiveFault(f"{path} has no column {columns.findings!r}, {columns.impression!r} or of labels")


def _report_row(path: Path, number: int, row: Mapping[str, str | None], columns: Columns) -> ReportRow:
    labels = {}
    for column, finding in columns.labels.items():
        value = (row.get(column) or "").strip().lower()
        if value in _TRUE or value in _FALSE:
            labels[finding] = value in _TRUE
        elif value:
            raise ArchiveFault(f"{path}, line {number}: {column} is {value!r}; write 1, 0 or nothing")
    report = ReportText(given(row.get(columns.findings)), given(row.get(columns.impression)))
    return ReportRow(report, labels, (row.get(columns.patient) or "").strip())
