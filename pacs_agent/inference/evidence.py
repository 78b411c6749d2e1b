"""Which slices a finding rests on: methods behind one signature, and the strongest slices of any of them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pacs_agent.inference.read import Floats, StudyOutputs, StudyTokens, read_masked
from pacs_agent.inference.reading import EvidenceMethod
from pacs_agent.inference.sessions import Graph

KEY_SLICES = 3
"""Slices named for a finding."""
LEAST_SHARE = 0.01
"""Of the strongest slice's weight, what a slice has that is named at all."""
WINDOW_MM = 10.0
"""Extent of what is left out at once: alone, a slice's neighbours would speak for it."""
MAX_WINDOWS = 64
"""Most passes of the reader for one study; between them the weights are interpolated."""
BATCH_STUDIES = 8
_ROUNDING_MM = 1e-3


@dataclass(frozen=True, eq=False)
class ReadStudy:
    """A study with what the reader says of it. `blank` [d]: the token that stands for nothing, None: the mask does."""

    reader: Graph
    tokens: StudyTokens
    outputs: StudyOutputs
    blank: Floats | None = None


EvidenceFunction = Callable[[ReadStudy], Floats]
"""From a study to weights [F, L] in [0, 1]."""


def slice_weights(study: ReadStudy) -> Floats:
    """The model's own weights of the slices, [F, L]; costs nothing."""
    return np.clip(study.outputs.slice_weights, 0, 1)


def attention(study: ReadStudy) -> Floats:
    """How much each finding attends to each slice, as a share of the slice it attends to most, [F, L]."""
    return shares(study.outputs.slice_attention)


def leave_slices_out(study: ReadStudy) -> Floats:
    """How much each finding's logit falls without the slices about a place, as a share of the largest fall, [F, L].

    Occlusion on cached tokens: a pass of the reader for each slice, of a long study for each of MAX_WINDOWS places. A
    finding that never falls has no evidence (zeros). Raises ModelFailed.
    """
    z_mm = study.tokens.z_mm.astype(np.float64)
    places_mm, left_out = _windows(z_mm)
    batches = np.array_split(left_out, -(-len(left_out) // BATCH_STUDIES))
    without = np.concatenate([_logits_without(study, batch) for batch in batches])
    falls = shares(np.maximum(study.outputs.finding_logits - without, 0).T)
    return np.stack([np.interp(z_mm, places_mm, row) for row in falls]).astype(np.float32)


EVIDENCE: dict[EvidenceMethod, EvidenceFunction] = {
    EvidenceMethod.SLICE_WEIGHTS: slice_weights,
    EvidenceMethod.LEAVE_SLICES_OUT: leave_slices_out,
    EvidenceMethod.ATTENTION: attention,
}


def strongest(weights: Sequence[float], count: int = KEY_SLICES) -> list[int]:
    """The slices of largest weight, strongest first, of equal ones the lower first; none without any weight.

    A slice that has next to none beside the strongest shows nothing: rather fewer slices than such a one.
    """
    order = sorted(range(len(weights)), key=lambda index: (-weights[index], index))
    least = LEAST_SHARE * max(weights, default=0.0)
    return [index for index in order[:count] if weights[index] > 0 and weights[index] >= least]


def _logits_without(study: ReadStudy, left_out: NDArray[np.bool_]) -> Floats:
    """Finding logits [b, F] of the versions of a study that lack the slices marked in `left_out` [b, L]."""
    reader, tokens = study.reader, study.tokens
    if study.blank is None:
        return read_masked(reader, tokens, ~left_out)["finding_logits"]
    blanked = np.where(left_out[:, :, None], study.blank, tokens.tokens)
    return read_masked(reader, tokens, np.ones_like(left_out), blanked)["finding_logits"]


def _windows(z_mm: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Places [W] and the slices that lie about each [W, L]: within WINDOW_MM, and the nearest one in any case.

    Windows of a long study overlap by half, so that nothing smaller falls between two. None holds more than half of the
    study: of a short one the nearest slice alone is left out.
    """
    length, extent_mm = len(z_mm), WINDOW_MM
    places = z_mm
    if length > MAX_WINDOWS:
        places, step_mm = np.linspace(z_mm[0], z_mm[-1], MAX_WINDOWS, retstep=True)
        extent_mm = max(WINDOW_MM, 2 * float(step_mm))
    far_mm = np.abs(places[:, None] - z_mm[None, :])
    nearest = np.arange(length)[None, :] == far_mm.argmin(axis=1)[:, None]
    left_out = (far_mm <= extent_mm / 2 + _ROUNDING_MM) | nearest
    return places, np.where(left_out.sum(axis=1, keepdims=True) * 2 > length, nearest & (length > 1), left_out)


def shares(values: Floats) -> Floats:
    """Each row as shares of its largest value; a row without any stays zero."""
    largest = values.max(axis=1, keepdims=True)
    shares: Floats = np.divide(values, largest, out=np.zeros_like(values), where=largest > 0)
    return shares
