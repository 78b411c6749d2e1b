"""Slices become tokens: decoded, looked up in the cache, the rest encoded in batches of equal shape."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from pacs_agent.imaging import OrderedSeries, Slice, read_slices
from pacs_agent.inference.refusal import ModelFailed
from pacs_agent.inference.sessions import Graph
from pacs_agent.inference.tokens import SliceToken, TokenCache, slice_token, token_key

Progress = Callable[[int, int], None]
"""Called with the number of slices that have a token, and the number of all."""


class Encoding(BaseModel):
    """The cache keys of a series' slices, in their order, and how many tokens were made and how many found."""

    model_config = ConfigDict(frozen=True)

    keys: tuple[str, ...]
    encoded: int
    cached: int


@dataclass(frozen=True, eq=False)
class EncoderInput:
    """One slice as the encoder sees it, and the key of its token."""

    stored: NDArray[np.int16]
    slice: Slice
    key: str


def encode_missing(
    series: OrderedSeries, encoder: Graph, cache: TokenCache, batch_slices: int, progress: Progress | None = None
) -> Encoding:
    """Makes the tokens of all slices that have none yet. May be repeated: what is there is not made again.

    Raises UnusableSlice for a slice that cannot be decoded, ModelFailed when the encoder stops.
    """
    keys: list[str] = []
    waiting: list[EncoderInput] = []
    encoded = 0
    for one, stored in zip(series.slices, read_slices(series), strict=True):
        keys.append(token_key(stored, one))
        if cache.load(keys[-1]) is None:
            waiting.append(EncoderInput(stored, one, keys[-1]))
        if len(waiting) >= batch_slices or (waiting and len(keys) == len(series.slices)):
            encoded += _encode_into(cache, encoder, waiting)
            waiting.clear()
        if progress is not None:
            progress(len(keys) - len(waiting), len(series.slices))
    return Encoding(keys=tuple(keys), encoded=encoded, cached=len(keys) - encoded)


def encode_slices(encoder: Graph, slices: Sequence[EncoderInput]) -> list[SliceToken]:
    """Tokens of slices of one shape, in one run. Raises ModelFailed."""
    outputs = encoder.run(
        {
            "stored": np.stack([one.stored for one in slices]),
            "slope": np.array([one.slice.slope for one in slices], np.float32),
            "intercept": np.array([one.slice.intercept for one in slices], np.float32),
            "spacing_mm": np.array([one.slice.spacing_mm for one in slices], np.float32),
        }
    )
    tokens, grids, centres = outputs["token"], outputs["patch_grid"], outputs["field_centre_px"]
    counts = len(tokens), len(grids), len(centres)
    if set(counts) != {len(slices)}:
        raise ModelFailed(encoder.name, f"{counts} tokens, grids and centres for {len(slices)} slices")
    return [slice_token(*of_slice) for of_slice in zip(tokens, grids, centres, strict=True)]


def _encode_into(cache: TokenCache, encoder: Graph, slices: Sequence[EncoderInput]) -> int:
    """Encodes slices (all of one series, so of one shape) and keeps their tokens; gives how many."""
    for one, token in zip(slices, encode_slices(encoder, slices), strict=True):
        cache.store(one.key, token)
    return len(slices)
