"""Plain pairs of NIfTI files: `images/NAME.nii.gz` and `labels/NAME.nii.gz`, as most public segmentation sets come.

Axes are turned into LPS order [z, y, x] by the file's affine, never mirrored. CT values of such sets are in HU already
(nibabel applies slope and intercept of the header once).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import nibabel
import numpy as np
from nibabel.filebasedimages import ImageFileError
from numpy.typing import NDArray

from models.datasets.study import StudyUnreadable
from models.gtgm.volume import LabelledVolume, Modality

SUFFIXES = (".nii.gz", ".nii")
SAME_MM = 1e-2
"""Up to this difference two spacings are the same: headers keep them in single precision."""


class VolumeFault(StudyUnreadable):
    """A labelled volume or its collection cannot be used; says which file, and what to do."""


@dataclass(frozen=True)
class NiftiArray:
    """Voxels [z, y, x] in LPS order, or [channels, z, y, x] of a file with a fourth axis; spacing along z, y, x."""

    voxels: NDArray[np.float32]
    spacing_mm: tuple[float, float, float]


def read_nifti_array(path: Path) -> NiftiArray:
    """Reads a NIfTI file of three or four axes.

    Raises VolumeFault for a file that is missing, no NIfTI, cut off, or of another number of axes.
    """
    try:
        image = nibabel.as_closest_canonical(nibabel.load(path))  # type: ignore[no-untyped-call]
        voxels = np.asarray(image.dataobj, np.float32)
    except FileNotFoundError as error:
        raise VolumeFault(f"{path} is not there: unpack the collection again, or take it out of its list") from error
    except (ImageFileError, OSError, EOFError, ValueError) as error:
        raise VolumeFault(f"{path} is no readable NIfTI file ({error}): copy it again") from error
    if voxels.ndim not in (3, 4):
        raise VolumeFault(f"{path} has {voxels.ndim} axes; a volume has three, or four with its channels last")
    # Canonical axes are RAS; LPS has the first two the other way round.
    turned = voxels[::-1, ::-1].transpose((2, 1, 0) if voxels.ndim == 3 else (3, 2, 1, 0))
    x_mm, y_mm, z_mm = (float(zoom) for zoom in image.header.get_zooms()[:3])
    return NiftiArray(np.ascontiguousarray(turned), (z_mm, y_mm, x_mm))


def read_labels(path: Path, image: NiftiArray, classes: int) -> NDArray[np.uint8]:
    """Labels [z, y, x] of an image: whole numbers below `classes`. Raises VolumeFault when they do not fit it."""
    labels = read_nifti_array(path)
    shape = image.voxels.shape[-3:]
    if labels.voxels.shape != shape:
        raise VolumeFault(f"{path} has the shape {labels.voxels.shape}, its image {shape}: resample it to the image")
    if not np.allclose(labels.spacing_mm, image.spacing_mm, atol=SAME_MM):
        raise VolumeFault(f"{path} has voxels of {labels.spacing_mm} mm, its image of {image.spacing_mm} mm")
    found = np.unique(labels.voxels)
    wrong = [float(value) for value in found if value != int(value) or not 0 <= value < classes]
    if wrong:
        raise VolumeFault(f"{path} holds the values {wrong[:5]}; its labels are the whole numbers 0 to {classes - 1}")
    return labels.voxels.astype(np.uint8)


@dataclass(frozen=True)
class NiftiPairs:
    """A folder with `images` and `labels`. `patients` says whose a volume is where file names do not.

    `names` are the structures in label order, "background" first.
    """

    collection: str
    folder: Path
    modality: Modality
    names: tuple[str, ...]
    sequence: str = ""
    patients: Mapping[str, str] | None = None
    images: str = "images"
    labels: str = "labels"

    def __len__(self) -> int:
        return len(self.files)

    @cached_property
    def files(self) -> tuple[tuple[Path, Path], ...]:
        """Image and label file of each volume, by name. Raises VolumeFault when one has no partner."""
        images, labels = (files_by_name(self.folder / part) for part in (self.images, self.labels))
        alone = sorted(images.keys() ^ labels.keys())
        if alone:
            raise VolumeFault(f"{self.folder}: {_some(alone)} without a partner of the same name in the other folder")
        return tuple((images[name], labels[name]) for name in sorted(images))

    def __iter__(self) -> Iterator[LabelledVolume]:
        """All volumes, one at a time."""
        return (self.volume(index) for index in range(len(self)))

    def volume(self, index: int) -> LabelledVolume:
        """One volume with its labels. Raises VolumeFault."""
        image_path, label_path = self.files[index]
        image = read_nifti_array(image_path)
        if image.voxels.ndim != 3:
            raise VolumeFault(f"{image_path} has {len(image.voxels)} channels: write each as a file of its own")
        name = stem(image_path)
        return LabelledVolume(
            values=image.voxels,
            spacing_mm=image.spacing_mm,
            modality=self.modality,
            sequence=self.sequence,
            patient=(self.patients or {}).get(name, name),
            study=name,
            source=self.collection,
            labels=read_labels(label_path, image, len(self.names)),
            names=self.names,
        )


def stem(path: Path) -> str:
    """File name without `.nii.gz` or `.nii`."""
    return next((path.name[: -len(suffix)] for suffix in SUFFIXES if path.name.endswith(suffix)), path.name)


def files_by_name(folder: Path) -> dict[str, Path]:
    """NIfTI files of a folder by their stem; the hidden files that some archives carry are passed over."""
    if not folder.is_dir():
        raise VolumeFault(f"{folder} is no folder: name the one that holds the NIfTI files")
    files = {stem(path): path for path in sorted(folder.iterdir()) if _is_nifti(path)}
    if not files:
        raise VolumeFault(f"{folder} holds no file that ends in .nii or .nii.gz")
    return files


def _is_nifti(path: Path) -> bool:
    return path.name.endswith(SUFFIXES) and not path.name.startswith(".")


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
