"""The attributes of one frame, wherever they are: in the data set, or in shared and per-frame functional groups."""

import math
from collections.abc import Iterator

from pydicom import Dataset

from pacs_agent.archive import UNREADABLE_VALUE
from pacs_agent.imaging.attributes import MalformedAttribute, first_item, numbers, values
from pacs_agent.imaging.frames import ENHANCED, frame_count

_MACROS: dict[str, tuple[str, ...]] = {
    "PlanePositionSequence": ("ImagePositionPatient",),
    "PlaneOrientationSequence": ("ImageOrientationPatient",),
    "PixelMeasuresSequence": ("PixelSpacing", "SliceThickness"),
    "FrameContentSequence": (
        *("FrameAcquisitionDateTime", "FrameReferenceDateTime", "TemporalPositionIndex", "StackID"),
        "FrameAcquisitionNumber",
    ),
    "MRImageFrameTypeSequence": ("FrameType", "ComplexImageComponent", "AcquisitionContrast"),
    "CTImageFrameTypeSequence": ("FrameType",),
    "CTReconstructionSequence": ("ConvolutionKernel",),
    "IrradiationEventIdentificationSequence": ("IrradiationEventUID",),
    "MRTimingAndRelatedParametersSequence": ("RepetitionTime", "FlipAngle"),
    "MREchoSequence": ("EffectiveEchoTime",),
    "MRModifierSequence": ("InversionRecovery", "InversionTimes", "SpectrallySelectedSuppression"),
    "MRDiffusionSequence": ("DiffusionBValue",),
    "ContrastBolusUsageSequence": ("ContrastBolusAgentAdministered", "ContrastBolusAgentPhase"),
    "CardiacSynchronizationSequence": ("NominalCardiacTriggerDelayTime",),
    "TemporalPositionSequence": ("TemporalPositionTimeOffset",),
}
_MACRO_OF = {keyword: macro for macro, keywords in _MACROS.items() for keyword in keywords if keyword != "FrameType"}
"""Which functional group macro holds an attribute. PS3.3 C.7.6.16.2, C.8.13.5, C.8.15.3."""
_PER_FRAME, _SHARED = "PerFrameFunctionalGroupsSequence", "SharedFunctionalGroupsSequence"
_CONVERTED = ("UnassignedPerFrameConvertedAttributesSequence", "UnassignedSharedConvertedAttributesSequence")
"""Where Legacy Converted images keep what has no macro of its own. PS3.3 C.7.6.16.2.25."""


class FrameElements:
    """Attributes of one frame. One that is missing, empty or malformed reads as None, or as no values."""

    def __init__(self, dataset: Dataset, frame_number: int | None = None) -> None:
        self.dataset = dataset
        self.frame_number = frame_number
        self._known: dict[str, tuple[str, ...]] = {}
        self._groups: tuple[Dataset, ...] = () if frame_number is None else _groups(dataset, frame_number)

    def values(self, keyword: str) -> tuple[str, ...]:
        """The values as text, none when it is missing."""
        if keyword not in self._known:
            each = (_values(holder, keyword) for holder in self._holders(keyword))
            self._known[keyword] = next((found for found in each if found), ())
        return self._known[keyword]

    def text(self, keyword: str) -> str:
        """The values joined by a backslash."""
        return "\\".join(self.values(keyword))

    def terms(self, keyword: str) -> frozenset[str]:
        """The values of a code string, in capitals."""
        return frozenset(value.upper() for value in self.values(keyword))

    def number(self, keyword: str) -> float | None:
        """One finite number; of several the first."""
        found = self.values(keyword)
        return None if not found else _finite(found[0])

    def numbers(self, keyword: str, count: int) -> tuple[float, ...] | None:
        """Exactly `count` finite numbers."""
        for holder in self._holders(keyword):
            try:
                if found := numbers(holder, keyword, count):
                    return found
            except (MalformedAttribute, *UNREADABLE_VALUE):
                continue
        return None

    def item(self, keyword: str) -> "FrameElements | None":
        """The first item of a sequence of the data set."""
        found = _item(self.dataset, keyword)
        return None if found is None else FrameElements(found)

    @property
    def frame_type(self) -> frozenset[str]:
        """Frame Type of a frame of an Enhanced image, else Image Type, in capitals. PS3.3 C.8.16.1, C.7.6.1.1.2."""
        for macro in ("MRImageFrameTypeSequence", "CTImageFrameTypeSequence"):
            for group in self._groups:
                item = _item(group, macro)
                if item is not None and (found := _values(item, "FrameType")):
                    return frozenset(value.upper() for value in found)
        return self.terms("ImageType")

    def _holders(self, keyword: str) -> Iterator[Dataset]:
        """Where an attribute may be, the nearest to the frame first."""
        macro = _MACRO_OF.get(keyword)
        for group in self._groups:
            if macro is not None and (item := _item(group, macro)) is not None:
                yield item
        for group, converted in zip(self._groups, _CONVERTED, strict=False):
            if (item := _item(group, converted)) is not None:
                yield item
        yield self.dataset


def elements_of(dataset: Dataset) -> Iterator[FrameElements]:
    """The frames of a data set. Raises UnusableSeries when Number of Frames cannot be."""
    whole = FrameElements(dataset)
    if whole.text("SOPClassUID") not in ENHANCED:
        yield whole
        return
    for number in range(1, frame_count(dataset) + 1):
        yield FrameElements(dataset, number)


def _groups(dataset: Dataset, frame_number: int) -> tuple[Dataset, ...]:
    """The functional groups of a frame, then the shared ones."""
    per_frame = dataset.get(_PER_FRAME) or ()
    own = per_frame[frame_number - 1] if frame_number <= len(per_frame) else Dataset()
    return own, first_item(dataset, _SHARED) or Dataset()


def _values(holder: Dataset, keyword: str) -> tuple[str, ...]:
    try:
        return values(holder, keyword)
    except UNREADABLE_VALUE:
        return ()


def _item(group: Dataset, keyword: str) -> Dataset | None:
    try:
        return first_item(group, keyword)
    except UNREADABLE_VALUE:
        return None


def _finite(value: str) -> float | None:
    try:
        number = float(value)
    except ValueError:
        return None
    return number if math.isfinite(number) else None
