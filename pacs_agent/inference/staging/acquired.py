"""What a slice token is told of its series: plane, sequence, contrast, phase and b-value, as ids of tables.

The same for phantoms and for the stacks that `pacs_agent.imaging` finds in a patient's study.
"""

from dataclasses import dataclass
from enum import IntEnum

from pacs_agent.imaging import Component, Contrast, Plane, Stack, Weighting

PLANES = tuple(Plane)
"""Ids of planes: axial, sagittal, coronal, oblique."""
PHASES = 16
"""Size of the table of phases; later ones share its last place."""


class SequenceId(IntEnum):
    """Id of a weighting; 0 is what no header tells."""

    NOT_GIVEN = 0
    T1 = 1
    T2 = 2
    T2_STAR = 3
    PROTON_DENSITY = 4
    DIFFUSION = 5
    ADC = 6
    BALANCED = 7
    PERFUSION = 8


class CtId(IntEnum):
    """Id of CT in the table of sequences: behind those of MR, which keep their places."""

    CT = 9


SEQUENCES = tuple(one.name for one in (*SequenceId, *CtId))
"""Names of ids by place. The table of a model that reads MR alone ends before CT."""


class ContrastId(IntEnum):
    """Id of contrast; told of T1, perfusion and CT alone, since other images look the same with it."""

    NOT_GIVEN = 0
    BEFORE = 1
    AFTER = 2
    UNCERTAIN = 3


_SEQUENCES: dict[Weighting, SequenceId | CtId] = {
    Weighting.T1: SequenceId.T1,
    Weighting.T2: SequenceId.T2,
    Weighting.T2_STAR: SequenceId.T2_STAR,
    Weighting.PROTON_DENSITY: SequenceId.PROTON_DENSITY,
    Weighting.DIFFUSION: SequenceId.DIFFUSION,
    Weighting.ADC: SequenceId.ADC,
    Weighting.BALANCED: SequenceId.BALANCED,
    Weighting.PERFUSION: SequenceId.PERFUSION,
    Weighting.UNKNOWN: SequenceId.NOT_GIVEN,
    Weighting.ATTENUATION: CtId.CT,
}
_CONTRASTS = {
    Contrast.NONE_NAMED: ContrastId.NOT_GIVEN,
    Contrast.BEFORE: ContrastId.BEFORE,
    Contrast.AFTER: ContrastId.AFTER,
    Contrast.UNCERTAIN: ContrastId.UNCERTAIN,
}
ENHANCING = frozenset[SequenceId | CtId]({SequenceId.T1, SequenceId.PERFUSION, CtId.CT})
"""Weightings of which contrast is told."""


@dataclass(frozen=True)
class Acquired:
    """Ids of one series; `b_value` in s/mm², 0 where diffusion plays no part."""

    plane: int
    sequence: SequenceId | CtId
    contrast: ContrastId = ContrastId.NOT_GIVEN
    phase: int = 0
    """0: taken once; else its number among the phases, from 1."""
    b_value: float = 0.0

    @property
    def ids(self) -> tuple[int, int, int, int]:
        """Plane, sequence, contrast, phase."""
        return self.plane, int(self.sequence), int(self.contrast), self.phase


def acquired_by_stack(stack: Stack) -> Acquired:
    """The ids of a stack of a patient's study. Raises KeyError where `is_readable` says no."""
    kind = _SEQUENCES[stack.weighting.value]
    return Acquired(
        plane=PLANES.index(stack.plane.value),
        sequence=kind,
        contrast=_CONTRASTS[stack.contrast.value] if kind in ENHANCING else ContrastId.NOT_GIVEN,
        phase=_phase(stack),
        b_value=stack.b_value.value or 0.0,
    )


def _phase(stack: Stack) -> int:
    """Its number among the phases; of one MR image before and one after contrast, contrast tells enough."""
    phase, contrast = stack.phase.value, stack.contrast.value
    if stack.modality == "CT":
        return min(phase.number, PHASES - 1) if phase else 0
    if phase is None or (phase.count == 2 and contrast in (Contrast.BEFORE, Contrast.AFTER)):
        return 0
    return min(phase.number, PHASES - 1)


def is_readable(stack: Stack) -> bool:
    """Whether the slices of a stack become tokens.

    MR that shows anatomy, magnitude images, one of each direction; CT that shows attenuation, reformats among it.
    """
    if stack.modality == "CT":
        computed = stack.component.value not in (Component.MAGNITUDE, Component.REFORMAT)
        return stack.weighting.value is Weighting.ATTENUATION and not computed
    return (
        stack.modality == "MR"
        and stack.weighting.value in _SEQUENCES
        and stack.component.value is Component.MAGNITUDE
        and stack.repetition in (None, 1)
    )
