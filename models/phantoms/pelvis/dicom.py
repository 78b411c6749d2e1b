"""Writes a pelvic study as DICOM series: MR Image Storage (PS3.3 A.4), one file per image, and `truth.json` beside.

The same phantom gives the same bytes. Everything says PHANTOM, so that no one takes it for a patient.
"""

import hashlib
import json
from dataclasses import asdict
from pathlib import Path

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian, MRImageStorage

from models.phantoms.dicom import ACQUIRED, IMPLEMENTATION_UID, MANUFACTURER, SOFTWARE, decimal
from models.phantoms.pelvis.sequence import Plane, Sequence, Weighting
from models.phantoms.pelvis.series import Series
from models.phantoms.pelvis.study import PelvisPhantom
from models.phantoms.pelvis.truth import TumourTruth

MODEL = "Pelvic MR phantom generator"
_NUMBERS = {"t2_sagittal": 2, "t2_axial": 3, "t2_coronal": 4, "dwi_b50": 5, "dwi_b1000": 5, "adc": 6}
_NUMBERS |= {"t1": 7, "t1_contrast": 8}
_SHORT = {Plane.AXIAL: "tra", Plane.SAGITTAL: "sag", Plane.CORONAL: "cor"}
_TEXTS = {"dwi_b50": "ep2d_diff_b50_1000_tra", "dwi_b1000": "ep2d_diff_b50_1000_tra", "adc": "ep2d_diff_tra_ADC"}
_TEXTS |= {"t1": "t1_tse_tra", "t1_contrast": "t1_tse_tra_contrast"}


def description(sequence: Sequence) -> str:
    """Series description as a scanner would write it."""
    return _TEXTS.get(sequence.key, f"t2_tse_{_SHORT[sequence.plane]}")


def write_study(phantom: PelvisPhantom, folder: Path) -> list[Path]:
    """Writes `S02_I0001.dcm` … (series, then image number) and `truth.json`; gives the image files in that order.

    Both b values are one series, as scanners store them.
    """
    folder.mkdir(parents=True, exist_ok=True)
    content = _content(phantom)
    study = _study_attributes(phantom, content)
    paths: list[Path] = []
    uids: dict[str, list[str]] = {}
    written: dict[int, int] = {}
    for series in phantom.series:
        common = _series_attributes(series, content)
        common.update(study)
        number = _NUMBERS[series.sequence.key]
        for index in range(len(series.pixels)):
            written[number] = written.get(number, 0) + 1
            ds = _image_attributes(series, index)
            ds.update(common)
            ds.InstanceNumber = written[number]
            ds.SOPInstanceUID = _uid(content, f"{series.sequence.key} {index}")
            path = folder / f"S{number:02d}_I{written[number]:04d}.dcm"
            _save(ds, path)
            paths.append(path)
            uids.setdefault(series.sequence.key, []).append(str(ds.SOPInstanceUID))
    truth = json.dumps(truth_of(phantom, study.StudyInstanceUID, uids), indent=1)
    (folder / "truth.json").write_text(truth + "\n")
    return paths


def _content(phantom: PelvisPhantom) -> str:
    """UIDs follow from what the study shows, so that the same content has the same UIDs and no other has."""
    digest = hashlib.sha256()
    for series in phantom.series:
        digest.update(series.pixels.tobytes())
        digest.update(repr(series.geometry).encode())
    return digest.hexdigest()


def _uid(content: str, what: str) -> str:
    """PS3.5 B.2, with a digest in the place of the UUID."""
    return f"2.25.{int(hashlib.sha256(f'{what} of {content}'.encode()).hexdigest()[:32], 16)}"


def _study_attributes(phantom: PelvisPhantom, content: str) -> Dataset:
    """Patient, study, frame of reference and equipment modules. PS3.3 C.7.1, C.7.2, C.7.4, C.7.5."""
    ds = Dataset()
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds.PatientName, ds.PatientID = f"PHANTOM^PELVIS {phantom.seed}", f"PHANTOM-P{phantom.seed}"
    ds.PatientBirthDate, ds.PatientSex = "", phantom.person.sex.value
    ds.StudyInstanceUID = _uid(content, "study")
    ds.FrameOfReferenceUID, ds.PositionReferenceIndicator = _uid(content, "frame of reference"), ""
    for keyword in ("StudyDate", "SeriesDate", "AcquisitionDate", "ContentDate"):
        setattr(ds, keyword, ACQUIRED)
    ds.StudyTime = "101500"
    ds.ReferringPhysicianName, ds.AccessionNumber = "", f"PP{phantom.seed % 10**12:012d}"
    ds.StudyID, ds.StudyDescription = "1", "MR RECTUM PHANTOM"
    ds.Modality, ds.BodyPartExamined, ds.PatientPosition = "MR", "PELVIS", "HFS"
    ds.Manufacturer, ds.ManufacturerModelName, ds.SoftwareVersions = MANUFACTURER, MODEL, SOFTWARE
    ds.DeviceSerialNumber, ds.InstitutionName = "PHANTOM", "PHANTOM"
    return ds


def _series_attributes(series: Series, content: str) -> Dataset:
    """Series, general image, pixel and MR image modules, as far as all images share them. PS3.3 C.7.6.3, C.8.3.1."""
    sequence, geometry = series.sequence, series.geometry
    number = _NUMBERS[sequence.key]
    ds = Dataset()
    ds.SeriesInstanceUID, ds.SeriesNumber = _uid(content, f"series {number}"), number
    ds.SeriesDescription = ds.ProtocolName = description(sequence)
    for keyword in ("SeriesTime", "AcquisitionTime", "ContentTime"):
        setattr(ds, keyword, f"10{15 + 4 * number:02d}00")
    ds.SOPClassUID = MRImageStorage
    ds.BurnedInAnnotation, ds.LossyImageCompression = "NO", "00"
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.Rows, ds.Columns = geometry.shape[1:]
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 12, 11, 0
    ds.PixelSpacing = [decimal(geometry.pixel_mm)] * 2
    ds.SliceThickness, ds.SpacingBetweenSlices = decimal(geometry.thickness_mm), decimal(geometry.distance_mm)
    ds.ImageOrientationPatient = [f"{v:.8f}".rstrip("0").rstrip(".") for v in geometry.orientation]
    _add_sequence(ds, sequence)
    return ds


def _add_sequence(ds: Dataset, sequence: Sequence) -> None:
    """Sequence and timing. PS3.3 C.8.3.1, C.8.13.5.9 for the b value."""
    diffusion = sequence.weighting in (Weighting.DWI, Weighting.ADC)
    ds.ScanningSequence, ds.SequenceVariant, ds.ScanOptions = ("EP" if diffusion else "SE"), "SK", ""
    if diffusion:
        ds.ScanOptions = "FS"
    ds.MRAcquisitionType, ds.MagneticFieldStrength, ds.ImagedNucleus = "2D", "3", "1H"
    ds.RepetitionTime, ds.EchoTime = decimal(sequence.repetition_ms), decimal(sequence.echo_ms)
    ds.EchoTrainLength = 17 if sequence.weighting is Weighting.T2 else 1
    derived = sequence.weighting is Weighting.ADC
    ds.ImageType = ["DERIVED", "PRIMARY", "DIFFUSION", "ADC"] if derived else ["ORIGINAL", "PRIMARY", "M", "ND"]
    if sequence.weighting is Weighting.DWI:
        ds.ImageType = ["ORIGINAL", "PRIMARY", "DIFFUSION", "NONE"]
        ds.DiffusionBValue = float(sequence.b_value or 0.0)
    if sequence.contrast:
        ds.ContrastBolusAgent = "PHANTOM GADOLINIUM"


def _image_attributes(series: Series, index: int) -> Dataset:
    """Image plane and pixel data of one image. PS3.3 C.7.6.2."""
    ds = Dataset()
    position = series.geometry.position_mm(index)
    ds.ImagePositionPatient = [decimal(v) for v in position]
    along = sum(p * n for p, n in zip(position, series.geometry.normal, strict=True))
    ds.SliceLocation = decimal(along)
    ds.PixelData = series.pixels[index].astype("<u2").tobytes()
    ds["PixelData"].VR = "OW"
    return ds


def _save(ds: Dataset, path: Path) -> None:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = MRImageStorage, UID(ds.SOPInstanceUID)
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID, meta.ImplementationVersionName = UID(IMPLEMENTATION_UID), "PHANTOM_1"
    ds.file_meta = meta
    ds.save_as(path, enforce_file_format=True)


def truth_of(phantom: PelvisPhantom, study_uid: str, uids: dict[str, list[str]]) -> dict[str, object]:
    """What is true of a phantom: `truth.json`. Lengths in mm, points in patient coordinates."""
    truth = phantom.truth
    return {
        "seed": truth.seed,
        "study_instance_uid": study_uid,
        "sex": truth.sex.value,
        "items": truth.items,
        "tumour": None if truth.tumour is None else _tumour(truth.tumour),
        "nodes": [{**asdict(node), "suspicious": node.suspicious} for node in truth.nodes],
        "sop_instance_uids": uids,
        "report": [{"item": s.item.value, "text": s.text} for s in phantom.sentences],
    }


def _tumour(tumour: TumourTruth) -> dict[str, object]:
    told = {"t_category": tumour.t_category, "fascia_involved": tumour.fascia_involved, "third": tumour.third}
    return {**asdict(tumour), "sphincter": tumour.sphincter.name.lower(), **told}
