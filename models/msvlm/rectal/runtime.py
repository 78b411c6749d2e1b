"""Reads studies with an exported bundle by onnxruntime: what the evaluation measures is what the bundle says."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.msvlm.rectal.items import SCALES, level_probabilities
from models.msvlm.rectal.reader import SeriesInputs
from models.msvlm.rectal.sentences import Vocabulary, plain_sentence, prompt_word
from models.msvlm.runtime import DecoderSteps, session
from models.phantoms.pelvis import Item
from pacs_agent.inference.staging.manifest import StagingManifest
from pacs_agent.inference.staging.words import END, SLOT, filled

Floats = NDArray[np.float32]
BATCH = 16
"""Slices that are encoded at a time."""


@dataclass(frozen=True)
class Staging:
    """What is said of a study: probability of each level of each item, slice attention [I, L], visual tokens [Q, k]."""

    levels: dict[Item, NDArray[np.float64]]
    attention: Floats
    visual_tokens: Floats

    def level(self, item: Item) -> int:
        """The likeliest level of an item."""
        return int(self.levels[item].argmax())


class SeriesRuntime:
    """The three graphs of a bundle folder."""

    def __init__(self, folder: Path, manifest: StagingManifest, threads: int = 0) -> None:
        self.manifest = manifest
        words = json.loads((folder / manifest.tokenizer.file).read_text(encoding="utf-8"))["words"]
        self.vocabulary = Vocabulary(tuple(words))
        graphs = (manifest.slice_encoder, manifest.study_reader, manifest.report_decoder)
        self.encoder, self.reader, self.decoder = (session(folder / graph.file, threads) for graph in graphs)
        steps = [step for item in manifest.items for step in item.steps]
        self._scale, self._bias = (np.array([getattr(step, name) for step in steps]) for name in ("scale", "bias"))

    @classmethod
    def open(cls, folder: Path, threads: int = 0) -> "SeriesRuntime":
        """The bundle as its manifest describes it. Raises ValidationError for another kind of bundle."""
        return cls(folder, StagingManifest.model_validate_json((folder / "manifest.json").read_bytes()), threads)

    @property
    def patch_mm(self) -> float:
        """Side of a patch."""
        return self.manifest.pixel_mm * self.manifest.field_px[0] / self.manifest.patch_grid[0]

    def encode(
        self, stored: NDArray[np.int16], intensities: tuple[Floats, Floats], spacing_mm: tuple[float, float]
    ) -> tuple[Floats, Floats]:
        """Tokens [n, d] and patch grids [n, S, gr, gc] of slices; `intensities` are what is 0 and 1 of each [n]."""
        (low, high), spacing = intensities, np.tile(np.asarray(spacing_mm, np.float32), (len(stored), 1))
        inputs = {"stored": stored, "low": low, "high": high, "spacing_mm": spacing}
        parts = [
            self.encoder.run(["token", "patch_grid"], {name: value[k : k + BATCH] for name, value in inputs.items()})
            for k in range(0, len(stored), BATCH)
        ]
        tokens, grids = (np.concatenate(values) for values in zip(*parts, strict=True))
        return tokens, grids

    def read(self, given: SeriesInputs) -> Staging:
        """The items of one study."""
        inputs = {name: value.numpy() for name, value in given._asdict().items()}
        names = ["step_logits", "slice_attention", "visual_tokens"]
        steps, attention, visual = (values[0] for values in self.reader.run(names, inputs))
        probabilities = 1.0 / (1.0 + np.exp(-(self._scale * steps.astype(np.float64) + self._bias)))
        return Staging(level_probabilities(probabilities), attention, visual)

    def report(self, staging: Staging, margin_mm: float | None = None) -> list[tuple[Item, str]]:
        """A sentence for each item; of a study without a tumour for tumour and nodes alone.

        `margin_mm` is the measured distance of tumour and fascia. A sentence whose numbers nobody measured gives way to
        the plain one.
        """
        there = staging.level(Item.TUMOUR) > 0
        said = [scale.item for scale in SCALES if there or scale.item in (Item.TUMOUR, Item.NODES)]
        levels = [staging.level(item) for item in said]
        measured = {Item.CRM: [f"{margin_mm:.1f}"]} if margin_mm is not None and np.isfinite(margin_mm) else {}
        texts = self.decoded(
            [prompt_word(item, level) for item, level in zip(said, levels, strict=True)], staging.visual_tokens
        )
        return [
            (item, self._sentence(item, level, text, measured.get(item, [])))
            for item, level, text in zip(said, levels, texts, strict=True)
        ]

    def _sentence(self, item: Item, level: int, text: str | None, numbers: Sequence[str]) -> str:
        made = filled(text, numbers) if text and SLOT in text else text
        return made or plain_sentence(item, level)

    def decoded(self, prompts: Sequence[str], visual_tokens: Floats) -> list[str | None]:
        """What the decoder says after each prompt; None where it comes to no end. `visual_tokens` [Q, k]."""
        step = DecoderSteps(self.decoder, visual_tokens, len(prompts))
        words = [step.next(np.array([self.vocabulary.number[prompt] for prompt in prompts], np.int64))]
        ended = words[0] == self.vocabulary.number[END]
        while len(words) < self.manifest.max_words and not ended.all():
            words.append(step.next(words[-1]))
            ended |= words[-1] == self.vocabulary.number[END]
        return [self.vocabulary.decode(row) for row in np.stack(words, axis=1)]
