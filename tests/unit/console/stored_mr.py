"""MR images in an archive, for tests of what a study's images are said to be."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage

from pacs_agent.archive import Archive, instance_header, split_part10
from pacs_agent.results import write_bytes

STUDY = "1.2.826.0.7"
AXIAL, SAGITTAL = (1, 0, 0, 0, 1, 0), (0, 1, 0, 0, 0, -1)
T2_TSE: dict[str, Any] = {"ScanningSequence": "SE", "RepetitionTime": 4480, "EchoTime": 104, "FlipAngle": 160}
EPI: dict[str, Any] = {"ScanningSequence": "EP", "RepetitionTime": 4500, "EchoTime": 63, "FlipAngle": 90}


def mr_images(series: int, description: str, z_mm: Sequence[float], **elements: Any) -> list[Dataset]:
    """Images of one series, at these places along the normal of their plane."""
    return [_image(series, number, description, z, elements) for number, z in enumerate(z_mm, start=1)]


def _image(series: int, number: int, description: str, z_mm: float, elements: dict[str, Any]) -> Dataset:
    image = Dataset()
    image.SOPClassUID = MRImageStorage
    b_value = elements.get("DiffusionBValue", 0)
    image.SOPInstanceUID = f"{STUDY}.{series}.{number}.{b_value:.0f}"
    image.StudyInstanceUID, image.SeriesInstanceUID = STUDY, f"{STUDY}.{series}"
    image.PatientID, image.PatientName, image.Modality = "P1", "Doe^Jane", "MR"
    image.SeriesNumber, image.InstanceNumber, image.SeriesDescription = series, number, description
    image.Rows = image.Columns = 16
    orientation = elements.get("ImageOrientationPatient", AXIAL)
    image.ImageOrientationPatient = list(orientation)
    image.ImagePositionPatient = [0, 0, z_mm] if orientation == AXIAL else [z_mm, 0, 0]
    for keyword, value in elements.items():
        setattr(image, keyword, list(value) if isinstance(value, tuple) else value)
    image.file_meta = FileMetaDataset()
    image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return image


def store(archive: Archive, *images: Dataset) -> list[Path]:
    """The images in the archive; the paths of their files."""
    return [_stored(archive, image) for image in images]


def _stored(archive: Archive, image: Dataset) -> Path:
    header = instance_header(image, ExplicitVRLittleEndian)
    return archive.path(archive.store(split_part10(write_bytes(image)), header, source="test").digest)


def prostate(archive: Archive) -> list[Path]:
    """T2 in two planes, and diffusion of two b-values in one series."""
    sagittal = mr_images(2, "t2_tse_sag", (0, 3, 6), ImageOrientationPatient=SAGITTAL, **T2_TSE)
    low, high = (mr_images(3, "ep2d_diff_tra", (0, 3.6, 7.2), DiffusionBValue=b, **EPI) for b in (50.0, 800.0))
    return store(archive, *mr_images(1, "Prostate 1", (0, 3, 6, 9), **T2_TSE), *sagittal, *low, *high)
