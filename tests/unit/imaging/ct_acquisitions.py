"""CT scans made in memory: several phases of one place, as series of their own, in one series, or Enhanced."""

from collections.abc import Sequence
from typing import Any

from pydicom import Dataset
from pydicom.uid import EnhancedCTImageStorage

from tests.unit.imaging.imaging_slices import ct_slice, stack
from tests.unit.imaging.mr_acquisitions import frame_at, item, shared_axial

AGENT = {"ContrastBolusAgent": "Imeron 400"}
NOON = "20260102"


def scan(number: int, time: str | None, description: str = "", count: int = 6, **changes: Any) -> list[Dataset]:
    """An axial series; `time` None: nothing says when."""
    settings: dict[str, Any] = {
        "SeriesInstanceUID": f"1.3.{number}",
        "SeriesNumber": number,
        "SeriesDescription": description,
        "StudyDate": NOON,
        **({"AcquisitionTime": time} if time else {}),
        **changes,
    }
    return stack(count, **settings)


def moved(datasets: Sequence[Dataset], z_mm: float) -> list[Dataset]:
    """The same slices further towards the head."""
    for dataset in datasets:
        x, y, z = dataset.ImagePositionPatient
        dataset.ImagePositionPatient = [x, y, float(z) + z_mm]
    return list(datasets)


def enhanced_ct(frames: Sequence[Dataset], **changes: Any) -> Dataset:
    """An Enhanced CT image of axial frames. PS3.3 A.38."""
    dataset = ct_slice(SOPClassUID=EnhancedCTImageStorage, NumberOfFrames=len(frames), **changes)
    for keyword in ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing"):
        del dataset[keyword]
    dataset.SharedFunctionalGroupsSequence = [
        shared_axial(
            CTImageFrameTypeSequence=item(FrameType=["ORIGINAL", "PRIMARY", "VOLUME", "NONE"]),
            PixelValueTransformationSequence=item(RescaleSlope=1, RescaleIntercept=-1024),
        )
    ]
    dataset.PerFrameFunctionalGroupsSequence = list(frames)
    return dataset


def enhanced_frame(z_mm: float, time: str, phase: str = "", kernel: str = "") -> Dataset:
    """A frame with its time, Contrast/Bolus Agent Phase and Convolution Kernel."""
    macros = {"FrameContentSequence": item(FrameAcquisitionDateTime=f"{NOON}{time}")}
    if phase:
        macros["ContrastBolusUsageSequence"] = item(ContrastBolusAgentPhase=phase)
    if kernel:
        macros["CTReconstructionSequence"] = item(ConvolutionKernel=kernel)
    return frame_at(z_mm, **macros)
