"""MR images made in memory as scanners write them: classic and Enhanced, with the attributes that tell sequences."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from pydicom import Dataset
from pydicom.uid import EnhancedMRImageStorage, MRImageStorage

from tests.unit.imaging.imaging_slices import AXIAL, ct_slice

T2_TSE: dict[str, Any] = {
    "ScanningSequence": "SE",
    "SequenceVariant": ["SK", "SP"],
    "RepetitionTime": 4480,
    "EchoTime": 104,
    "FlipAngle": 160,
}
T1_TSE = T2_TSE | {"RepetitionTime": 650, "EchoTime": 11}
PD_TSE = T2_TSE | {"RepetitionTime": 3000, "EchoTime": 30}
VIBE = {"ScanningSequence": "GR", "SequenceVariant": "SP", "RepetitionTime": 4.2, "EchoTime": 1.8, "FlipAngle": 12}
EPI = {"ScanningSequence": "EP", "SequenceVariant": "SK", "RepetitionTime": 4500, "EchoTime": 63, "FlipAngle": 90}


def mr_slice(position: Sequence[float] = (0, 0, 0), orientation: Sequence[float] = AXIAL, **changes: Any) -> Dataset:
    """One MR image that says nothing of its sequence, unless `changes` does."""
    plain: dict[str, Any] = {
        "SOPClassUID": MRImageStorage,
        "Modality": "MR",
        "ImageType": ["ORIGINAL", "PRIMARY", "M", "ND"],
        "SeriesDescription": "",
        "BodyPartExamined": "PELVIS",
        "RescaleSlope": None,
        "RescaleIntercept": None,
        "StudyDate": "20260102",
    }
    return ct_slice(position, orientation, **(plain | changes))


def mr_stack(
    count: int = 4,
    orientation: Sequence[float] = AXIAL,
    gap_mm: float = 3.0,
    origin: Sequence[float] = (0.0, 0.0, 0.0),
    first_number: int = 1,
    **changes: Any,
) -> list[Dataset]:
    """Slices along their normal."""
    normal = np.cross(orientation[:3], orientation[3:])
    return [
        mr_slice(np.array(origin) + normal * gap_mm * i, orientation, InstanceNumber=first_number + i, **changes)
        for i in range(count)
    ]


def item(**attributes: Any) -> Dataset:
    """An item of a sequence."""
    dataset = Dataset()
    for keyword, value in attributes.items():
        setattr(dataset, keyword, value)
    return dataset


def enhanced_mr(frames: Sequence[Dataset], shared: Dataset, **changes: Any) -> Dataset:
    """An Enhanced MR image of per-frame functional groups. PS3.3 A.36.2."""
    dataset = mr_slice(SOPClassUID=EnhancedMRImageStorage, NumberOfFrames=len(frames), **changes)
    for keyword in ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing"):
        del dataset[keyword]
    dataset.SharedFunctionalGroupsSequence = [shared]
    dataset.PerFrameFunctionalGroupsSequence = list(frames)
    return dataset


def frame_at(z_mm: float, **macros: Dataset) -> Dataset:
    """The functional groups of an axial frame."""
    return item(
        PlanePositionSequence=[item(ImagePositionPatient=[0.0, 0.0, z_mm])],
        **{keyword: [macro] for keyword, macro in macros.items()},
    )


def shared_axial(**macros: Dataset) -> Dataset:
    """Shared functional groups of axial frames."""
    return item(
        PlaneOrientationSequence=[item(ImageOrientationPatient=list(AXIAL))],
        PixelMeasuresSequence=[item(PixelSpacing=[0.8, 0.6], SliceThickness=3)],
        **{keyword: [macro] for keyword, macro in macros.items()},
    )
