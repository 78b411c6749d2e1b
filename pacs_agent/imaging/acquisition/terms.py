"""What is told apart: how an image was weighted, what was nulled, before or after contrast, what its pixels show."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar

T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True)
class Answer(Generic[T_co]):
    """A value and the attribute that decided it, in words."""

    value: T_co
    reason: str
    corrected_by: str = ""
    """The correction that gave it; empty where the images themselves did."""


class Weighting(StrEnum):
    """What the contrast of an image rests on, after Acquisition Contrast. PS3.3 C.8.13.3.1.2."""

    T1 = "T1"
    T2 = "T2"
    T2_STAR = "T2*"
    PROTON_DENSITY = "PD"
    DIFFUSION = "DWI"
    ADC = "ADC"
    BALANCED = "balanced steady state"
    TIME_OF_FLIGHT = "time of flight"
    FLOW = "flow"
    PERFUSION = "perfusion"
    MAP = "parametric map"
    """T1 or T2 maps, exponential ADC, fractional anisotropy, perfusion parameters."""
    LOCALIZER = "localizer"
    """Also surveys, calibrations and the watching of a bolus: images that nobody reads."""
    ATTENUATION = "CT"
    """X-ray attenuation: what every CT shows."""
    UNKNOWN = "unknown"


class Nulling(StrEnum):
    """What gives no signal, by inversion or by a spectral pulse. STIR nulls fat, FLAIR fluid."""

    NONE = "none"
    FAT = "fat"
    FLUID = "fluid"
    FAT_AND_FLUID = "fat and fluid"


class Contrast(StrEnum):
    """Whether images were taken before or after contrast agent was given."""

    NONE_NAMED = "none named"
    """Nothing in the study speaks of contrast."""
    BEFORE = "before"
    AFTER = "after"
    UNCERTAIN = "uncertain"
    """An agent is named, but the images may have been taken before it came."""


class BolusPhase(StrEnum):
    """Where the bolus was when CT images were taken, in the order in which it comes there. PS3.3 C.7.6.16.2.12."""

    ARTERIAL = "arterial"
    PORTAL_VENOUS = "portal venous"
    VENOUS = "venous"
    NEPHROGRAPHIC = "nephrographic"
    DELAYED = "delayed"


class Component(StrEnum):
    """What the pixels show of the signal. PS3.3 C.8.13.3.1.1; Dixon parts and subtractions as Image Type names them."""

    MAGNITUDE = "magnitude"
    PHASE = "phase image"
    REAL = "real"
    IMAGINARY = "imaginary"
    WATER = "water"
    FAT = "fat"
    IN_PHASE = "in phase"
    OPPOSED_PHASE = "opposed phase"
    SUBTRACTION = "subtraction"
    PROJECTION = "projection"
    REFORMAT = "reformat"
    """Of CT alone: slices in another plane or thickness, computed from those that were reconstructed."""
