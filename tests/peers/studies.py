"""Studies to send: the real ones of ../shared/data, phantoms, and copies of a study under new UIDs."""

import tarfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import pydicom
from pydicom.uid import generate_uid

from tests.peers.running import Missing

REAL_IMAGES = Path(__file__).resolve().parents[2].parent / "shared" / "data"
CHEST_CT = Path("ct_dicom/LIDC-IDRI-0001_CT.tar.xz")
PELVIS_MR = Path("mr_dicom/ProstateX-0000_MR.tar.xz")


def real_study(archive: Path, folder: Path) -> list[Path]:
    """The files of a real study (CHEST_CT or PELVIS_MR), unpacked below `folder`. Raises Missing."""
    source = REAL_IMAGES / archive
    if not source.exists():
        raise Missing(f"real images are not here: {Path('..', 'shared', 'data', archive)}")
    with tarfile.open(source, "r:xz") as packed:
        packed.extractall(folder, filter="data")
    return sorted(folder.rglob("*.dcm"))


def phantom_study(folder: Path, *, seed: int = 7, slices: int = 80, findings: Sequence[str] = ()) -> list[Path]:
    """The files of a phantom chest CT; `findings` by key, none for a healthy one."""
    from models import phantoms

    written: list[Path] = phantoms.write_series(
        phantoms.generate(seed, slices=slices, findings=tuple(findings)), folder
    )
    return written


def copies(files: Sequence[Path], folder: Path, count: int, *, label: str) -> list[Path]:
    """`count` instances made from a study: as often as needed the whole study again, each time under new UIDs.

    The same `label` gives the same UIDs. Pixels and geometry stay as they are.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written: list[Path] = []
    for number, file in _repeated(files, count):
        dataset = pydicom.dcmread(file)
        relabel(dataset, f"{label}/{number}")
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


def study_uid(files: Sequence[Path]) -> str:
    """Study Instance UID of the first file."""
    return str(pydicom.dcmread(files[0], stop_before_pixels=True, specific_tags=["StudyInstanceUID"]).StudyInstanceUID)


def _repeated(files: Sequence[Path], count: int) -> Iterator[tuple[int, Path]]:
    for index in range(count):
        yield index // len(files), files[index % len(files)]
