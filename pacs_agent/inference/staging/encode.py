"""The slices of all stacks become tokens: decoded, looked up in the cache, the rest encoded in batches.

MR has no unit: what the encoder sees of a slice depends on the range of its whole stack. So a stack is decoded whole
before a token can be looked up, unless it was lately.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from pacs_agent.imaging import DecodingPool, Slice, UnusableSlice, decoded
from pacs_agent.inference.encode import Progress
from pacs_agent.inference.sessions import Graph
from pacs_agent.inference.staging.scale import intensity_range
from pacs_agent.inference.staging.stack_keys import StackKeys
from pacs_agent.inference.staging.study import ReadStack, ReadStudy
from pacs_agent.inference.tokens import SliceToken, TokenCache, slice_token

Floats = NDArray[np.float32]
Before = Callable[[int], None]
"""Called with how many slices are about to be encoded; what it raises ends the work, and tokens made so far stay."""


class StudyEncoding(BaseModel):
    """Of a study the stacks that were encoded, the cache keys of their slices, and what could not be decoded."""

    model_config = ConfigDict(frozen=True)

    stacks: tuple[int, ...]
    """Places among those of the choice."""
    keys: tuple[str, ...]
    encoded: int
    cached: int
    left_out: tuple[str, ...] = ()
    """Stacks that cannot be decoded, each with the reason."""

    def study(self, chosen: ReadStudy) -> ReadStudy:
        """What is read of the choice."""
        return ReadStudy(stacks=tuple(chosen.stacks[place] for place in self.stacks))


@dataclass(frozen=True, eq=False)
class StoredStack:
    """A stack as the encoder sees it: stored values int16 [n, rows, columns], and those at 0 and 1 of its range [n]."""

    stored: NDArray[np.int16]
    low: Floats
    high: Floats
    spacing_mm: tuple[float, float]

    def keys(self) -> list[str]:
        """For each slice SHA-256 of all that the encoder sees of it."""
        return [_key(*one, self.spacing_mm) for one in zip(self.stored, self.low, self.high, strict=True)]

    def inputs(self, places: Sequence[int]) -> dict[str, NDArray[np.generic]]:
        """Some of its slices as inputs of the encoder."""
        at = list(places)
        spacing = np.tile(np.asarray(self.spacing_mm, np.float32), (len(at), 1))
        return {"stored": self.stored[at], "low": self.low[at], "high": self.high[at], "spacing_mm": spacing}


class StudyEncoder:
    """The slice encoder of a model with its tokens: encodes what has none yet."""

    def __init__(
        self, graph: Graph, cache: TokenCache, batch_slices: int, decoding: DecodingPool | None = None
    ) -> None:
        """`decoding` None: codecs run in this process, as for trusted images."""
        self.graph = graph
        self.cache = cache
        self.batch_slices = batch_slices
        self._decoding = decoding
        self._known = StackKeys()

    def encode_missing(self, study: ReadStudy, progress: Progress | None = None) -> StudyEncoding:
        """Makes the tokens of all slices that have none yet; a stack that cannot be decoded is left out.

        May be repeated: what is there is not made again. Raises UnusableSlice where no stack can be decoded,
        ModelFailed when the encoder stops, and whatever `progress` raises.
        """
        total, done, made = len(study.slices), 0, 0
        kept, keys, faults = list[int](), list[str](), list[tuple[ReadStack, UnusableSlice]]()
        for place, stack in enumerate(study.stacks):
            try:
                found, encoded = self.encode_stack(stack, told=_onward(progress, done, total))
            except UnusableSlice as fault:
                faults.append((stack, fault))
            else:
                made += encoded
                kept.append(place)
                keys += found
            done += len(stack.series.slices)
            _onward(progress, 0, total)(done)
        if not kept:
            raise faults[0][1]
        left_out = tuple(
            f"{stack.name} ({stack.series.description}) cannot be read: {fault}" for stack, fault in faults
        )
        return StudyEncoding(
            stacks=tuple(kept), keys=tuple(keys), encoded=made, cached=len(keys) - made, left_out=left_out
        )

    def encode_stack(
        self, stack: ReadStack, before: Before | None = None, told: Before | None = None
    ) -> tuple[Sequence[str], int]:
        """Makes the tokens of one stack that it has not yet; gives the keys of its slices, and how many were made.

        `told` is called with how many slices have a token. Raises UnusableSlice, ModelFailed and what both raise.
        """
        known = self._known.find(stack)
        if known is not None and not self._missing(known):
            return known, 0
        stored = self._stored(stack)
        keys = stored.keys()
        self._known.keep(stack, keys)
        missing = self._missing(keys)
        there = len(keys) - len(missing)
        for at in range(0, len(missing), self.batch_slices):
            batch = missing[at : at + self.batch_slices]
            if before is not None:
                before(len(batch))
            self._encode(stored, keys, batch, stack.series.slices)
            if told is not None:
                told(there + at + len(batch))
        return keys, len(missing)

    def _missing(self, keys: Sequence[str]) -> list[int]:
        return [place for place, key in enumerate(keys) if self.cache.load(key) is None]

    def _encode(self, stack: StoredStack, keys: Sequence[str], batch: Sequence[int], slices: Sequence[Slice]) -> None:
        outputs = self.graph.run(stack.inputs(batch))
        for place, token, grid in zip(batch, outputs["token"], outputs["patch_grid"], strict=True):
            self.cache.store(keys[place], slice_token(token, grid, _middle_px(slices[place])))

    def _stored(self, stack: ReadStack) -> StoredStack:
        """Raises UnusableSlice."""
        slices = stack.series.slices
        pixels = self._decoding.read(slices) if self._decoding else decoded(slices)
        return stored_stack(stack, np.stack(list(pixels)))


def stored_stack(stack: ReadStack, stored: NDArray[np.int16]) -> StoredStack:
    """A stack with its range of intensities, found over all of it."""
    slices = stack.series.slices
    slope, intercept = (np.array([getattr(one, name) for one in slices], np.float32) for name in ("slope", "intercept"))
    values = stored * slope[:, None, None] + intercept[:, None, None]
    low, high = intensity_range(values, stack.acquired.sequence, stack.window_hu)
    return StoredStack(stored, (low - intercept) / slope, (high - intercept) / slope, slices[0].spacing_mm)


def tokens_of(cache: TokenCache, encoding: StudyEncoding) -> list[SliceToken] | None:
    """The tokens of an encoding; None where one of them is lost."""
    found = [cache.load(key) for key in encoding.keys]
    there = [token for token in found if token is not None]
    return there if len(there) == len(found) else None


def _onward(progress: Progress | None, before: int, total: int) -> Callable[[int], None]:
    def told(done: int) -> None:
        if progress is not None:
            progress(before + done, total)

    return told


def _middle_px(one: Slice) -> Floats:
    """The field lies about the middle of each image."""
    return np.array([0.5 * (one.rows - 1), 0.5 * (one.columns - 1)], np.float32)


def _key(stored: NDArray[np.int16], low: np.float32, high: np.float32, spacing_mm: tuple[float, float]) -> str:
    facts = np.array([*stored.shape, low, high, *spacing_mm], "<f8")
    digest = hashlib.sha256(facts.tobytes())
    digest.update(np.ascontiguousarray(stored, "<i2").tobytes())
    return digest.hexdigest()
