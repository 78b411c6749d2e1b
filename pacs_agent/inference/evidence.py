"""Which slices a finding rests on: two methods behind one signature, and the strongest slices of either."""

from collections.abc import Callable, Sequence
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from pacs_agent.imaging import OrderedSeries
from pacs_agent.inference.read import Floats, StudyOutputs, StudyTokens, read_masked
from pacs_agent.inference.reading import SliceEvidence
from pacs_agent.inference.sessions import Graph

KEY_SLICES = 3
"""Slices named for a finding."""
LEFT_OUT_RADIUS = 1
"""Neighbours on each side that are left out with a slice: alone, its neighbours would speak for it."""
BATCH_STUDIES = 16


class EvidenceMethod(StrEnum):
    """How slice evidence is found."""

    SLICE_WEIGHTS = "slice_weights"
    LEAVE_SLICES_OUT = "leave_slices_out"


EvidenceFunction = Callable[[Graph, StudyTokens, StudyOutputs], Floats]
"""From the reader, a study and its reading to weights [F, L] in [0, 1]."""


def slice_weights(reader: Graph, study: StudyTokens, outputs: StudyOutputs) -> Floats:
    """The model's own weights of the slices, [F, L]; costs nothing."""
    return outputs.slice_weights


def leave_slices_out(reader: Graph, study: StudyTokens, outputs: StudyOutputs) -> Floats:
    """How much each finding's logit falls without a slice and its neighbours, as a share of the largest fall, [F, L].

    Occlusion on cached tokens: L passes of the reader, in batches. A finding that never falls has no evidence (zeros).
    Raises ModelFailed.
    """
    masks = _left_out(len(study.tokens))
    batches = [masks[start : start + BATCH_STUDIES] for start in range(0, len(masks), BATCH_STUDIES)]
    without = np.concatenate([read_masked(reader, study, batch)["finding_logits"] for batch in batches])
    falls = np.maximum(outputs.finding_logits - without, 0).T
    largest = falls.max(axis=1, keepdims=True)
    shares: Floats = np.divide(falls, largest, out=np.zeros_like(falls), where=largest > 0)
    return shares


EVIDENCE: dict[EvidenceMethod, EvidenceFunction] = {
    EvidenceMethod.SLICE_WEIGHTS: slice_weights,
    EvidenceMethod.LEAVE_SLICES_OUT: leave_slices_out,
}


def strongest(weights: Sequence[float], series: OrderedSeries, count: int = KEY_SLICES) -> tuple[SliceEvidence, ...]:
    """The slices of largest weight, strongest first, of equal ones the lower first; none without any weight."""
    order = sorted(range(len(weights)), key=lambda index: (-weights[index], index))
    return tuple(_evidence(index, weights[index], series) for index in order[:count] if weights[index] > 0)


def _left_out(length: int) -> NDArray[np.bool_]:
    """Row i sees all slices but i and its neighbours, [L, L]; a study too short for that loses slice i alone."""
    places = np.arange(length)
    radius = LEFT_OUT_RADIUS if length > 2 * LEFT_OUT_RADIUS + 1 else 0
    seen: NDArray[np.bool_] = np.abs(places[:, None] - places[None, :]) > radius
    return seen if length > 1 else np.ones((1, 1), np.bool_)


def _evidence(index: int, weight: float, series: OrderedSeries) -> SliceEvidence:
    one = series.slices[index]
    return SliceEvidence(
        index=index, sop_instance_uid=one.sop_instance_uid, frame_number=one.frame_number, weight=weight
    )
