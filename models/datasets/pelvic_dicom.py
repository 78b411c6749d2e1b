"""Writes a real pelvic study with an implant, or without one, as DICOM: the scanner's own headers with new UIDs.

Everything says PHANTOM and derived, so that no one takes it for a patient's study. The same content has the same UIDs.
"""

import hashlib
import json
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import asdict
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as DicomSequence
from pydicom.uid import UID, ExplicitVRLittleEndian

from models.datasets.pelvic_implants import ImplantedPelvis
from models.datasets.pelvic_study import RealPelvis, RealStack
from models.phantoms.dicom import ACQUIRED, IMPLEMENTATION_UID, MANUFACTURER
from models.phantoms.pelvis.truth import TumourTruth

Images = Sequence[tuple[RealStack, NDArray[np.uint16]]]
SOURCE = "ProstateX (TCIA, CC BY 3.0)"


def write_implanted(study: ImplantedPelvis, folder: Path) -> list[Path]:
    """Writes the images of an implanted study, `truth.json` and `masks.npz`; gives the image files.

    Masks are bool [slices, rows, columns] under `SERIES_B`, the series number and the b value.
    """
    paths, uids = _write(f"{study.case.patient} {study.seed}", [(s.real, s.pixels) for s in study.stacks], folder)
    masks = {_key(stack.real): stack.mask for stack in study.stacks}
    np.savez_compressed(folder / "masks.npz", **masks)
    truth = {"patient": study.case.patient, "seed": study.seed, **truth_of(study), "sop_instance_uids": uids}
    shown = {
        key: [uid for uid, image in zip(uids[key], mask, strict=True) if image.any()] for key, mask in masks.items()
    }
    (folder / "truth.json").write_text(json.dumps({**truth, "tumour_on": shown}, indent=1) + "\n")
    return paths


def write_unimplanted(study: RealPelvis, folder: Path) -> list[Path]:
    """The same of a study as it was scanned: the control."""
    return _write(f"{study.case.patient} control", [(stack, stack.pixels) for stack in study.stacks], folder)[0]


def truth_of(study: ImplantedPelvis) -> dict[str, object]:
    """The items that the implant defines; null for those that it does not, and for a margin that no one can see."""
    tumour, seen = study.tumour.truth, study.case.fascia_seen
    told = {
        "location": tumour.third,
        "peritoneal_involvement": None,
        "t_stage": tumour.t_stage,
        "crm_involved": tumour.fascia_involved if seen else None,
        "sphincter_involvement": None,
        "suspicious_nodes": None,
        "emvi": None,
    }
    return {"items": told, "tumour": _tumour(tumour, seen)}


def _tumour(tumour: TumourTruth, seen: bool) -> dict[str, object]:
    told = asdict(tumour) | {"t_category": tumour.t_category, "third": tumour.third}
    told["sphincter"], told["emvi"] = None, None
    return told if seen else told | {"fascia_mm": None, "fascia_points_mm": None}


def _key(stack: RealStack) -> str:
    return f"{int(stack.headers[0].SeriesNumber)}_{stack.b_value:.0f}"


def _write(name: str, images: Images, folder: Path) -> tuple[list[Path], dict[str, list[str]]]:
    folder.mkdir(parents=True, exist_ok=True)
    content = hashlib.sha256(b"".join(pixels.tobytes() for _, pixels in images)).hexdigest()
    paths: list[Path] = []
    uids: dict[str, list[str]] = {}
    for stack, pixels in images:
        for header, image in zip(stack.headers, pixels, strict=True):
            ds = _image(header, image, name, content)
            paths.append(folder / f"S{int(ds.SeriesNumber):02d}_I{int(ds.InstanceNumber):04d}.dcm")
            ds.save_as(paths[-1], enforce_file_format=True)
            uids.setdefault(_key(stack), []).append(str(ds.SOPInstanceUID))
    return paths, uids


def _image(header: Dataset, image: NDArray[np.uint16], name: str, content: str) -> Dataset:
    """An image with the pixels given. PS3.3 C.7.6.1.1.2 (Image Type), C.12.1.1.9 (Source Image), C.7.6.2, C.8.3.1."""
    ds = deepcopy(header)
    source = Dataset()
    source.ReferencedSOPClassUID, source.ReferencedSOPInstanceUID = ds.SOPClassUID, ds.SOPInstanceUID
    ds.SourceImageSequence = DicomSequence([source])
    ds.ImageType = ["DERIVED", *list(ds.ImageType)[1:]]
    ds.DerivationDescription = f"PHANTOM: synthetic rectal tumour implanted into {SOURCE}; not a patient's study"
    ds.PatientName, ds.PatientID = f"PHANTOM^IMPLANT {name}", f"PHANTOM-I{name.replace(' ', '-')}"
    ds.StudyDescription, ds.InstitutionName = "MR PELVIS PHANTOM IMPLANT", "PHANTOM"
    ds.ReferringPhysicianName, ds.AccessionNumber = "", f"PI{int(content[:12], 16) % 10**12:012d}"
    ds.ContributingEquipmentSequence = DicomSequence([_equipment()])
    for keyword in ("StudyDate", "SeriesDate", "AcquisitionDate", "ContentDate"):
        setattr(ds, keyword, ACQUIRED)
    for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID", "SOPInstanceUID"):
        setattr(ds, keyword, _uid(content, str(header[keyword].value)))
    ds.PixelData = image.astype("<u2").tobytes()
    ds["PixelData"].VR = "OW"
    _forget_range(ds, image)
    meta = ds.file_meta
    meta.MediaStorageSOPInstanceUID, meta.TransferSyntaxUID = UID(ds.SOPInstanceUID), ExplicitVRLittleEndian
    meta.ImplementationClassUID, meta.ImplementationVersionName = UID(IMPLEMENTATION_UID), "PHANTOM_1"
    return ds


def _equipment() -> Dataset:
    """Who put the tumour in. PS3.3 C.12.1.1.5, CID 7005."""
    purpose, ds = Dataset(), Dataset()
    purpose.CodeValue, purpose.CodingSchemeDesignator, purpose.CodeMeaning = "109103", "DCM", "Modifying Equipment"
    ds.PurposeOfReferenceCodeSequence = DicomSequence([purpose])
    ds.Manufacturer, ds.ManufacturerModelName = MANUFACTURER, "Rectal tumour implants"
    return ds


def _forget_range(ds: Dataset, image: NDArray[np.uint16]) -> None:
    """Smallest and largest value are those of the pixels again."""
    if "SmallestImagePixelValue" in ds:
        ds.SmallestImagePixelValue = int(image.min())
    if "LargestImagePixelValue" in ds:
        ds.LargestImagePixelValue = int(image.max())


def _uid(content: str, source: str) -> str:
    """PS3.5 B.2, with a digest in the place of the UUID: one for each UID of the source."""
    return f"2.25.{int(hashlib.sha256(f'{source} with {content}'.encode()).hexdigest()[:32], 16)}"
