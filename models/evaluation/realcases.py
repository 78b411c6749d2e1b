"""Case studies on the open real chest CTs where they lie beside the project: what the model says, nothing more.

Each is one patient without a reference label for these findings, so no figure can come of it.
"""

import io
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pydicom

from models.msvlm.runtime import BundleRuntime, StoredSeries

REAL_DATA = Path(__file__).parents[2].parent / "shared" / "data"
ARCHIVES = {"LIDC-IDRI-0001": "ct_dicom/LIDC-IDRI-0001_CT.tar.xz"}
VOLUMES = {
    "LIDC-IDRI-0314": "ct_nifti/LIDC-IDRI-0314_CT_chest_1.25x1.25x1.5.nii.gz",
    "RIDER-Pilot-0109": "ct_nifti/RIDER-Pilot-0109_CT_chest_contrast_1.25x1.25x5.nii.gz",
}
KNOWN = {
    "LIDC-IDRI-0001": "contrast; spiculated mass in the left lower lobe",
    "LIDC-IDRI-0314": "no contrast; nodule in the right upper lobe",
    "RIDER-Pilot-0109": "contrast; large right pleural effusion and lung opacities",
}


def series_of_archive(path: Path) -> StoredSeries:
    """The CT series of a tar.xz of DICOM files, slices in ascending z."""
    with tarfile.open(path, "r:xz") as archive:
        files = [archive.extractfile(member) for member in archive if member.name.endswith(".dcm")]
        slices = [pydicom.dcmread(io.BytesIO(file.read())) for file in files if file]
    slices = [ds for ds in slices if ds.Modality == "CT" and "ImagePositionPatient" in ds]
    slices.sort(key=lambda ds: float(ds.ImagePositionPatient[2]))
    first = slices[0]
    return StoredSeries(
        stored=np.stack([ds.pixel_array for ds in slices]).astype(np.int16),
        slope=float(first.RescaleSlope),
        intercept=float(first.RescaleIntercept),
        spacing_mm=(float(first.PixelSpacing[0]), float(first.PixelSpacing[1])),
        z_mm=np.array([ds.ImagePositionPatient[2] for ds in slices], np.float32),
    )


def series_of_nifti(path: Path) -> StoredSeries:
    """A NIfTI volume in HU, turned so that rows go to the back, columns to the left and slices to the head."""
    import nibabel

    image = nibabel.as_closest_canonical(nibabel.load(path))
    volume = np.asarray(image.dataobj)[::-1, ::-1, :].transpose(2, 1, 0)
    spacing = image.header.get_zooms()
    z_mm = np.arange(len(volume), dtype=np.float32) * float(spacing[2])
    hu = np.clip(np.round(volume), -2048, 4095).astype(np.int16)
    return StoredSeries(np.ascontiguousarray(hu), 1.0, 0.0, (float(spacing[1]), float(spacing[0])), z_mm)


def read_case(runtime: BundleRuntime, series: StoredSeries, known: str) -> dict[str, Any]:
    """What the bundle says of one real case."""
    tokens, _ = runtime.encode(series)
    reading = runtime.read(tokens, series.z_mm)
    keys = [entry.key for entry in runtime.findings]
    return {
        "n": 1,
        "known": known,
        "finite": bool(np.isfinite(tokens).all() and np.isfinite(reading.logits).all()),
        "probabilities": {key: round(float(p), 3) for key, p in zip(keys, reading.probabilities, strict=True)},
        "strongest_slice": {key: int(w.argmax()) for key, w in zip(keys, reading.slice_weights, strict=True)},
        "report": runtime.report(reading),
    }


def read_real_cases(runtime: BundleRuntime) -> dict[str, Any]:
    """All cases that are there; none where the shared data are absent."""
    readers = dict.fromkeys(ARCHIVES, series_of_archive) | dict.fromkeys(VOLUMES, series_of_nifti)
    cases = {}
    for name, file in (ARCHIVES | VOLUMES).items():
        path = REAL_DATA / file
        if path.is_file():
            cases[name] = read_case(runtime, readers[name](path), KNOWN[name])
    return cases
