"""What a slice token is told of a phantom's series: the same as of a patient's (`pacs_agent.inference.staging`)."""

from models.phantoms.pelvis import Sequence, Weighting
from pacs_agent.imaging import Plane
from pacs_agent.inference.staging.acquired import ENHANCING, PLANES, Acquired, ContrastId, SequenceId

_SEQUENCES = {
    Weighting.T1: SequenceId.T1,
    Weighting.T2: SequenceId.T2,
    Weighting.DWI: SequenceId.DIFFUSION,
    Weighting.ADC: SequenceId.ADC,
}


def acquired_by_phantom(sequence: Sequence) -> Acquired:
    """The ids of a phantom's series."""
    kind = _SEQUENCES[sequence.weighting]
    contrast = ContrastId.AFTER if sequence.contrast else ContrastId.BEFORE
    return Acquired(
        plane=PLANES.index(Plane(sequence.plane.value)),
        sequence=kind,
        contrast=contrast if kind in ENHANCING else ContrastId.NOT_GIVEN,
        b_value=sequence.b_value or 0.0,
    )
