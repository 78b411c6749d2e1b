"""Slice tokens become a reading: logits of findings and attributes, slice weights, and the decoder's visual tokens."""

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
_ROUNDING = 1e-3
"""How far a float32 sum of shares may lie from 1."""


@dataclass(frozen=True, eq=False)
class StudyTokens:
    """All that the reader sees of a study: tokens [L, d], z in mm [L], plane number."""

    tokens: Floats
    z_mm: Floats
    plane: int


@dataclass(frozen=True, eq=False)
class StudyOutputs:
    """What the reader says of one study.

    Finding logits [F], slice weights [F, L] in [0, 1], slice attention [F, L] that sums to 1 over slices, attribute
    logits [F, A], visual tokens [Q, k].
    """

    finding_logits: Floats
    slice_weights: Floats
    slice_attention: Floats
    attribute_logits: Floats
    visual_tokens: Floats


def study_tokens(series: OrderedSeries, tokens: Floats) -> StudyTokens:
    """The tokens [L, d] of a series with where they lie."""
    z_mm = np.array([one.z_mm for one in series.slices], np.float32)
    return StudyTokens(tokens, z_mm, PLANE_IDS[series.plane])


def read_study(reader: Graph, study: StudyTokens) -> StudyOutputs:
    """The reading of a study from all of its slices. Raises ModelFailed."""
    outputs = read_masked(reader, study, np.ones((1, len(study.tokens)), np.bool_))
    read = StudyOutputs(
        finding_logits=outputs["finding_logits"][0],
        slice_weights=outputs["slice_weights"][0],
        slice_attention=outputs["slice_attention"][0],
        attribute_logits=outputs["attribute_logits"][0],
        visual_tokens=outputs["visual_tokens"][0],
    )
    _check(reader.name, read, len(study.tokens))
    return read


def read_masked(
    reader: Graph, study: StudyTokens, mask: NDArray[np.bool_], tokens: Floats | None = None
) -> dict[str, Floats]:
    """The reader's outputs for b versions of a study, each seeing the slices where its row of `mask` [b, L] is true.

    `tokens` [b, L, d] where the versions differ in them too. Raises ModelFailed.
    """
    copies, length = mask.shape
    same = np.broadcast_to(study.tokens, (copies, *study.tokens.shape))
    return reader.run(
        {
            "tokens": same if tokens is None else tokens,
            "z_mm": np.broadcast_to(study.z_mm, (copies, length)),
            "plane": np.full((copies, length), study.plane, np.int64),
            "sequence": np.full((copies, length), SEQUENCE_NOT_GIVEN, np.int64),
            "phase": np.full((copies, length), PHASE_NOT_GIVEN, np.int64),
            "mask": mask,
        }
    )


def _check(name: str, read: StudyOutputs, length: int) -> None:
    """Refuses outputs that do not fit the study or mean nothing."""
    findings = len(read.finding_logits)
    for kind, values in (("weights", read.slice_weights), ("attention", read.slice_attention)):
        if values.shape != (findings, length):
            raise ModelFailed(name, f"slice {kind} of shape {values.shape} for {findings} findings and {length} slices")
        if values.min(initial=0.0) < 0 or values.max(initial=0.0) > 1 + _ROUNDING:
            raise ModelFailed(name, f"slice {kind} from {values.min()} to {values.max()}, not from 0 to 1")
    if np.abs(read.slice_attention.sum(axis=1) - 1).max(initial=0.0) > _ROUNDING * length:
        raise ModelFailed(name, "slice attention does not sum to 1 over the slices")
