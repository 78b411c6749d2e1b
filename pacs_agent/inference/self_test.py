"""The bundle's own test: a fixed little study, and what this model must say of it on every machine.

`self_test/self_test.npz`: `stored` int16 [L, rows, columns], `slope`, `intercept`, `spacing_mm` [2], `z_mm` [L],
`prompts` (str [S, 4]) and `sentences` (str [S]) of the fp32 model; and for each precision P of the slice encoder
`P.token_sums` [L], `P.grid_sums` [L], `P.field_centre_px` [L, 2], `P.finding_logits` [F], `P.probabilities` [F],
`P.slice_weights` [F, L], `P.slice_attention` [F, L] and `P.attribute_logits` [F, A].
"""

import io
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pacs_agent.config import InferenceSettings
from pacs_agent.imaging import Plane
from pacs_agent.inference.bundle import Bundle
from pacs_agent.inference.decode import decode_sentences
from pacs_agent.inference.describe import probability
from pacs_agent.inference.manifest import Precision
from pacs_agent.inference.read import PLANE_IDS, StudyTokens, read_masked
from pacs_agent.inference.refusal import BundleRefused
from pacs_agent.inference.sessions import Graph, Sessions, open_sessions

TOLERANCE = 1e-3
"""Largest difference between machines in fp32, relative to the size of a value where that is above 1."""
REDUCED_TOLERANCE: dict[Precision, float] = {"fp16": 0.02, "int8": 0.1}
"""The same for probabilities and slice weights in lower precision, where processors round and saturate differently."""

_PROBABLE = ("probabilities", "slice_weights")
_NUMBERS = ("token_sums", "grid_sums", "field_centre_px", "finding_logits", "slice_attention", "attribute_logits")
_GIVEN = ("stored", "slope", "intercept", "spacing_mm", "z_mm", "prompts", "sentences")
_BATCH_SLICES = 8

Arrays = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class SelfTestReport:
    """Whether a bundle says here what it said when it was released. `faults` are sentences; empty when it passed."""

    bundle: str
    provider: str
    precision: Precision
    largest_difference: float
    faults: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether nothing differed."""
        return not self.faults

    @property
    def summary(self) -> str:
        """The outcome in words."""
        return "; ".join(self.faults) or f"largest difference {self.largest_difference:.2g}"


def self_test(bundle: Bundle, settings: InferenceSettings | None = None) -> SelfTestReport:
    """Reads the bundle's fixed study and compares: all numbers and words in fp32, the probabilities in less.

    Raises BundleRefused when the test itself cannot be read, ProviderUnavailable and ModelFailed as reading does.
    """
    sessions = open_sessions(bundle, settings or InferenceSettings())
    expected = _read_arrays(bundle, sessions.precision)
    found, visual_tokens = _numbers(bundle, sessions, expected)
    exact = sessions.precision == "fp32"
    tolerance = REDUCED_TOLERANCE.get(sessions.precision, TOLERANCE)
    compared = (*_PROBABLE, *_NUMBERS) if exact else _PROBABLE
    differences = {name: difference(found[name], expected[name]) for name in compared}
    faults = [f"{name} differs by {value:.2g}" for name, value in differences.items() if not value <= tolerance]
    if exact:
        faults += _other_sentences(bundle, sessions, expected, visual_tokens)
    name = f"{bundle.manifest.name} {bundle.manifest.version}"
    return SelfTestReport(name, sessions.provider, sessions.precision, max(differences.values()), tuple(faults))


def encode_stored(encoder: Graph, given: Arrays) -> dict[str, NDArray[np.float32]]:
    """The encoder's outputs for the slices of a test, `stored` [L, rows, columns]. Raises ModelFailed."""
    stored = given["stored"].astype(np.int16)
    parts = [_encode(encoder, given, stored[at : at + _BATCH_SLICES]) for at in range(0, len(stored), _BATCH_SLICES)]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _encode(encoder: Graph, given: Arrays, stored: NDArray[np.int16]) -> dict[str, NDArray[np.float32]]:
    n = len(stored)
    return encoder.run(
        {
            "stored": stored,
            "slope": np.full(n, given["slope"], np.float32),
            "intercept": np.full(n, given["intercept"], np.float32),
            "spacing_mm": np.tile(given["spacing_mm"].astype(np.float32), (n, 1)),
        }
    )


def _read_arrays(bundle: Bundle, precision: Precision) -> Arrays:
    file, content = bundle.manifest.self_test.file, bundle.self_test()
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as archive:
            numbers = {name: archive[f"{precision}.{name}"] for name in (*_PROBABLE, *_NUMBERS)}
            return numbers | {name: archive[name] for name in _GIVEN}
    except (KeyError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise BundleRefused(file, f"is no self-test in {precision}: {error}", "export the model again") from error


def _numbers(bundle: Bundle, sessions: Sessions, given: Arrays) -> tuple[Arrays, NDArray[np.float32]]:
    """The numbers that the graphs give for the fixed study, and its visual tokens."""
    slices = encode_stored(sessions.slice_encoder, given)
    study = StudyTokens(slices["token"], given["z_mm"].astype(np.float32), PLANE_IDS[Plane.AXIAL])
    whole = np.ones((1, len(study.tokens)), np.bool_)
    outputs = {name: values[0] for name, values in read_masked(sessions.study_reader, study, whole).items()}
    calibrated = zip(bundle.manifest.findings, outputs["finding_logits"], strict=True)
    found = {
        **outputs,
        "token_sums": slices["token"].sum(axis=1),
        "grid_sums": slices["patch_grid"].sum(axis=(1, 2, 3)),
        "field_centre_px": slices["field_centre_px"],
        "probabilities": np.array([probability(entry, float(logit)) for entry, logit in calibrated]),
    }
    return found, outputs["visual_tokens"]


def difference(found: NDArray[Any], expected: NDArray[Any]) -> float:
    """Largest difference, relative where values exceed 1; infinite when the shapes differ."""
    if found.shape != expected.shape:
        return float("inf")
    return float(np.max(np.abs(found - expected) / np.maximum(np.abs(expected), 1), initial=0))


def _other_sentences(
    bundle: Bundle, sessions: Sessions, given: Arrays, visual_tokens: NDArray[np.float32]
) -> list[str]:
    """Sentences that are not word by word as expected, whether or not they come to an end."""
    prompts = [tuple(str(word) for word in row) for row in given["prompts"]]
    max_words = bundle.manifest.max_words
    spoken = decode_sentences(sessions.report_decoder, bundle.tokenizer, prompts, visual_tokens, max_words)
    expected = [str(sentence) for sentence in given["sentences"]]
    pairs = zip(prompts, spoken, expected, strict=True)
    return [f"{prompt[0]} says {said.text!r}, not {wanted!r}" for prompt, said, wanted in pairs if said.text != wanted]
