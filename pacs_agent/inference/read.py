"""Slice tokens become a reading: finding logits, slice weights and the visual tokens the decoder speaks from."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pacs_agent.imaging import OrderedSeries, Plane
from pacs_agent.inference.refusal import ModelFailed
from pacs_agent.inference.sessions import Graph

Floats = NDArray[np.float32]

PLANE_IDS = {plane: number for number, plane in enumerate(Plane)}
"""Number of each plane, as trained."""
SEQUENCE_NOT_GIVEN = 0
PHASE_NOT_GIVEN = 0


@dataclass(frozen=True, eq=False)
class StudyTokens:
    """All that the reader sees of a study: tokens [L, d], z in mm [L], plane number."""

    tokens: Floats
    z_mm: Floats
    plane: int


@dataclass(frozen=True, eq=False)
class StudyOutputs:
    """What the reader says of one study: finding logits [F], slice weights [F, L] in [0, 1], visual tokens [Q, k]."""

    finding_logits: Floats
    slice_weights: Floats
    visual_tokens: Floats


def study_tokens(series: OrderedSeries, tokens: Floats) -> StudyTokens:
    """The tokens [L, d] of a series with where they lie."""
    z_mm = np.array([one.z_mm for one in series.slices], np.float32)
    return StudyTokens(tokens, z_mm, PLANE_IDS[series.plane])


def read_study(reader: Graph, study: StudyTokens) -> StudyOutputs:
    """The reading of a study from all of its slices. Raises ModelFailed."""
    whole = np.ones((1, len(study.tokens)), np.bool_)
    outputs = read_masked(reader, study, whole)
    weights = outputs["slice_weights"][0]
    if weights.min(initial=0.0) < 0 or weights.max(initial=0.0) > 1:
        raise ModelFailed(reader.name, f"slice weights run from {weights.min()} to {weights.max()}, not from 0 to 1")
    return StudyOutputs(outputs["finding_logits"][0], weights, outputs["visual_tokens"][0])


def read_masked(reader: Graph, study: StudyTokens, mask: NDArray[np.bool_]) -> dict[str, Floats]:
    """The reader's outputs for b versions of a study, each seeing the slices where its row of `mask` [b, L] is true."""
    copies, length = mask.shape
    outputs = reader.run(
        {
            "tokens": np.broadcast_to(study.tokens, (copies, *study.tokens.shape)),
            "z_mm": np.broadcast_to(study.z_mm, (copies, length)),
            "plane": np.full((copies, length), study.plane, np.int64),
            "sequence": np.full((copies, length), SEQUENCE_NOT_GIVEN, np.int64),
            "phase": np.full((copies, length), PHASE_NOT_GIVEN, np.int64),
            "mask": mask,
        }
    )
    if outputs["slice_weights"].shape != (*outputs["finding_logits"].shape, length):
        raise ModelFailed(reader.name, f"slice weights have shape {outputs['slice_weights'].shape} for {length} slices")
    return outputs
