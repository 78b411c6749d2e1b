"""What echo, repetition and inversion time say of an MR image's weighting.

The limits are those that textbooks agree on for 1.5 and 3 T (McRobbie, MRI from Picture to Proton, ch. 3 and 12); what
lies between them is left to the description, and decided by the nearer limit only where there is none.
"""

import math
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from pacs_agent.imaging.acquisition.elements import FrameElements
from pacs_agent.imaging.acquisition.terms import Answer, Weighting

LONG_ECHO_MS = 60.0
"""From here on a spin echo is T2-weighted."""
SHORT_ECHO_MS = 30.0
"""Up to here a spin echo shows little of T2."""
MIDDLE_ECHO_MS = 45.0
SHORT_REPETITION_MS = 1000.0
"""Up to here a spin echo with a short echo is T1-weighted."""
LONG_REPETITION_MS = 1800.0
"""From here on a spin echo shows little of T1."""
LONG_GRADIENT_ECHO_MS = 12.0
SHORT_GRADIENT_ECHO_MS = 7.0
REFERENCE_T1_MS = 1000.0
"""T1 of soft tissue, for the Ernst angle: acos(exp(−TR / T1))."""
LARGE_FLIP = 1.75
"""From this multiple of the Ernst angle on a spoiled gradient echo is T1-weighted."""
STIR_INVERSION_MS = (80.0, 330.0)
"""Fat, with a T1 of 260 to 380 ms, is nulled at 0.69 × T1 or somewhat less."""
FLAIR_INVERSION_MS = (1400.0, 3200.0)
T1_FLAIR_INVERSION_MS = (600.0, 1400.0)


class Certainty(Enum):
    """Whether the timing says it alone, or only where nothing else does."""

    SURE = "sure"
    LIKELY = "likely"


class Timed(NamedTuple):
    """A weighting by timing."""

    answer: Answer[Weighting]
    certainty: Certainty


@dataclass(frozen=True)
class Timing:
    """Timing of one frame; None where it is not given. Of Enhanced images by their own attributes."""

    sequence: frozenset[str]
    """Scanning Sequence: SE, IR, GR, EP, RM. PS3.3 C.8.3.1.1."""
    variant: frozenset[str]
    echo_ms: float | None
    repetition_ms: float | None
    inversion_ms: float | None
    """Only where the sequence inverts."""
    flip_deg: float | None

    @staticmethod
    def of(frame: FrameElements) -> "Timing":
        """The timing of a frame, from MR Image or Enhanced MR attributes."""
        sequence = frame.terms("ScanningSequence") or _enhanced_sequence(frame)
        inversion = frame.number("InversionTime")
        inversion = frame.number("InversionTimes") if inversion is None else inversion
        echo = frame.number("EchoTime")
        return Timing(
            sequence=sequence,
            variant=frame.terms("SequenceVariant"),
            echo_ms=frame.number("EffectiveEchoTime") if echo is None else echo,
            repetition_ms=frame.number("RepetitionTime"),
            inversion_ms=inversion if inversion and "IR" in sequence else None,
            flip_deg=frame.number("FlipAngle"),
        )

    @property
    def is_spin_echo(self) -> bool:
        """Whether echoes are refocused by pulses; echo planar and mixed ones are not counted."""
        return bool(self.sequence & {"SE", "IR"}) and not self.sequence & {"GR", "EP"}

    @property
    def is_gradient_echo(self) -> bool:
        """Whether echoes are refocused by gradients alone; echo planar ones are not counted."""
        return "GR" in self.sequence and not self.sequence & {"SE", "EP"}

    @property
    def fat_nulled(self) -> str:
        """Why the inversion nulls fat (STIR), or nothing."""
        low, high = STIR_INVERSION_MS
        if not self.is_spin_echo or self.inversion_ms is None or not low <= self.inversion_ms <= high:
            return ""
        return f"InversionTime {self.inversion_ms:g} ms nulls fat"

    @property
    def fluid_nulled(self) -> str:
        """Why the inversion nulls fluid (FLAIR, of T2 or of T1), or nothing."""
        if not self.is_spin_echo or self.inversion_ms is None or self.repetition_ms is None:
            return ""
        low, high = FLAIR_INVERSION_MS if (self.echo_ms or 0) > MIDDLE_ECHO_MS else T1_FLAIR_INVERSION_MS
        if not low <= self.inversion_ms <= high:
            return ""
        return f"InversionTime {self.inversion_ms:g} ms nulls fluid"


def weighting_by_timing(timing: Timing) -> Timed | None:
    """The weighting that the timing tells, or None where it tells nothing."""
    if timing.echo_ms is None:
        return None
    if timing.inversion_ms is not None and timing.is_spin_echo:
        return _of_inversion(timing)
    if timing.is_spin_echo:
        return _of_spin_echo(timing)
    if timing.is_gradient_echo:
        return _of_gradient_echo(timing)
    if "EP" in timing.sequence:
        return _timed(Weighting.T2_STAR, timing, Certainty.LIKELY) if "GR" in timing.sequence else None
    return _timed(Weighting.T2, timing, Certainty.LIKELY) if timing.echo_ms >= LONG_ECHO_MS else None


def _of_inversion(timing: Timing) -> Timed:
    """Spin echoes after inversion: STIR and FLAIR read as T2, with a short echo and a middle inversion time as T1."""
    if timing.fat_nulled:
        long_enough = timing.repetition_ms is None or timing.repetition_ms > LONG_REPETITION_MS
        return _timed(Weighting.T2 if long_enough else Weighting.T1, timing, Certainty.SURE)
    is_t2 = (timing.echo_ms or 0) > MIDDLE_ECHO_MS
    return _timed(Weighting.T2 if is_t2 else Weighting.T1, timing, Certainty.SURE)


def _of_spin_echo(timing: Timing) -> Timed | None:
    echo, repetition = timing.echo_ms or 0.0, timing.repetition_ms
    if echo >= LONG_ECHO_MS:
        return _timed(Weighting.T2, timing, Certainty.SURE)
    if repetition is None:
        return None
    if repetition <= SHORT_REPETITION_MS and echo <= SHORT_ECHO_MS:
        return _timed(Weighting.T1, timing, Certainty.SURE)
    if repetition >= LONG_REPETITION_MS and echo <= MIDDLE_ECHO_MS:
        return _timed(Weighting.PROTON_DENSITY, timing, Certainty.SURE)
    nearest = Weighting.T2 if echo > MIDDLE_ECHO_MS else Weighting.T1
    middle = echo <= MIDDLE_ECHO_MS and 2 * repetition >= SHORT_REPETITION_MS + LONG_REPETITION_MS
    return _timed(Weighting.PROTON_DENSITY if middle else nearest, timing, Certainty.LIKELY)


def _of_gradient_echo(timing: Timing) -> Timed | None:
    """Spoiled ones by echo time and flip angle; refocused ones (variant SS without SP) by their name if they have one.

    A magnetisation prepared one (variant MP, with inversion) is T1-weighted whatever its flip angle: MP-RAGE.
    """
    echo, flip = timing.echo_ms or 0.0, timing.flip_deg
    if echo >= LONG_GRADIENT_ECHO_MS:
        return _timed(Weighting.T2_STAR, timing, Certainty.SURE)
    if echo > SHORT_GRADIENT_ECHO_MS:
        return None
    if timing.inversion_ms is not None:
        return _timed(Weighting.T1, timing, Certainty.SURE)
    if "SS" in timing.variant and "SP" not in timing.variant:
        return _timed(Weighting.BALANCED, timing, Certainty.LIKELY) if (flip or 0) >= 30 else None
    if flip is None or timing.repetition_ms is None:
        return _timed(Weighting.T1, timing, Certainty.LIKELY)
    ernst_deg = math.degrees(math.acos(math.exp(-abs(timing.repetition_ms) / REFERENCE_T1_MS)))
    if flip >= LARGE_FLIP * ernst_deg:
        return _timed(Weighting.T1, timing, Certainty.SURE)
    return _timed(Weighting.T1 if flip >= ernst_deg else Weighting.PROTON_DENSITY, timing, Certainty.LIKELY)


def _timed(weighting: Weighting, timing: Timing, certainty: Certainty) -> Timed:
    """For example `SE with echo time 104 ms, repetition time 4480 ms`."""
    numbers = (
        ("echo time", timing.echo_ms, " ms"),
        ("repetition time", timing.repetition_ms, " ms"),
        ("inversion time", timing.inversion_ms, " ms"),
        ("flip angle", timing.flip_deg, "°"),
    )
    said = ", ".join(f"{name} {number:g}{unit}" for name, number, unit in numbers if number is not None)
    sequence = "\\".join(sorted(timing.sequence)) or "a sequence without name"
    hedge = "" if certainty is Certainty.SURE else "most likely by "
    return Timed(Answer(weighting, f"{hedge}{sequence} with {said}"), certainty)


def _enhanced_sequence(frame: FrameElements) -> frozenset[str]:
    """Scanning Sequence in the terms of MR Image, from the attributes of Enhanced MR. PS3.3 C.8.13.4."""
    kinds = {"SPIN": {"SE"}, "GRADIENT": {"GR"}, "BOTH": {"SE", "GR"}}.get(
        frame.text("EchoPulseSequence").upper(), set()
    )
    if frame.text("EchoPlanarPulseSequence").upper() == "YES":
        kinds = kinds | {"EP"}
    if frame.text("InversionRecovery").upper() == "YES":
        kinds = kinds | {"IR"}
    return frozenset(kinds)
