"""Reads studies with an exported bundle by onnxruntime: what evaluation, self-test and tests measure is what ships."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from models.msvlm.tokenizer import END, NORMAL_TAG, Tokenizer, tag
from pacs_agent.inference.manifest import FindingEntry, Manifest

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class StoredSeries:
    """Stored values [L, rows, columns] in ascending z with what a CT header says of them."""

    stored: NDArray[np.int16]
    slope: float
    intercept: float
    spacing_mm: tuple[float, float]
    z_mm: Floats


@dataclass(frozen=True)
class Reading:
    """Finding logits [F], probabilities [F], slice weights [F, L], visual tokens [Q, k]."""

    logits: Floats
    probabilities: Floats
    slice_weights: Floats
    visual_tokens: Floats


def session(path: Path, threads: int = 0) -> onnxruntime.InferenceSession:
    """A CPU session on one graph."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


class BundleRuntime:
    """The three graphs of a bundle folder."""

    def __init__(self, folder: Path, findings: Sequence[FindingEntry], max_words: int = 40, threads: int = 0) -> None:
        self.findings, self.max_words = tuple(findings), max_words
        self.tokenizer = Tokenizer.from_json((folder / "tokenizer.json").read_text())
        self.encoder = session(folder / "slice_encoder.onnx", threads)
        self.reader = session(folder / "study_reader.onnx", threads)
        self.decoder = session(folder / "report_decoder.onnx", threads)

    @classmethod
    def open(cls, folder: Path, threads: int = 0) -> "BundleRuntime":
        """The bundle as its manifest describes it."""
        manifest = Manifest.model_validate(json.loads((folder / "manifest.json").read_text()))
        return cls(folder, manifest.findings, manifest.max_words, threads)

    def encode(self, series: StoredSeries, batch: int = 16) -> tuple[Floats, Floats]:
        """Slice tokens [L, d] and patch grids [L, F, g, g]."""
        parts = [self._encode(series, start, start + batch) for start in range(0, len(series.stored), batch)]
        tokens, grids = zip(*parts, strict=True)
        return np.concatenate(tokens), np.concatenate(grids)

    def _encode(self, series: StoredSeries, start: int, stop: int) -> tuple[Floats, Floats]:
        stored = series.stored[start:stop]
        n = len(stored)
        inputs = {
            "stored": stored,
            "slope": np.full(n, series.slope, np.float32),
            "intercept": np.full(n, series.intercept, np.float32),
            "spacing_mm": np.tile(np.asarray(series.spacing_mm, np.float32), (n, 1)),
        }
        token, grid = self.encoder.run(None, inputs)
        return token, grid

    def read(self, tokens: Floats, z_mm: Floats) -> Reading:
        """The findings of a study from its slice tokens."""
        length = len(tokens)
        ids = np.zeros((1, length), np.int64)
        inputs = {
            "tokens": tokens[None],
            "z_mm": z_mm[None].astype(np.float32),
            "plane": ids,
            "sequence": ids,
            "phase": ids,
            "mask": np.ones((1, length), bool),
        }
        logits, weights, visual = self.reader.run(None, inputs)
        return Reading(logits[0], self.probabilities(logits[0]), weights[0], visual[0])

    def probabilities(self, logits: Floats) -> Floats:
        """Calibrated probabilities: sigmoid(scale × logit + bias), per finding."""
        scale, bias = (np.array([getattr(entry, name) for entry in self.findings]) for name in ("scale", "bias"))
        return (1.0 / (1.0 + np.exp(-(scale * logits + bias)))).astype(np.float32)

    def tags(self, probabilities: Floats) -> list[str]:
        """First words of the report's sentences: every finding in order, then the impression."""
        tags, present = [], []
        for entry, probability in zip(self.findings, probabilities, strict=True):
            kind = _presence(entry, float(probability))
            tags.append(tag(kind, entry.key))
            if kind == "present":
                present.append(tag("impression", entry.key))
        return tags + (present or [NORMAL_TAG])

    def report(self, reading: Reading) -> list[str]:
        """The sentences of the report."""
        return self.decode(self.tags(reading.probabilities), reading.visual_tokens)

    def decode(self, tags: Sequence[str], visual_tokens: Floats) -> list[str]:
        """One sentence per tag, word by word until its end, all as one batch."""
        b = len(tags)
        shape = self.decoder.get_inputs()[2].shape
        cache = np.zeros((shape[0], b, shape[2], 0, shape[4]), np.float32)
        keys, values = cache, cache
        word = np.array([[self.tokenizer.number[first]] for first in tags], np.int64)
        visual = np.repeat(visual_tokens[None], b, axis=0)
        words: list[NDArray[np.int64]] = []
        end = self.tokenizer.number[END]
        done = np.zeros(b, bool)
        while len(words) < self.max_words and not done.all():
            inputs = {"word": word, "visual_tokens": visual, "past_keys": keys, "past_values": values}
            logits, keys, values = self.decoder.run(None, inputs)
            word = logits.argmax(1)[:, None].astype(np.int64)
            done |= word[:, 0] == end
            words.append(word[:, 0])
        return [self.tokenizer.decode(numbers) for numbers in np.stack(words, axis=1)]


def _presence(entry: FindingEntry, probability: float) -> str:
    if probability >= entry.operating_point:
        return "present"
    return "uncertain" if probability >= entry.uncertain_from else "absent"
