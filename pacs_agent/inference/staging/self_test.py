"""The own test of a bundle of task "staging": a fixed little study of two series, and what this model must say of it.

`self_test/self_test.npz`: `stored` int16 [L, rows, columns], `low`, `high` [L], `spacing_mm` [2], `centre_mm` [L, 3],
`orientation` [L, 6], `plane`, `sequence`, `contrast`, `phase` i64 [L], `b_value` [L]; and what is expected:
`token_sums` [L], `grid_sums` [L], `step_logits` [C], `slice_attention` [I, L], `prompts` and `sentences` (str [S], of
a prompt after which the decoder comes to no end an empty one).
"""

import io
import zipfile
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pacs_agent.config import InferenceSettings
from pacs_agent.inference.bundle import StagingBundle
from pacs_agent.inference.refusal import BundleRefused
from pacs_agent.inference.self_test import TOLERANCE, SelfTestReport, difference
from pacs_agent.inference.sessions import Graph, open_staging
from pacs_agent.inference.staging.report import decoded

_ENCODED = ("stored", "low", "high")
_PLACED = ("centre_mm", "orientation", "plane", "sequence", "contrast", "phase", "b_value")
_NUMBERS = ("token_sums", "grid_sums", "step_logits", "slice_attention")
_GIVEN = (*_ENCODED, "spacing_mm", *_PLACED, *_NUMBERS, "prompts", "sentences")
_BATCH_SLICES = 8

Arrays = Mapping[str, NDArray[Any]]


def staging_self_test(bundle: StagingBundle, settings: InferenceSettings | None = None) -> SelfTestReport:
    """Reads the bundle's fixed study and compares all numbers and words.

    Raises BundleRefused when the test itself cannot be read, ProviderUnavailable and ModelFailed as reading does.
    """
    opened = open_staging(bundle, settings or InferenceSettings())
    given = _read_arrays(bundle)
    tokens, grids = _encoded(opened.slice_encoder, given)
    placed = {name: given[name][None] for name in _PLACED}
    mask = np.ones((1, len(tokens)), np.bool_)
    outputs = opened.study_reader.run({"tokens": tokens[None], "mask": mask, **placed})
    found = {
        "token_sums": tokens.sum(axis=1),
        "grid_sums": grids.sum(axis=(1, 2, 3)),
        **{name: outputs[name][0] for name in ("step_logits", "slice_attention")},
    }
    differences = {name: difference(found[name], given[name]) for name in _NUMBERS}
    faults = [f"{name} differs by {value:.2g}" for name, value in differences.items() if not value <= TOLERANCE]
    prompts = [str(prompt) for prompt in given["prompts"]]
    if unknown := sorted(set(prompts) - set(bundle.words.words)):
        fault = f"asks for {unknown[0]}, which is no word"
        raise BundleRefused(bundle.manifest.self_test.file, fault, "export the model again")
    said = decoded(bundle.words, opened.report_decoder, prompts, outputs["visual_tokens"][0], bundle.manifest.max_words)
    faults += [
        f"{prompt} says {text!r}, not {str(wanted)!r}"
        for prompt, text, wanted in zip(prompts, said, given["sentences"], strict=True)
        if (text or "") != str(wanted)
    ]
    name = f"{bundle.manifest.name} {bundle.manifest.version}"
    return SelfTestReport(name, opened.provider, "fp32", max(differences.values()), tuple(faults))


def _encoded(encoder: Graph, given: Arrays) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    spacing = np.tile(given["spacing_mm"].astype(np.float32), (len(given["stored"]), 1))
    inputs = {name: given[name] for name in _ENCODED} | {"spacing_mm": spacing}
    parts = [
        encoder.run({name: values[at : at + _BATCH_SLICES] for name, values in inputs.items()})
        for at in range(0, len(spacing), _BATCH_SLICES)
    ]
    tokens, grids = (np.concatenate([part[name] for part in parts]) for name in ("token", "patch_grid"))
    return tokens, grids


def _read_arrays(bundle: StagingBundle) -> Arrays:
    file = bundle.manifest.self_test.file
    try:
        with np.load(io.BytesIO(bundle.self_test()), allow_pickle=False) as archive:
            given = {name: archive[name] for name in _GIVEN}
    except (KeyError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise BundleRefused(file, f"is no self-test: {error}", "export the model again") from error
    counts = {len(given[name]) for name in (*_ENCODED, *_PLACED)}
    if len(counts) != 1 or 0 in counts:
        raise BundleRefused(file, f"holds arrays of {sorted(counts)} slices", "export the model again")
    return given
