"""A stack: parallel slices of one series that were taken alike, each place once."""

from dataclasses import dataclass
from itertools import pairwise

from pacs_agent.imaging.acquisition.terms import Answer, BolusPhase, Component, Contrast, Nulling, Weighting
from pacs_agent.imaging.geometry import Vector
from pacs_agent.imaging.headers import HeaderFile
from pacs_agent.imaging.series import Plane

ANGLED_DEG = 10.0
"""A stack that leans further from the axis of its plane is called angled."""
_BETWEEN_VALUES = "\\"
"""What separates the values of an attribute. PS3.5 6.4."""


@dataclass(frozen=True)
class Phase:
    """Which of several acquisitions of one place, in order of time, from 1."""

    number: int
    count: int
    after_first_s: float | None
    """Seconds since the first of them; None where the images have no times."""


@dataclass(frozen=True)
class StackFrame:
    """One slice of a stack; `frame_number` counts from 1 and is None for a single-frame image."""

    header: HeaderFile
    frame_number: int | None
    position_mm: Vector
    z_mm: float
    """Position along the slice normal, as in `Slice`."""


@dataclass(frozen=True)
class Stack:
    """Slices that can be read as one volume, in ascending z, and what they are, each answer with its reason."""

    study_instance_uid: str
    series_instance_uid: str
    series_number: int
    description: str
    modality: str
    frames: tuple[StackFrame, ...]
    plane: Answer[Plane]
    normal: Vector
    """Unit normal, to the head, left or back. An oblique stack keeps its own."""
    tilt_deg: float
    """Angle between the normal and the nearest axis of the patient, 0 to 54.7."""
    weighting: Answer[Weighting]
    nulling: Answer[Nulling]
    contrast: Answer[Contrast]
    bolus_phase: Answer[BolusPhase | None]
    """Of CT alone, where an attribute or the description says so."""
    component: Answer[Component]
    is_derived: bool
    """Computed from other images, as ADC maps and calculated b-values are. PS3.3 C.7.6.1.1.2."""
    b_value: Answer[float | None]
    """In s/mm², of diffusion-weighted images alone."""
    echo_ms: float | None
    echo_number: int | None
    phase: Answer[Phase | None]
    """Among stacks of the same place that were taken alike, of this series and of others."""
    repetition: int | None
    """Which of several images of one place and b-value, from 1: directions or averages. None where there is one."""
    acquired_s: float | None
    """When its first slice was acquired, in seconds since a fixed day."""
    kernel: str
    """Convolution Kernel of CT: one acquisition may have been reconstructed by several."""
    irradiation_uid: str
    """Irradiation Event UID of CT: stacks that have the same are of one acquisition. PS3.3 C.7.10.1."""

    @property
    def is_angled(self) -> bool:
        """Whether it leans more than 10 degrees from the axis of its plane, or is oblique."""
        return self.tilt_deg > ANGLED_DEG

    @property
    def corrected_by(self) -> tuple[str, ...]:
        """The corrections that said some of it, sorted."""
        answers = (
            *(self.plane, self.weighting, self.nulling, self.contrast, self.bolus_phase),
            *(self.component, self.b_value),
        )
        return tuple(sorted({one.corrected_by for one in answers if one.corrected_by}))

    @property
    def gaps_mm(self) -> tuple[float, float] | None:
        """The smallest and the largest distance between neighbouring slices; None of a single slice."""
        gaps = [after.z_mm - before.z_mm for before, after in pairwise(self.frames)]
        return (min(gaps), max(gaps)) if gaps else None

    @property
    def name(self) -> str:
        """For people, such as `DWI b800 axial` or `T1 axial, fat nulled, after contrast, phase 2 of 5`."""
        b_value = f" b{self.b_value.value:g}" if self.b_value.value is not None else ""
        angled = f" angled by {self.tilt_deg:.0f}°" if self.is_angled and self.plane.value is not Plane.OBLIQUE else ""
        parts = [f"{self.weighting.value}{b_value} {self.plane.value}{angled}"]
        if self.nulling.value is not Nulling.NONE:
            parts.append(f"{self.nulling.value} nulled")
        if self.component.value is not Component.MAGNITUDE:
            parts.append(self.component.value)
        if self.contrast.value in (Contrast.BEFORE, Contrast.AFTER):
            parts.append(f"{self.contrast.value} contrast")
        if self.bolus_phase.value is not None:
            parts.append(self.bolus_phase.value)
        if self.phase.value is not None:
            parts.append(f"phase {self.phase.value.number} of {self.phase.value.count}")
        if self.repetition is not None:
            parts.append(f"repetition {self.repetition}")
        if self.kernel:
            parts.append(f"kernel {self.kernel.replace(_BETWEEN_VALUES, ' ')}")
        return ", ".join(parts)

    @property
    def reason(self) -> str:
        """Why it is what it is, in one sentence."""
        said = [
            f"{self.plane.value}: {self.plane.reason}",
            f"{self.weighting.value}: {self.weighting.reason}",
        ]
        if self.nulling.value is not Nulling.NONE:
            said.append(f"{self.nulling.value} nulled: {self.nulling.reason}")
        if self.weighting.value is Weighting.DIFFUSION:
            said.append(f"b-value: {self.b_value.reason}")
        if self.component.value is not Component.MAGNITUDE:
            said.append(f"{self.component.value}: {self.component.reason}")
        if self.contrast.value is not Contrast.NONE_NAMED:
            said.append(f"contrast {self.contrast.value}: {self.contrast.reason}")
        if self.bolus_phase.value is not None:
            said.append(f"{self.bolus_phase.value}: {self.bolus_phase.reason}")
        if self.phase.value is not None:
            said.append(f"phase {self.phase.value.number} of {self.phase.value.count}: {self.phase.reason}")
        return "; ".join(said)
