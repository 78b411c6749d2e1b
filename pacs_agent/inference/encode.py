"""Slices become tokens: decoded, looked up in the cache, the rest encoded in batches of equal shape."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from pacs_agent.imaging import Decoded, DecodingPool, OrderedSeries, Slice, decoded, decoded_each
from pacs_agent.inference.refusal import ModelFailed
from pacs_agent.inference.sessions import Graph
from pacs_agent.inference.slice_keys import SliceKeys
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


class SliceEncoder:
    """The slice encoder of a model with its tokens: encodes what has none yet."""

    def __init__(
        self, graph: Graph, cache: TokenCache, keys: SliceKeys, batch_slices: int, decoding: DecodingPool | None = None
    ) -> None:
        """`decoding` None: codecs run in this process, as for trusted images."""
        self.graph = graph
        self.cache = cache
        self.keys = keys
        self.batch_slices = batch_slices
        self._decoding = decoding

    def encode_missing(self, series: OrderedSeries, progress: Progress | None = None) -> Encoding:
        """Makes the tokens of all slices that have none yet. May be repeated: what is there is not made again.

        A slice whose key is remembered is not even decoded.
        Raises UnusableSlice for a slice that cannot be decoded, ModelFailed when the encoder stops.
        """
        keys = [self.key_with_token(one) for one in series.slices]
        missing = [index for index, key in enumerate(keys) if key is None]
        waiting: list[EncoderInput] = []
        encoded, done, total = 0, len(keys) - len(missing), len(keys)
        pixels = self._read([series.slices[index] for index in missing])
        for count, (index, stored) in enumerate(zip(missing, pixels, strict=True), 1):
            one = series.slices[index]
            keys[index] = key = token_key(stored, one)
            if self.cache.load(key) is None:
                waiting.append(EncoderInput(stored, one, key))
            else:
                self.keys.keep([(one, key)])
            if len(waiting) >= self.batch_slices or (waiting and count == len(missing)):
                encoded += self.encode(waiting)
                waiting.clear()
            if progress is not None:
                progress(done + count - len(waiting), total)
        if progress is not None and not missing:
            progress(total, total)
        return Encoding(keys=tuple(key for key in keys if key), encoded=encoded, cached=total - encoded)

    def key_with_token(self, one: Slice) -> str | None:
        """The key of a slice of which key and token are known, else None."""
        key = self.keys.find(one)
        return key if key is not None and self.cache.load(key) is not None else None

    def encode(self, slices: Sequence[EncoderInput]) -> int:
        """Encodes slices of one shape and keeps their tokens and keys; gives how many. Raises ModelFailed."""
        for one, token in zip(slices, encode_slices(self.graph, slices), strict=True):
            self.cache.store(one.key, token)
        self.keys.keep((one.slice, one.key) for one in slices)
        return len(slices)

    def decode_each(self, slices: Sequence[Slice]) -> Iterator[Decoded]:
        """For each slice its stored values, or why it has none."""
        return self._decoding.read_each(slices) if self._decoding else decoded_each(slices)

    def _read(self, slices: Sequence[Slice]) -> Iterator[NDArray[np.int16]]:
        return self._decoding.read(slices) if self._decoding else decoded(slices)


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
