"""The tokens of all stacks become a reading: logits of the steps, slice attention, and the decoder's visual tokens."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pacs_agent.inference.refusal import ModelFailed
from pacs_agent.inference.sessions import Graph
from pacs_agent.inference.staging.places import centre_mm
from pacs_agent.inference.staging.study import ReadStudy

Floats = NDArray[np.float32]
_IDS = ("plane", "sequence", "contrast", "phase")
_ROUNDING = 1e-3
"""How far a float32 sum of shares may lie from 1."""


@dataclass(frozen=True, eq=False)
class StagingOutputs:
    """What the reader says of one study: step logits [C], slice attention [I, L], visual tokens [Q, k]."""

    step_logits: Floats
    slice_attention: Floats
    visual_tokens: Floats


def study_inputs(study: ReadStudy, tokens: Sequence[Floats]) -> dict[str, NDArray[np.generic]]:
    """The inputs of the study reader for one study."""
    slices = study.slices
    counts = [len(stack.series.slices) for stack in study.stacks]
    ids = np.repeat(np.array([stack.acquired.ids for stack in study.stacks], np.int64), counts, axis=0)
    b_values = np.repeat(np.array([stack.acquired.b_value for stack in study.stacks], np.float32), counts)
    return {
        "tokens": np.stack(tokens)[None],
        "centre_mm": np.array([[centre_mm(one) for one in slices]], np.float32),
        "orientation": np.array([[one.orientation for one in slices]], np.float32),
        **{name: ids[None, :, place] for place, name in enumerate(_IDS)},
        "b_value": b_values[None],
        "mask": np.ones((1, len(slices)), np.bool_),
    }


def read_staging(reader: Graph, inputs: dict[str, NDArray[np.generic]], steps: int, items: int) -> StagingOutputs:
    """The reading of one study of which `steps` and `items` are the numbers. Raises ModelFailed."""
    outputs = {name: values[0] for name, values in reader.run(inputs).items()}
    read = StagingOutputs(outputs["step_logits"], outputs["slice_attention"], outputs["visual_tokens"])
    if read.step_logits.shape != (steps,):
        raise ModelFailed(reader.name, f"step logits of shape {read.step_logits.shape} for {steps} steps")
    wanted = items, inputs["mask"].shape[1]
    if read.slice_attention.shape != wanted:
        raise ModelFailed(reader.name, f"slice attention of shape {read.slice_attention.shape}, not {wanted}")
    if read.slice_attention.min(initial=0.0) < 0:
        raise ModelFailed(reader.name, f"slice attention from {read.slice_attention.min()}, not from 0")
    if np.abs(read.slice_attention.sum(axis=1) - 1).max(initial=0.0) > _ROUNDING * wanted[1]:
        raise ModelFailed(reader.name, "slice attention does not sum to 1 over the slices")
    return read
