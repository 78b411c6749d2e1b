"""Small MR studies of a hospital's archive, and the table of their items."""

import csv
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage, generate_uid

HEADING = ("StudyInstanceUID", "tumour", "location", "peritoneal_involvement", "t_stage", "crm")
HEADING += ("sphincter_involvement", "nodes", "emvi")


def write_axial_t2(folder, uid, patient, count=3, size=(24, 20), **changes):
    """An axial T2 series of a study; `changes` are attributes of every image."""
    rng = np.random.default_rng(int(uid.rpartition(".")[2]))
    images = rng.integers(0, 900, (count, *size)).astype(np.uint16)
    positions = [(-40.0, -48.0, 4.0 * index) for index in range(count)]
    write_series(folder, uid, patient, images, positions, (1, 0, 0, 0, 1, 0), (4.0, 4.0), **changes)


def write_series(folder, uid, patient, images, positions, orientation, spacing_mm, **changes):
    """Images [n, rows, columns] as an MR series of fast spin echoes weighted by T2."""
    folder.mkdir(parents=True, exist_ok=True)
    series_uid = generate_uid()
    for index, (image, position) in enumerate(zip(images, positions, strict=True)):
        ds = Dataset()
        ds.SOPClassUID, ds.SOPInstanceUID = MRImageStorage, generate_uid()
        ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.PatientID = uid, series_uid, patient
        ds.FrameOfReferenceUID, ds.Modality, ds.BodyPartExamined = f"{uid}.1", "MR", "PELVIS"
        ds.SeriesNumber, ds.InstanceNumber, ds.ImageType = 1, index + 1, ["ORIGINAL", "PRIMARY", "M", "ND"]
        ds.ScanningSequence, ds.SequenceVariant = "SE", ["SK", "SP"]
        ds.RepetitionTime, ds.EchoTime, ds.FlipAngle = 4480, 104, 160
        ds.ImageOrientationPatient = [f"{value:.8f}"[:16] for value in orientation]
        ds.ImagePositionPatient = [f"{value:.6f}"[:16] for value in position]
        ds.PixelSpacing, ds.SliceThickness = [f"{value:.6f}" for value in spacing_mm], "3"
        ds.Rows, ds.Columns = image.shape
        ds.SamplesPerPixel, ds.PhotometricInterpretation, ds.PixelRepresentation = 1, "MONOCHROME2", 0
        ds.BitsAllocated, ds.BitsStored, ds.HighBit = 16, 12, 11
        ds.PixelData = image.astype("<u2").tobytes()
        ds["PixelData"].VR = "OW"
        for keyword, value in changes.items():
            setattr(ds, keyword, value)
        ds.file_meta = FileMetaDataset()
        ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        ds.save_as(folder / f"{series_uid}-{index:03d}.dcm", enforce_file_format=True)


def write_items(path: Path, rows, heading=HEADING) -> Path:
    """A table of items; what a row does not give is empty."""
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, heading, restval="")
        table.writeheader()
        table.writerows(rows)
    return path
