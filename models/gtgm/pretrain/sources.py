"""Where volumes come from: phantoms by seed, folders of NIfTI or DICOM files, arrays of electron microscopy.

Anything with a name, a length and `volume(index)` is a source; a set of volumes with labels can be one too.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Protocol

import numpy as np

from models.datasets.dicom_folder import CHEST_CT, StudyFiles, studies_below, volume_of
from models.datasets.nifti_pairs import VolumeFault, files_by_name, read_nifti_array, stem
from models.gtgm.finetune.phantoms import phantom_volume
from models.gtgm.mr_study import MrSeries, mr_series
from models.gtgm.pretrain.preset import VolumeData, VolumeFolder
from models.gtgm.volume import Modality, Volume
from pacs_agent.imaging import UnusableImages, choose_series, read_headers

EM_TILE_VOXELS = 96
"""An EM array is taken apart into cubes of about this side: a text then has others to be told from."""
EM_SPACING_MM = (1e-5, 1e-5, 1e-5)


class VolumeSource(Protocol):
    """Volumes that can be read one at a time, in any order."""

    @property
    def name(self) -> str:
        """Of the collection."""

    def __len__(self) -> int: ...

    def volume(self, index: int) -> Volume:
        """One volume. Raises VolumeFault or UnusableVolume."""


@dataclass(frozen=True)
class Phantoms:
    """Thorax phantoms of consecutive seeds."""

    count: int
    first_seed: int
    name: str = "thorax phantoms"

    def __len__(self) -> int:
        return self.count

    def volume(self, index: int) -> Volume:
        """The phantom of a seed."""
        return phantom_volume(self.first_seed + index)


@dataclass(frozen=True)
class NiftiFolder:
    """The NIfTI files of a folder, all of one modality; a file of several channels gives its first."""

    folder: Path
    modality: Modality
    sequence: str = ""

    @property
    def name(self) -> str:
        """Name of the folder."""
        return self.folder.name

    @cached_property
    def files(self) -> tuple[Path, ...]:
        """The files by name. Raises VolumeFault where there are none."""
        return tuple(files_by_name(self.folder).values())

    def __len__(self) -> int:
        return len(self.files)

    def volume(self, index: int) -> Volume:
        """One file. Raises VolumeFault."""
        path = self.files[index]
        array = read_nifti_array(path)
        values = array.voxels if array.voxels.ndim == 3 else array.voxels[0]
        return Volume(values, array.spacing_mm, self.modality, self.sequence, stem(path), stem(path), self.name)


@dataclass(frozen=True)
class DicomFolder:
    """The chest CTs of a folder tree of DICOM files, of each study the series that the agent would read."""

    folder: Path

    @property
    def name(self) -> str:
        """Name of the folder."""
        return self.folder.name

    @cached_property
    def studies(self) -> tuple[StudyFiles, ...]:
        """The studies by UID."""
        return tuple(sorted(studies_below(self.folder), key=lambda study: study.study_uid))

    def __len__(self) -> int:
        return len(self.studies)

    def volume(self, index: int) -> Volume:
        """One study. Raises VolumeFault where none of its series can be used."""
        files = self.studies[index]
        try:
            choice = choose_series(read_headers(files.paths), CHEST_CT)
            if choice.chosen is None:
                raise VolumeFault(f"study {files.study_uid}: {choice.reason}")
            hu, z_mm, (row_mm, column_mm) = volume_of(choice.chosen)
        except UnusableImages as fault:
            raise VolumeFault(f"study {files.study_uid}: {fault}") from fault
        spacing = float(np.median(np.diff(z_mm))), row_mm, column_mm
        return Volume(
            hu.astype(np.float32),
            spacing,
            Modality.CT,
            "",
            files.patient or files.study_uid,
            files.study_uid,
            self.name,
        )


@dataclass(frozen=True)
class MrFolder:
    """The MR studies of a folder tree of DICOM files: each sequence, and each b value of diffusion, is a volume."""

    folder: Path

    @property
    def name(self) -> str:
        """Name of the folder."""
        return self.folder.name

    @cached_property
    def series(self) -> tuple[MrSeries, ...]:
        """The sequences by study and series number. Raises VolumeFault where there is no folder."""
        if not self.folder.is_dir():
            raise VolumeFault(f"{self.folder} is no folder: name the one that holds the DICOM files")
        return mr_series(path for path in self.folder.rglob("*") if path.is_file())

    def __len__(self) -> int:
        return len(self.series)

    def volume(self, index: int) -> Volume:
        """One sequence. Raises UnusableVolume where its images are no stack of slices."""
        return self.series[index].volume(self.name)


@dataclass(frozen=True)
class EmTiles:
    """Cubes of one array `raw` [z, y, x] of an npz file, 10 nm voxels."""

    path: Path

    @property
    def name(self) -> str:
        """Name of the file."""
        return self.path.stem

    @cached_property
    def corners(self) -> tuple[tuple[slice, slice, slice], ...]:
        """The cubes; what does not fill one more is shared out among them."""
        try:
            with np.load(self.path) as arrays:
                shape = arrays["raw"].shape
        except (OSError, KeyError, ValueError) as error:
            raise VolumeFault(f"{self.path} is no npz file with an array raw: {error}") from error
        edges = [np.linspace(0, n, max(n // EM_TILE_VOXELS, 1) + 1).astype(int) for n in shape]
        spans = [[slice(int(a), int(b)) for a, b in pairwise(e)] for e in edges]
        return tuple((z, y, x) for z in spans[0] for y in spans[1] for x in spans[2])

    def __len__(self) -> int:
        return len(self.corners)

    def volume(self, index: int) -> Volume:
        """One cube; each counts as a patient, for all are of one animal."""
        with np.load(self.path) as arrays:
            values = arrays["raw"][self.corners[index]].astype(np.float32)
        tile = f"{self.name}-{index}"
        return Volume(values, EM_SPACING_MM, Modality.EM, "", tile, tile, self.name)


def sources_of(data: VolumeData) -> tuple[VolumeSource, ...]:
    """The sources that a preset names."""
    phantoms: Sequence[VolumeSource] = [Phantoms(data.phantoms, data.first_seed)] if data.phantoms else []
    return (*phantoms, *(_KINDS[folder.kind](folder) for folder in data.folders))


def _dicom(folder: VolumeFolder) -> VolumeSource:
    if folder.modality is Modality.EM:
        raise VolumeFault(f"{folder.path}: DICOM folders are read as CT or MR; give EM as an npz file with `raw`")
    return MrFolder(folder.path) if folder.modality is Modality.MR else DicomFolder(folder.path)


_KINDS: dict[str, Callable[[VolumeFolder], VolumeSource]] = {
    "nifti": lambda folder: NiftiFolder(folder.path, folder.modality, folder.sequence),
    "dicom": _dicom,
    "em": lambda folder: EmTiles(folder.path),
}
