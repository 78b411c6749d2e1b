"""The open real chest CTs of `../shared/data`, where they lie beside the project: volumes in HU with their regions."""

import hashlib
import io
import tarfile
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import nibabel
import numpy as np
import pydicom
from numpy.typing import NDArray
from scipy import ndimage

from models.datasets.real_cases import CASES, RealCase
from models.datasets.thorax_regions import regions_of

SHARED_DATA = Path(__file__).parents[2].parent / "shared" / "data"
CACHE = Path(__file__).parents[2] / ".cache" / "datasets" / "real_ct"
PIXEL_MM = 1.25
"""Finer scans are resampled to this; the slice encoder works at 1.4 mm."""
LOWEST_HU, HIGHEST_HU = -1024, 3071


class RealDataMissing(FileNotFoundError):
    """The shared folder of real images is not there, or lacks a file."""


@dataclass(frozen=True)
class Volume:
    """HU int16 [slices, rows, columns]: ascending z, rows to the back, columns to the patient's left."""

    hu: NDArray[np.int16]
    z_mm: NDArray[np.float32]
    spacing_mm: tuple[float, float]
    """Between rows and between columns."""


@dataclass(frozen=True)
class RealScan:
    """A patient's volume with the region of every voxel (`models.phantoms.canvas.Region`)."""

    case: RealCase
    volume: Volume
    region: NDArray[np.uint8]


def cases_there(folder: Path = SHARED_DATA) -> tuple[RealCase, ...]:
    """The cases whose files a data folder holds; none where it is absent."""
    return tuple(case for case in CASES if (folder / case.file).is_file())


def read_dicom_archive(path: Path) -> Volume:
    """The CT series of a tar.xz of DICOM files."""
    with tarfile.open(path, "r:xz") as archive:
        files = [archive.extractfile(member) for member in archive if member.name.endswith(".dcm")]
        instances = [pydicom.dcmread(io.BytesIO(file.read())) for file in files if file]
    slices = [ds for ds in instances if ds.Modality == "CT" and "ImagePositionPatient" in ds]
    slices.sort(key=lambda ds: float(ds.ImagePositionPatient[2]))
    # PS3.3 C.7.6.16.2.9: output = slope × stored + intercept.
    hu = [ds.pixel_array * float(ds.RescaleSlope) + float(ds.RescaleIntercept) for ds in slices]
    rows_mm, columns_mm = (float(spacing) for spacing in slices[0].PixelSpacing)
    z_mm = np.array([ds.ImagePositionPatient[2] for ds in slices], np.float32)
    return Volume(_int16(np.stack(hu)), z_mm, (rows_mm, columns_mm))


def read_nifti(path: Path) -> Volume:
    """A NIfTI volume in HU. Its axes are turned, never mirrored: the affine says where the patient's left is."""
    image = nibabel.as_closest_canonical(nibabel.load(path))  # type: ignore[no-untyped-call]
    voxels = np.asarray(image.dataobj)[::-1, ::-1, :].transpose(2, 1, 0)
    column_mm, row_mm, slice_mm = (float(zoom) for zoom in image.header.get_zooms()[:3])
    z_mm = (float(image.affine[2, 3]) + np.arange(len(voxels)) * slice_mm).astype(np.float32)
    return Volume(_int16(voxels), z_mm, (row_mm, column_mm))


def _int16(hu: NDArray[np.generic]) -> NDArray[np.int16]:
    clipped: NDArray[np.int16] = np.ascontiguousarray(np.clip(np.rint(hu), LOWEST_HU, HIGHEST_HU).astype(np.int16))
    return clipped


def at_pixel_size(volume: Volume, pixel_mm: float) -> Volume:
    """A finer volume resampled in plane with a filter against aliasing; a coarser one as it is."""
    factors = tuple(pixel_mm / spacing for spacing in volume.spacing_mm)
    if max(factors) < 1.1:
        return volume
    sigma = (0.0, *(0.45 * np.sqrt(max(factor**2 - 1.0, 0.0)) for factor in factors))
    smooth = ndimage.gaussian_filter(volume.hu.astype(np.float32), sigma)
    zoom = (1.0, *(1.0 / factor for factor in factors))
    hu = ndimage.zoom(smooth, zoom, order=1, mode="nearest", grid_mode=True)
    rows, columns = (
        spacing * before / after
        for spacing, before, after in zip(volume.spacing_mm, volume.hu.shape[1:], hu.shape[1:], strict=True)
    )
    return Volume(_int16(hu), volume.z_mm, (rows, columns))


def _read(path: Path) -> Volume:
    volume = read_dicom_archive(path) if path.name.endswith(".tar.xz") else read_nifti(path)
    return at_pixel_size(volume, PIXEL_MM)


def _digest(path: Path) -> str:
    """Of the scan and of the code that reads it."""
    digest = hashlib.sha256(path.read_bytes())
    for code in (Path(__file__), Path(__file__).with_name("thorax_regions.py")):
        digest.update(code.read_bytes())
    return digest.hexdigest()[:16]


@lru_cache(maxsize=8)
def load_scan(case: RealCase, folder: Path = SHARED_DATA, cache: Path = CACHE) -> RealScan:
    """A case's scan, read once and then taken from the cache.

    Raises RealDataMissing when its file is not there.
    """
    path = folder / case.file
    if not path.is_file():
        raise RealDataMissing(
            f"{path} is not there: the real CTs belong into {folder}; train without implants otherwise"
        )
    kept = cache / f"{case.patient}-{_digest(path)}.npz"
    if not kept.is_file():
        volume = _read(path)
        region = regions_of(volume.hu, volume.spacing_mm, volume.z_mm)
        kept.parent.mkdir(parents=True, exist_ok=True)
        draft = kept.with_suffix(".part.npz")
        np.savez(draft, hu=volume.hu, z_mm=volume.z_mm, spacing_mm=np.array(volume.spacing_mm), region=region)
        draft.replace(kept)
    with np.load(kept) as arrays:
        rows_mm, columns_mm = (float(spacing) for spacing in arrays["spacing_mm"])
        volume = Volume(arrays["hu"], arrays["z_mm"], (rows_mm, columns_mm))
        return RealScan(case, volume, arrays["region"])
