"""Why images cannot be used: a code for machines, a sentence for people."""

from enum import StrEnum


class ReasonCode(StrEnum):
    """What is wrong with a series. The order is the order of the checks: a later code means that more was right."""

    NO_IMAGES = "no_images"
    NOT_EXPECTED = "not_expected"
    WRONG_MODALITY = "wrong_modality"
    LOCALIZER = "localizer"
    PROJECTION = "projection"
    WRONG_BODY_PART = "wrong_body_part"
    TOO_FEW_SLICES = "too_few_slices"
    TOO_MANY_SLICES = "too_many_slices"
    UNREADABLE_PIXELS = "unreadable_pixels"
    NO_GEOMETRY = "no_geometry"
    UNUSABLE_RESCALE = "unusable_rescale"
    MIXED_FRAMES_OF_REFERENCE = "mixed_frames_of_reference"
    MIXED_SIZES = "mixed_sizes"
    MIXED_ORIENTATION = "mixed_orientation"
    DUPLICATE_POSITIONS = "duplicate_positions"
    MISSING_SLICES = "missing_slices"
    IRREGULAR_SPACING = "irregular_spacing"
    GANTRY_TILT = "gantry_tilt"
    WRONG_PLANE = "wrong_plane"
    WRONG_THICKNESS = "wrong_thickness"
    TOO_SHORT = "too_short"

    @property
    def progress(self) -> int:
        """How far a series came before this was found; larger is further."""
        return list(ReasonCode).index(self)


class UnusableImages(ValueError):
    """Images that cannot be read by a model. `code` says what is wrong, `reason` with which value."""

    def __init__(self, code: ReasonCode, reason: str) -> None:
        super().__init__(code, reason)  # both, so that the error survives pickling in the workflow's tables
        self.code = code
        self.reason = reason

    def __str__(self) -> str:
        return self.reason


class UnusableSeries(UnusableImages):
    """A series that cannot be ordered, or that a model does not accept."""


class UnusableSlice(UnusableImages):
    """A file or frame that cannot be read. `sop_instance_uid` is empty when even that is not known."""

    def __init__(self, sop_instance_uid: str, fault: str, code: ReasonCode = ReasonCode.UNREADABLE_PIXELS) -> None:
        super().__init__(code, f"image {sop_instance_uid}: {fault}" if sop_instance_uid else fault)
        self.args = (sop_instance_uid, fault, code)
        self.sop_instance_uid = sop_instance_uid
