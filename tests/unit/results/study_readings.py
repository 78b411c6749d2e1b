"""Readings and headers as the earlier rooms hand them over."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydicom.dataset import Dataset
from pydicom.uid import CTImageStorage, EnhancedCTImageStorage, MRImageStorage

from pacs_agent.imaging.series import OrderedSeries, Plane, Slice
from pacs_agent.inference.attributes import Attributes
from pacs_agent.inference.reading import (
    BundleIdentity,
    Code,
    EvidenceMethod,
    FindingLabel,
    FindingReading,
    Presence,
    Sentence,
    SliceEvidence,
    StudyReading,
)
from pacs_agent.results import DocumentFacts

STUDY_UID = "1.2.826.0.1.3680043.8.498.1001"
SERIES_UID = "1.2.826.0.1.3680043.8.498.2001"
FRAME_OF_REFERENCE_UID = "1.2.826.0.1.3680043.8.498.3001"

LUNG = Code(value="39607008", scheme="SCT", meaning="Lung")
LABELS = (
    ("nodule", "Lung nodule", Code(value="786838002", scheme="SCT", meaning="Lung nodule"), LUNG),
    ("opacity", "Lung opacity", Code(value="112001", scheme="DCM", meaning="Opacity"), LUNG),
    ("emphysema", "Emphysema", Code(value="87433001", scheme="SCT", meaning="Pulmonary emphysema"), LUNG),
    ("atelectasis", "Atelectasis", Code(value="46621007", scheme="SCT", meaning="Atelectasis"), LUNG),
    ("consolidation", "Consolidation", Code(value="95436008", scheme="SCT", meaning="Lung consolidation"), LUNG),
    (
        "pleural_effusion",
        "Pleural effusion",
        Code(value="60046008", scheme="SCT", meaning="Pleural effusion"),
        Code(value="3120008", scheme="SCT", meaning="Pleura"),
    ),
    (
        "cardiomegaly",
        "Cardiomegaly",
        Code(value="8186001", scheme="SCT", meaning="Cardiomegaly"),
        Code(value="80891009", scheme="SCT", meaning="Heart"),
    ),
    (
        "coronary_calcification",
        "Coronary artery wall calcification",
        Code(value="445512009", scheme="SCT", meaning="Calcification of coronary artery"),
        Code(value="41801008", scheme="SCT", meaning="Coronary artery"),
    ),
    (
        "peribronchial_thickening",
        "Peribronchial thickening",
        Code(value="PERIBRONCHIAL", scheme="99MSVLM", meaning="Peribronchial thickening"),
        LUNG,
    ),
)

_MILD = ("mild", "moderate", "severe")
_SMALL = ("small", "moderate", "large")
SAID: dict[str, tuple[Attributes, tuple[str, ...]]] = {
    "nodule": (
        Attributes(
            sides=("right", "left"),
            lobes=("right upper lobe", "right middle lobe", "left lower lobe"),
            grade=0,
            count="few",
        ),
        _SMALL,
    ),
    "emphysema": (Attributes(sides=("right",), lobes=("right upper lobe",), grade=2), _MILD),
    "atelectasis": (Attributes(sides=("left",), lobes=("left lower lobe",), grade=1), _MILD),
    "pleural_effusion": (Attributes(sides=("right", "left"), grade=1), _SMALL),
    "coronary_calcification": (Attributes(grade=2), _MILD),
    "peribronchial_thickening": (Attributes(sides=("left",), grade=0), _MILD),
}
"""What is said of findings that are not absent, and the words for their grades; nothing of the others."""

BUNDLE = BundleIdentity(
    name="msvlm-thorax-demo",
    version="0.1.0",
    digest="ab" * 32,
    device_uid="2.25.329800735698586629295641978511506172918",
    manufacturer="pacs-agent project",
    intended_use="Demonstration of the workflow.",
    training_data="Phantoms made by a generator.",
    demo=True,
)


def headers(count: int = 4, **attributes: Any) -> list[Dataset]:
    """Headers of a chest CT of `count` slices; `attributes` replace or, when None, remove attributes of each."""
    return [_header(index, attributes) for index in range(count)]


def _header(index: int, attributes: dict[str, Any]) -> Dataset:
    header = Dataset()
    header.SpecificCharacterSet = "ISO_IR 100"
    header.SOPClassUID = CTImageStorage
    header.SOPInstanceUID = f"{SERIES_UID}.{index + 1}"
    header.StudyInstanceUID = STUDY_UID
    header.SeriesInstanceUID = SERIES_UID
    header.FrameOfReferenceUID = FRAME_OF_REFERENCE_UID
    header.Modality = "CT"
    header.BodyPartExamined = "CHEST"
    header.Manufacturer = "SCANNERS INC"
    header.ManufacturerModelName = "One"
    header.PatientName = "Müller^Änne"
    header.PatientID = "4711"
    header.PatientBirthDate = "19520317"
    header.PatientSex = "F"
    header.StudyDate = "20260102"
    header.StudyTime = "101112"
    header.StudyID = "S1"
    header.AccessionNumber = "A2026-17"
    header.ReferringPhysicianName = "Doe^Jane"
    header.StudyDescription = "CT Thorax"
    header.InstanceNumber = index + 1
    for keyword, value in attributes.items():
        if value is None:
            delattr(header, keyword)
        else:
            setattr(header, keyword, value)
    return header


def series(count: int = 4, *, modality: str = "CT", body_part: str = "CHEST", frames: bool = False) -> OrderedSeries:
    """The ordered series of `headers(count)`, or one multi-frame instance of `count` frames."""
    single = {"CT": CTImageStorage, "MR": MRImageStorage}[modality]
    return OrderedSeries(
        study_instance_uid=STUDY_UID,
        series_instance_uid=SERIES_UID,
        frame_of_reference_uid=FRAME_OF_REFERENCE_UID,
        modality=modality,
        plane=Plane.AXIAL,
        description="Thorax 1.0",
        body_part=body_part,
        slices=tuple(
            Slice(
                path=Path(f"/archive/{index}.dcm"),
                sop_instance_uid=f"{SERIES_UID}.1" if frames else f"{SERIES_UID}.{index + 1}",
                sop_class_uid=EnhancedCTImageStorage if frames else single,
                frame_number=index + 1 if frames else None,
                z_mm=float(index),
                position_mm=(0.0, 0.0, float(index)),
                orientation=(1, 0, 0, 0, 1, 0),
                rows=512,
                columns=512,
                spacing_mm=(0.7, 0.7),
                slope=1.0,
                intercept=-1024.0,
            )
            for index in range(count)
        ),
    )


def finding(number: int, probability: float, presence: Presence, of: OrderedSeries, top: int = 3) -> FindingReading:
    """The reading of label `number`; a finding that is not absent has its evidence on `top` slices."""
    key, name, code, site = LABELS[number]
    said, grades = SAID.get(key, (Attributes(), ()))
    count = len(of.slices)
    indices = [] if presence is Presence.ABSENT else [(number + step) % count for step in range(min(top, count))]
    return FindingReading(
        label=FindingLabel(key=key, name=name, code=code, site=site),
        probability=probability,
        operating_point=0.5,
        uncertain_from=0.4,
        presence=presence,
        attributes=Attributes() if presence is Presence.ABSENT else said,
        grades=grades,
        slice_weights=tuple(1.0 / count for _ in range(count)),
        evidence=tuple(
            SliceEvidence(
                index=index,
                sop_instance_uid=of.slices[index].sop_instance_uid,
                frame_number=of.slices[index].frame_number,
                weight=0.9 / (rank + 1),
                peak_px=(100.5, 200.25),
                peak_mm=(140.175, 70.35, of.slices[index].z_mm),
                peak_heat=0.8 / (rank + 1),
            )
            for rank, index in enumerate(indices)
        ),
    )


_PATTERNS = {
    "present": lambda n: (0.91, Presence.PRESENT) if n % 2 == 0 else (0.04, Presence.ABSENT),
    "nothing": lambda n: (0.02, Presence.ABSENT),
    "uncertain": lambda n: (0.41, Presence.UNCERTAIN) if n % 3 == 0 else (0.04, Presence.ABSENT),
}


def reading(
    pattern: str = "present", of: OrderedSeries | None = None, findings_read: int = 3, **bundle: Any
) -> StudyReading:
    """A reading by pattern: "present" (every other finding), "nothing" or "uncertain".

    Few findings are the default, because PixelMed's checker takes ten seconds for nine. `bundle` replaces facts of the
    model.
    """
    of = of or series()
    findings = tuple(finding(n, *_PATTERNS[pattern](n), of=of) for n in range(findings_read))
    stated = [each for each in findings if each.presence is not Presence.ABSENT]
    sentences = tuple(
        Sentence(
            text=f"{each.label.name} is {each.presence.value}.",
            findings=(each.label.key,),
            positive=each.presence is not Presence.ABSENT,
        )
        for each in findings
    )
    impression = tuple(
        Sentence(text=f"{each.label.name}.", findings=(each.label.key,), positive=True) for each in stated
    )
    return StudyReading(
        bundle=BUNDLE.model_copy(update=bundle),
        series=of,
        findings=findings,
        sentences=sentences,
        impression=impression or (Sentence(text="No finding of the list.", findings=(), positive=False),),
        evidence_method=EvidenceMethod.SLICE_WEIGHTS,
    )


FACTS = DocumentFacts(composed_at=datetime(2026, 1, 2, 11, 12, 13, tzinfo=UTC), input_digest="cd" * 32)
