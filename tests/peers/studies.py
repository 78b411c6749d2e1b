"""Studies to send: the real ones of ../shared/data, phantoms, and copies of a study under new UIDs."""

import hashlib
import tarfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import pydicom
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

from tests.peers.running import Missing

REAL_IMAGES = Path(__file__).resolve().parents[2].parent / "shared" / "data"
CHEST_CT = Path("ct_dicom/LIDC-IDRI-0001_CT.tar.xz")
PELVIS_MR = Path("mr_dicom/ProstateX-0000_MR.tar.xz")
SECOND_PELVIS_MR = Path("mr_dicom/ProstateX-0001_MR.tar.xz")


def real_study(archive: Path, folder: Path) -> list[Path]:
    """The files of a real study (CHEST_CT, PELVIS_MR, SECOND_PELVIS_MR), unpacked below `folder`. Raises Missing."""
    source = REAL_IMAGES / archive
    if not source.exists():
        raise Missing(f"real images are not here: {Path('..', 'shared', 'data', archive)}")
    with tarfile.open(source, "r:xz") as packed:
        packed.extractall(folder, filter="data")
    return sorted(folder.rglob("*.dcm"))


def phantom_study(folder: Path, *, seed: int = 7, slices: int = 80, findings: Sequence[str] = ()) -> list[Path]:
    """The files of a phantom chest CT; `findings` by key, none for a healthy one."""
    from models.phantoms import generate
    from models.phantoms.dicom import write_series

    written: list[Path] = write_series(generate(seed, slices=slices, findings=tuple(findings)), folder)
    return written


def copies(files: Sequence[Path], folder: Path, count: int, *, label: str) -> list[Path]:
    """`count` instances made from a study: as often as needed the whole study again, each time under new UIDs.

    The same `label` gives the same UIDs. Geometry stays; eight pixels of a corner change by at most 15, so that nobody
    who remembers images by their pixels, as our token cache does, has seen a copy before.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written: list[Path] = []
    for number, file in _repeated(files, count):
        dataset = pydicom.dcmread(file)
        relabel(dataset, f"{label}/{number}")
        _mark_pixels(dataset)
        path = folder / f"{len(written):05d}.dcm"
        dataset.save_as(path)
        written.append(path)
    return written


def relabel(dataset: pydicom.Dataset, label: str) -> None:
    """Gives a data set new study, series, frame of reference and SOP instance UIDs, the same for the same label."""
    for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID", "SOPInstanceUID"):
        if keyword in dataset:
            setattr(dataset, keyword, generate_uid(entropy_srcs=[label, keyword, str(dataset[keyword].value)]))
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID


def _mark_pixels(dataset: pydicom.Dataset) -> None:
    """Writes a digest of the SOP Instance UID into the low four bits of the first eight pixels, where uncompressed."""
    if dataset.file_meta.TransferSyntaxUID.is_compressed or dataset.get("BitsAllocated") != 16:
        return
    pixels = bytearray(dataset.PixelData)
    for index, byte in enumerate(hashlib.sha256(dataset.SOPInstanceUID.encode()).digest()[:8]):
        pixels[2 * index] = pixels[2 * index] & 0xF0 | byte & 0x0F
    dataset.PixelData = bytes(pixels)


def study_uid(files: Sequence[Path]) -> str:
    """Study Instance UID of the first file."""
    return str(pydicom.dcmread(files[0], stop_before_pixels=True, specific_tags=["StudyInstanceUID"]).StudyInstanceUID)


def _repeated(files: Sequence[Path], count: int) -> Iterator[tuple[int, Path]]:
    for index in range(count):
        yield index // len(files), files[index % len(files)]


def write_plain_ct(folder: Path, slices: int) -> list[Path]:
    """A tiny CT series, 64×64, uniform: for tests in which only the number of images matters."""
    folder.mkdir(parents=True, exist_ok=True)
    study, series, frame = generate_uid(), generate_uid(), generate_uid()
    written = []
    for number in range(slices):
        dataset = _plain_slice(number)
        dataset.StudyInstanceUID, dataset.SeriesInstanceUID, dataset.FrameOfReferenceUID = study, series, frame
        path = folder / f"{number:04d}.dcm"
        dataset.save_as(path, enforce_file_format=True)
        written.append(path)
    return written


def _plain_slice(number: int) -> pydicom.Dataset:
    dataset = pydicom.Dataset()
    dataset.file_meta = pydicom.dataset.FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.SOPClassUID = CTImageStorage
    dataset.SOPInstanceUID = generate_uid()
    dataset.PatientID, dataset.PatientName = "PLAIN", "Plain^Phantom"
    dataset.PatientBirthDate, dataset.PatientSex = "", ""
    dataset.StudyDate, dataset.StudyTime, dataset.StudyID, dataset.AccessionNumber = "20260101", "120000", "", ""
    dataset.ReferringPhysicianName = ""
    dataset.Modality, dataset.ImageType, dataset.InstanceNumber = "CT", ["ORIGINAL", "PRIMARY", "AXIAL"], number + 1
    dataset.ImagePositionPatient, dataset.ImageOrientationPatient = [0, 0, 2.5 * number], [1, 0, 0, 0, 1, 0]
    dataset.PixelSpacing, dataset.SliceThickness = [1, 1], 2.5
    dataset.Rows = dataset.Columns = 64
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation, dataset.PixelRepresentation = 1, "MONOCHROME2", 1
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, 16, 15
    dataset.RescaleSlope, dataset.RescaleIntercept = 1, -1024
    dataset.PixelData = number.to_bytes(2, "little") * 64 * 64
    return dataset
