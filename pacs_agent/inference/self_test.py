"""The bundle's own test: a fixed little study, and what this model must say of it on every machine."""

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
from pacs_agent.inference.read import PLANE_IDS, StudyOutputs, StudyTokens, read_study
from pacs_agent.inference.refusal import BundleRefused
from pacs_agent.inference.sessions import Sessions, open_sessions

TOLERANCE = 1e-3
"""Largest difference between machines, relative to the size of a value where that is above 1."""

_NUMBERS = ("token_sums", "finding_logits", "probabilities", "slice_weights")
_ARRAYS = (*_NUMBERS, "stored", "slope", "intercept", "spacing_mm", "z_mm", "tags", "sentences")

Arrays = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class SelfTestReport:
    """Whether a bundle says here what it said when it was released. `faults` are sentences; empty when it passed."""

    bundle: str
    provider: str
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
    """Reads the bundle's fixed study and compares.

    Raises BundleRefused when the test itself cannot be read, ProviderUnavailable and ModelFailed as reading does.
    """
    expected = _read_arrays(bundle)
    sessions = open_sessions(bundle, settings or InferenceSettings())
    found, visual_tokens = _numbers(bundle, sessions, expected)
    differences = {name: _difference(found[name], expected[name]) for name in _NUMBERS}
    faults = [f"{name} differs by {value:.2g}" for name, value in differences.items() if not value <= TOLERANCE]
    faults += _other_sentences(bundle, sessions, expected, visual_tokens)
    name = f"{bundle.manifest.name} {bundle.manifest.version}"
    return SelfTestReport(name, sessions.provider, max(differences.values()), tuple(faults))


def _read_arrays(bundle: Bundle) -> Arrays:
    file = bundle.manifest.self_test.file
    try:
        with np.load(io.BytesIO(bundle.self_test()), allow_pickle=False) as archive:
            return {name: archive[name] for name in _ARRAYS}
    except (KeyError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise BundleRefused(file, f"is no self-test: {error}", "export the model again") from error


def _numbers(bundle: Bundle, sessions: Sessions, given: Arrays) -> tuple[Arrays, NDArray[np.float32]]:
    """The numbers that the graphs give for the fixed study, and its visual tokens."""
    tokens = _tokens(sessions, given)
    outputs: StudyOutputs = read_study(
        sessions.study_reader, StudyTokens(tokens, given["z_mm"].astype(np.float32), PLANE_IDS[Plane.AXIAL])
    )
    calibrated = zip(bundle.manifest.findings, outputs.finding_logits, strict=True)
    found = {
        "token_sums": tokens.sum(axis=1),
        "finding_logits": outputs.finding_logits,
        "probabilities": np.array([probability(entry, float(logit)) for entry, logit in calibrated]),
        "slice_weights": outputs.slice_weights,
    }
    return found, outputs.visual_tokens


def _tokens(sessions: Sessions, given: Arrays) -> NDArray[np.float32]:
    n = len(given["stored"])
    inputs: dict[str, NDArray[Any]] = {
        "stored": given["stored"].astype(np.int16),
        "slope": np.full(n, given["slope"], np.float32),
        "intercept": np.full(n, given["intercept"], np.float32),
        "spacing_mm": np.tile(given["spacing_mm"].astype(np.float32), (n, 1)),
    }
    return sessions.slice_encoder.run(inputs)["token"]


def _difference(found: NDArray[Any], expected: NDArray[Any]) -> float:
    """Largest difference, relative where values exceed 1; infinite when the shapes differ."""
    if found.shape != expected.shape:
        return float("inf")
    return float(np.max(np.abs(found - expected) / np.maximum(np.abs(expected), 1), initial=0))


def _other_sentences(
    bundle: Bundle, sessions: Sessions, given: Arrays, visual_tokens: NDArray[np.float32]
) -> list[str]:
    """Sentences that are not word by word as expected, whether or not they come to an end."""
    tags = [str(tag) for tag in given["tags"]]
    spoken = decode_sentences(sessions.report_decoder, bundle.tokenizer, tags, visual_tokens, bundle.manifest.max_words)
    expected = [str(sentence) for sentence in given["sentences"]]
    pairs = zip(tags, spoken, expected, strict=True)
    return [f"{tag} says {said.text!r}, not {wanted!r}" for tag, said, wanted in pairs if said.text != wanted]
