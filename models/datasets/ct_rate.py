"""CT-RATE in its published layout (arXiv 2403.17834; licence CC-BY-NC-SA): volumes, reports, labels, metadata.

    dataset/train_fixed/train_1/train_1_a/train_1_a_1.nii.gz        patient 1, study a, reconstruction 1
    dataset/radiology_text_reports/train_reports.csv                VolumeName, Findings_EN, Impressions_EN, …
    dataset/multi_abnormality_labels/train_predicted_labels.csv     VolumeName and 18 columns, read by a model
    dataset/metadata/train_metadata.csv                             RescaleSlope, XYSpacing, ZSpacing, …
    dataset/metadata/no_chest_train.txt                             volumes that are not of the chest

The validation split is called `valid` in some names and `validation` in others. All reconstructions of a study share
its report; all studies of a patient share the patient's split.
"""

import ast
import csv
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
from numpy.typing import NDArray

from models.datasets.report_text import LabelExtractor, ReportText, digest_of, given, report_sentences, stated_labels
from models.datasets.study import LabelledStudy, StudyUnreadable
from models.phantoms.findings import Finding

LABEL_ORDER: tuple[Finding, ...] = (
    Finding.MEDICAL_MATERIAL,
    Finding.ARTERIAL_CALCIFICATION,
    Finding.CARDIOMEGALY,
    Finding.PERICARDIAL_EFFUSION,
    Finding.CORONARY_CALCIFICATION,
    Finding.HIATAL_HERNIA,
    Finding.LYMPHADENOPATHY,
    Finding.EMPHYSEMA,
    Finding.ATELECTASIS,
    Finding.LUNG_NODULE,
    Finding.LUNG_OPACITY,
    Finding.FIBROTIC_SEQUELA,
    Finding.PLEURAL_EFFUSION,
    Finding.MOSAIC_ATTENUATION,
    Finding.PERIBRONCHIAL_THICKENING,
    Finding.CONSOLIDATION,
    Finding.BRONCHIECTASIS,
    Finding.SEPTAL_THICKENING,
)
"""Order of the label columns in CT-RATE's files."""
SPLIT_NAMES = {"train": ("train",), "valid": ("valid", "validation")}
LOWEST_HU, HIGHEST_HU = -1024, 3071
AIR_HU = -500.0
"""Some of every chest CT is air, below this; stored values that are not in HU yet have none."""
SOURCE = "CT-RATE"

Row = dict[str, str]
_log = logging.getLogger(__name__)


class CtRateFault(StudyUnreadable):
    """A file of CT-RATE is missing or not what it should be; says which, and what to do."""


@dataclass(frozen=True, order=True)
class VolumeName:
    """`train_1_a_2`: split, patient, study, reconstruction."""

    split: str
    patient: int
    study: str
    reconstruction: int

    @classmethod
    def parse(cls, name: str) -> "VolumeName":
        """From a file name. Raises CtRateFault for any other name."""
        parts = name.strip().removesuffix(".gz").removesuffix(".nii").split("_")
        if len(parts) != 4 or parts[0] not in SPLIT_NAMES or not (parts[1].isdigit() and parts[3].isdigit()):
            raise CtRateFault(f"{name!r} is no volume of CT-RATE: expected a name such as train_1_a_1.nii.gz")
        return cls(parts[0], int(parts[1]), parts[2], int(parts[3]))

    @property
    def patient_id(self) -> str:
        """The patient, over both splits."""
        return f"{self.split}_{self.patient}"

    @property
    def study_id(self) -> str:
        """The study, of which there may be several reconstructions."""
        return f"{self.patient_id}_{self.study}"

    def __str__(self) -> str:
        return f"{self.study_id}_{self.reconstruction}"

    @property
    def path(self) -> Path:
        """Where it lies below the folder of its split."""
        return Path(self.patient_id) / self.study_id / f"{self}.nii.gz"


@dataclass(frozen=True)
class CtRate:
    """One split of CT-RATE below `root`, the folder that holds `train_fixed`, `metadata` and the rest.

    Volumes that are not of the chest, and those that are listed but not on disk, are left out. `one_per_study` takes
    the first reconstruction only. Nothing but names, labels and reports is held in memory.
    """

    root: Path
    split: str
    one_per_study: bool = False
    extract: LabelExtractor = field(default=stated_labels, repr=False)
    patches: bool = False
    """Patch targets need masks, which CT-RATE has not."""

    @property
    def name(self) -> str:
        """Name of the collection; another set of volumes or labels has another name."""
        return f"ct-rate-{self.split}-{digest_of((str(name), labels) for name, labels in self._contents)}"

    @property
    def _contents(self) -> Iterator[tuple[VolumeName, dict[Finding, bool]]]:
        return ((name, self.labels[name]) for name in self.volumes)

    @property
    def code(self) -> tuple[str, ...]:
        """Source files on which its studies depend."""
        return ("datasets/ct_rate.py", "datasets/report_text.py", "evaluation/extractor.py")

    def __len__(self) -> int:
        """Number of volumes."""
        return len(self.volumes)

    def patients(self) -> tuple[tuple[str, str], ...]:
        """Name and patient of each volume, in order."""
        return tuple((str(name), name.patient_id) for name in self.volumes)

    @property
    def fixed(self) -> bool:
        """Whether the volumes are the corrected ones, which are in HU."""
        return (self.root / f"{self.split}_fixed").is_dir()

    @property
    def folder(self) -> Path:
        """The folder of the split's volumes."""
        return self.root / (f"{self.split}_fixed" if self.fixed else self.split)

    @cached_property
    def volumes(self) -> tuple[VolumeName, ...]:
        """The volumes to read, in order of patient, study and reconstruction."""
        if not self.folder.is_dir():
            raise CtRateFault(
                f"{self.root} holds neither {self.split}_fixed nor {self.split}: download CT-RATE's volumes there"
            )
        dropped = self._no_chest
        listed = sorted(name for name in self.labels if name not in dropped)
        there = [name for name in listed if (self.folder / name.path).is_file()]
        if len(there) < len(listed):
            _log.warning(
                "%d of %d volumes of split %s are not in %s",
                len(listed) - len(there),
                len(listed),
                self.split,
                self.folder,
            )
        if self.one_per_study:
            first: dict[str, VolumeName] = {}
            for name in there:
                first.setdefault(name.study_id, name)
            there = list(first.values())
        return tuple(there)

    @cached_property
    def labels(self) -> Mapping[VolumeName, dict[Finding, bool]]:
        """Model-predicted labels of all listed volumes."""
        path = self._table("multi_abnormality_labels", "{}_predicted_labels.csv")
        return {name: _labels(row, path) for name, row in _rows(path)}

    @cached_property
    def reports(self) -> Mapping[str, ReportText]:
        """The report of every study."""
        path = self._table("radiology_text_reports", "{}_reports.csv")
        return {
            name.study_id: ReportText(given(row.get("Findings_EN")), given(row.get("Impressions_EN")))
            for name, row in _rows(path)
        }

    @cached_property
    def metadata(self) -> Mapping[VolumeName, Row]:
        """Acquisition of every volume; needed for volumes that are not in HU yet."""
        return dict(_rows(self._table("metadata", "{}_metadata.csv")))

    @cached_property
    def _no_chest(self) -> frozenset[VolumeName]:
        names = [line for path in sorted(self.root.rglob("no_chest_*.txt")) for line in path.read_text().splitlines()]
        volumes = (VolumeName.parse(Path(name.strip()).name) for name in names if name.strip())
        return frozenset(volume for volume in volumes if volume.split == self.split)

    def _table(self, folder: str, pattern: str) -> Path:
        """A table of the split: the set calls its validation split by two names."""
        names = [pattern.format(name) for name in SPLIT_NAMES[self.split]]
        for name in names:
            if (self.root / folder / name).is_file():
                return self.root / folder / name
        raise CtRateFault(f"{self.root / folder} lacks {' or '.join(names)}: download that folder of CT-RATE")

    def __iter__(self) -> Iterator[LabelledStudy]:
        """All studies, one at a time; a volume that cannot be read is named in the log and left out."""
        for index, name in enumerate(self.volumes):
            try:
                yield self.study(index)
            except CtRateFault as fault:
                _log.warning("%s is left out: %s", name, fault)

    def study(self, index: int) -> LabelledStudy:
        """One volume with its labels and its report's sentences. Raises CtRateFault naming the file."""
        name = self.volumes[index]
        hu, z_mm, spacing_mm = self._volume(name)
        report = self.reports.get(name.study_id, ReportText())
        return LabelledStudy(
            patient=name.patient_id,
            study=str(name),
            source=SOURCE,
            hu=hu,
            z_mm=z_mm,
            spacing_mm=spacing_mm,
            labels=self.labels[name],
            sentences=report_sentences(report, self.extract),
        )

    def _volume(self, name: VolumeName) -> tuple[NDArray[np.int16], NDArray[np.float32], tuple[float, float]]:
        path = self.folder / name.path
        try:
            image = nibabel.as_closest_canonical(nibabel.load(path))  # type: ignore[no-untyped-call]
            voxels = np.asarray(image.dataobj, np.float32)
        except (OSError, EOFError, ValueError, nibabel.filebasedimages.ImageFileError) as error:
            raise CtRateFault(f"{path} cannot be read: {error}. Download it again") from error
        if voxels.ndim != 3 or min(voxels.shape) < 2:
            raise CtRateFault(f"{path} has shape {voxels.shape}, not that of a volume. Download it again")
        hu = self._hounsfield_units(name, path, voxels)
        column_mm, row_mm, slice_mm = self._spacing(name, image)
        # Canonical axes go to the right, front and head; rows here go to the back and columns to the left.
        stack = np.ascontiguousarray(hu[::-1, ::-1].transpose(2, 1, 0))
        z_mm = (np.arange(len(stack)) * slice_mm + float(image.affine[2, 3])).astype(np.float32)
        return stack, z_mm, (row_mm, column_mm)

    def _hounsfield_units(self, name: VolumeName, path: Path, voxels: NDArray[np.float32]) -> NDArray[np.int16]:
        """HU, rescaled exactly once: the corrected volumes are in HU, the first ones mostly are not."""
        if not _has_air(voxels):
            if self.fixed:
                raise CtRateFault(f"{path} has no value below {AIR_HU:.0f} HU: it is not in HU, or not of a chest")
            row = self._row(name)
            voxels = voxels * _number(row, "RescaleSlope", name) + _number(row, "RescaleIntercept", name)
            if not _has_air(voxels):
                raise CtRateFault(f"{path} has no air after rescaling: its row in the metadata is of another volume")
        hu: NDArray[np.int16] = np.clip(np.rint(voxels), LOWEST_HU, HIGHEST_HU).astype(np.int16)
        return hu

    def _spacing(self, name: VolumeName, image: Any) -> tuple[float, float, float]:
        """Millimetres between columns, rows and slices; the first volumes have wrong ones in their headers."""
        column_mm, row_mm, slice_mm = (float(zoom) for zoom in image.header.get_zooms()[:3])
        if not self.fixed:
            row = self._row(name)
            column_mm, row_mm = _xy_spacing(row, name)
            slice_mm = _number(row, "ZSpacing", name)
        if not all(0.05 < spacing < 25.0 for spacing in (column_mm, row_mm, slice_mm)):
            raise CtRateFault(f"{name} has voxels of {column_mm} × {row_mm} × {slice_mm} mm, which no CT has")
        return column_mm, row_mm, slice_mm

    def _row(self, name: VolumeName) -> Row:
        if name not in self.metadata:
            raise CtRateFault(f"{name} has no row in the metadata, which its values in {self.folder.name} need")
        return self.metadata[name]


def _has_air(voxels: NDArray[np.float32]) -> bool:
    return bool((voxels[::4, ::4, ::2] < AIR_HU).mean() > 0.01)


def _rows(path: Path) -> Iterator[tuple[VolumeName, Row]]:
    with path.open(newline="", encoding="utf-8-sig") as file:
        rows = csv.DictReader(file)
        if "VolumeName" not in (rows.fieldnames or ()):
            raise CtRateFault(f"{path} has no column VolumeName: it is not a table of CT-RATE")
        for row in rows:
            yield VolumeName.parse(row["VolumeName"]), row


def _labels(row: Row, path: Path) -> dict[Finding, bool]:
    columns = [column for column in row if column != "VolumeName"]
    if len(columns) != len(LABEL_ORDER):
        raise CtRateFault(f"{path} has {len(columns)} label columns; CT-RATE has {len(LABEL_ORDER)}")
    for column, finding in zip(columns, LABEL_ORDER, strict=True):
        if column.strip().lower().replace(" ", "_") != finding.value:
            raise CtRateFault(f"{path}: column {column!r} stands where CT-RATE has {finding.value!r}")
    values = {finding: row[column].strip() for column, finding in zip(columns, LABEL_ORDER, strict=True)}
    return {finding: float(value) >= 0.5 for finding, value in values.items() if value}


def _number(row: Row, column: str, name: VolumeName) -> float:
    try:
        return float(row[column])
    except (KeyError, ValueError) as error:
        raise CtRateFault(f"the metadata give no number as {column} of {name}: {row.get(column)!r}") from error


def _xy_spacing(row: Row, name: VolumeName) -> tuple[float, float]:
    """From `"[0.75, 0.75]"`, as the metadata write it."""
    try:
        first, second = ast.literal_eval(row["XYSpacing"])
        return float(first), float(second)
    except (KeyError, ValueError, SyntaxError, TypeError) as error:
        raise CtRateFault(f"the metadata give no XYSpacing of {name}: {row.get('XYSpacing')!r}") from error
