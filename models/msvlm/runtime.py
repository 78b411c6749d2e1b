"""Reads studies with an exported bundle by onnxruntime: what evaluation, self-test and tests measure is what ships."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from models.msvlm.tokenizer import END, NORMAL_TAG, Tokenizer, tag
from pacs_agent.inference.attributes import Attributes, attributes_of, prompt
from pacs_agent.inference.manifest import FindingEntry, Manifest, Precision

Floats = NDArray[np.float32]
Prompt = tuple[str, str, str, str]


@dataclass(frozen=True)
class StoredSeries:
    """Stored values [L, rows, columns] in ascending z with what a CT header says of them."""

    stored: NDArray[np.int16]
    slope: float
    intercept: float
    spacing_mm: tuple[float, float]
    z_mm: Floats


class Encoding(NamedTuple):
    """Slice tokens [L, d], patch grids [L, F, gr, gc], and where the field's centre lies [L, 2] (row, column)."""

    tokens: Floats
    grids: Floats
    centres_px: Floats


@dataclass(frozen=True)
class Reading:
    """What the reader says of a study.

    Finding logits and probabilities [F], slice weights and attention [F, L], attribute logits [F, A] with the
    attributes said of each finding, and the visual tokens [Q, k] from which the decoder speaks.
    """

    logits: Floats
    probabilities: Floats
    slice_weights: Floats
    slice_attention: Floats
    attribute_logits: Floats
    attributes: tuple[Attributes, ...]
    visual_tokens: Floats


def session(path: Path, threads: int = 0, providers: Sequence[str] = ("CPUExecutionProvider",)) -> Any:
    """An onnxruntime session on one graph, by default on the CPU."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(path, options, providers=list(providers))


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a bundle's folder, its files unchecked."""
    return Manifest.model_validate(json.loads((folder / "manifest.json").read_text(encoding="utf-8")))


def variants_of(folder: Path) -> tuple[Precision, ...]:
    """The precisions in which a bundle has its slice encoder, fp32 first."""
    return "fp32", *sorted(read_manifest(folder).variants)


class BundleRuntime:
    """The three graphs of a bundle folder, the slice encoder in one of its precisions."""

    def __init__(self, folder: Path, manifest: Manifest, variant: Precision = "fp32", threads: int = 0) -> None:
        graphs = manifest.graphs
        encoder = graphs.slice_encoder if variant == "fp32" else manifest.variants[variant]
        self.manifest, self.variant = manifest, variant
        self.findings: tuple[FindingEntry, ...] = manifest.findings
        self.tokenizer = Tokenizer.from_json((folder / manifest.tokenizer.file).read_text(encoding="utf-8"))
        self.encoder = session(folder / encoder.file, threads)
        self.reader = session(folder / graphs.study_reader.file, threads)
        self.decoder = session(folder / graphs.report_decoder.file, threads)

    @classmethod
    def open(cls, folder: Path, threads: int = 0, variant: Precision = "fp32") -> "BundleRuntime":
        """The bundle as its manifest describes it. Raises KeyError for a variant that it does not have."""
        return cls(folder, read_manifest(folder), variant, threads)

    def encode(self, series: StoredSeries, batch: int = 16) -> Encoding:
        """Everything that the slice encoder says of each slice."""
        parts = [self._encode(series, start, start + batch) for start in range(0, len(series.stored), batch)]
        return Encoding(*(np.concatenate(values) for values in zip(*parts, strict=True)))

    def _encode(self, series: StoredSeries, start: int, stop: int) -> list[Floats]:
        stored = series.stored[start:stop]
        n = len(stored)
        inputs = {
            "stored": stored,
            "slope": np.full(n, series.slope, np.float32),
            "intercept": np.full(n, series.intercept, np.float32),
            "spacing_mm": np.tile(np.asarray(series.spacing_mm, np.float32), (n, 1)),
        }
        outputs: list[Floats] = self.encoder.run(["token", "patch_grid", "field_centre_px"], inputs)
        return outputs

    def read(self, tokens: Floats, z_mm: Floats) -> Reading:
        """The findings of a study from its slice tokens [L, d]."""
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
        names = ["finding_logits", "slice_weights", "slice_attention", "attribute_logits", "visual_tokens"]
        logits, weights, attention, attributes, visual = (values[0] for values in self.reader.run(names, inputs))
        return Reading(
            logits=logits,
            probabilities=self.probabilities(logits),
            slice_weights=weights,
            slice_attention=attention,
            attribute_logits=attributes,
            attributes=self.attributes(attributes),
            visual_tokens=visual,
        )

    def probabilities(self, logits: Floats) -> Floats:
        """Calibrated probabilities: sigmoid(scale × logit + bias), per finding."""
        scale, bias = (np.array([getattr(entry, name) for entry in self.findings]) for name in ("scale", "bias"))
        p: Floats = (1.0 / (1.0 + np.exp(-(scale * logits + bias)))).astype(np.float32)
        return p

    def attributes(self, logits: Floats) -> tuple[Attributes, ...]:
        """What is said of each finding beside its presence, from attribute logits [F, A]."""
        names = self.manifest.attributes
        rows = zip(self.findings, logits.tolist(), strict=True)
        return tuple(attributes_of(names, row, entry.applies, entry.points) for entry, row in rows)

    def prompts(self, reading: Reading) -> list[Prompt]:
        """The prompts of the report's sentences: every finding in order, then the impression.

        An absent finding has no place, grade or count.
        """
        said, present = [], []
        for entry, p, attributes in zip(self.findings, reading.probabilities, reading.attributes, strict=True):
            kind = presence(entry, float(p))
            said.append(prompt(tag(kind, entry.key), Attributes() if kind == "absent" else attributes))
            if kind == "present":
                present.append(prompt(tag("impression", entry.key), attributes))
        return said + (present or [prompt(NORMAL_TAG, Attributes())])

    def report(self, reading: Reading) -> list[tuple[str, str]]:
        """The sentences of the report, each with the tag that licenses it."""
        prompts = self.prompts(reading)
        sentences = self.decode(prompts, reading.visual_tokens)
        return [(words[0], sentence) for words, sentence in zip(prompts, sentences, strict=True)]

    def decode(self, prompts: Sequence[Sequence[str]], visual_tokens: Floats) -> list[str]:
        """One sentence per prompt (all of one length), word by word until its end, all as one batch."""
        step = DecoderSteps(self.decoder, visual_tokens, len(prompts))
        numbers = np.array([[self.tokenizer.number[word] for word in words] for words in prompts], np.int64)
        for column in numbers.T:
            word = step.next(column)
        end = self.tokenizer.number[END]
        words, ended = [word], word == end
        while len(words) < self.manifest.max_words and not ended.all():
            words.append(step.next(words[-1]))
            ended |= words[-1] == end
        return [self.tokenizer.decode(row) for row in np.stack(words, axis=1)]


class DecoderSteps:
    """The decoder with its growing key/value cache, for a batch of sentences on one study."""

    def __init__(self, decoder: Any, visual_tokens: Floats, batch: int) -> None:
        past = next(one for one in decoder.get_inputs() if one.name == "past_keys")
        self._decoder = decoder
        self._visual = np.repeat(visual_tokens[None], batch, axis=0)
        self._keys = np.zeros((past.shape[0], batch, past.shape[2], 0, past.shape[4]), np.float32)
        self._values = self._keys

    def next(self, word: NDArray[np.int64]) -> NDArray[np.int64]:
        """The likeliest next words [b] after the words [b]."""
        inputs = {
            "word": word[:, None],
            "visual_tokens": self._visual,
            "past_keys": self._keys,
            "past_values": self._values,
        }
        logits, self._keys, self._values = self._decoder.run(["logits", "keys", "values"], inputs)
        likeliest: NDArray[np.int64] = logits.argmax(1).astype(np.int64)
        return likeliest


def presence(entry: FindingEntry, probability: float) -> str:
    """What is said of a finding at a probability: "present", "uncertain" or "absent"."""
    if probability >= entry.operating_point:
        return "present"
    return "uncertain" if probability >= entry.uncertain_from else "absent"
