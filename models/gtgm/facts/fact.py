"""What a fact is: one number or word measured in a whole volume, with its kind, unit and place."""

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What a fact says. Each kind has one unit (`UNITS`); the module that measures it documents how."""

    # Any volume
    SLICES = "slices"
    SLICE_DISTANCE = "slice distance"
    PIXEL = "pixel"
    COVERAGE = "coverage"
    PLANE = "plane"
    SEQUENCE = "sequence"

    # CT (facts/ct.py, facts/lungs.py, facts/pleura.py, facts/middle.py)
    BODY_VOLUME = "body volume"
    BODY_WIDTH = "body width"
    FAT_SHARE = "fat share"
    BONE_SHARE = "bone share"
    CONTRAST = "contrast"
    LUNG_VOLUME = "lung volume"
    LUNG_HEIGHT = "lung height"
    LUNG_DENSITY = "lung density"
    LUNG_SPREAD = "lung spread"
    LUNG_GRADIENT = "lung gradient"
    BELOW_950 = "below -950"
    BELOW_910 = "below -910"
    DARK_LEVEL = "dark level"
    HAZE_SHARE = "haze share"
    DENSE_SHARE = "dense share"
    DARK_COUNT = "dark count"
    DARK_DIAMETER = "dark diameter"
    BRIGHT_COUNT = "bright count"
    BRIGHT_DIAMETER = "bright diameter"
    BRIGHT_DENSITY = "bright density"
    FLUID_VOLUME = "fluid volume"
    FLUID_DEPTH = "fluid depth"
    FLUID_DENSITY = "fluid density"
    HEART_DENSITY = "heart density"
    HEART_RATIO = "heart ratio"
    CALCIUM_VOLUME = "calcium volume"
    CALCIUM_COUNT = "calcium count"
    METAL_VOLUME = "metal volume"

    # MR (facts/mr.py)
    TISSUE_SHARE = "tissue share"
    VARIATION = "variation"
    BRIGHT_TAIL = "bright tail"
    BRIGHT_AREAS = "bright areas"
    BRIGHT_AREA_VOLUME = "bright area volume"
    DARK_AREAS = "dark areas"
    DARK_AREA_VOLUME = "dark area volume"
    DIFFUSION_VOLUME = "diffusion volume"
    DIFFUSION_RATIO = "diffusion ratio"

    # EM (facts/em.py)
    VOXEL = "voxel"
    FIELD = "field"
    MEMBRANE_SHARE = "membrane share"
    MEMBRANE_CONTRAST = "membrane contrast"
    OBJECT_DENSITY = "object density"
    OBJECT_DIAMETER = "object diameter"
    LARGEST_OBJECT = "largest object"
    OBJECT_ELONGATION = "object elongation"
    ORIENTATION = "orientation"
    ORIENTATION_STRENGTH = "orientation strength"
    DENSE_BODIES = "dense bodies"


SIDES = ("right", "left")
LEVELS = ("upper", "middle", "lower")
DEPTHS = ("front", "back")


@dataclass(frozen=True)
class Fact:
    """One measured fact, `value` in `unit` unrounded (rounding is the text's).

    `id` is unique within what one call of `facts_of` gives. `place` is "" or words of SIDES, LEVELS and DEPTHS in this
    order, separated by a space: "right", "left lower", "right back". `of` is the sequence of an MR volume.
    """

    id: str
    kind: Kind
    value: float | str
    unit: str = ""
    place: str = ""
    of: str = ""

    @property
    def side(self) -> str:
        """Side of the patient, "" where it has none."""
        return next((word for word in self.place.split() if word in SIDES), "")

    @property
    def level(self) -> str:
        """Third of the height of what it is measured in, "" where it has none."""
        return next((word for word in self.place.split() if word in LEVELS), "")
