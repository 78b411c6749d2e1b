"""A segmenter's own test: fixed patches of phantoms, and how well this model outlined them at its release.

`self_test/self_test.npz`: `patch` f32 [n, 1, d, h, w], `labels` u8 [n, d, h, w] (0 background, 1..C), `dice` f32 [C],
NaN for a structure that the truth lacks.
"""

import io
import zipfile
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pacs_agent.config import InferenceSettings
from pacs_agent.inference.bundle import SegmenterBundle
from pacs_agent.inference.refusal import BundleRefused, ModelFailed
from pacs_agent.inference.self_test import SelfTestReport
from pacs_agent.inference.sessions import open_segmenter

TOLERANCE = 0.02
"""By how much a Dice coefficient may differ between machines: a few voxels of a small structure."""
LEAST_DICE = 0.5
"""A model that does not find its own phantoms outlines nothing in a patient."""
_SUM_TOLERANCE = 1e-3

Arrays = Mapping[str, NDArray[Any]]


def segmenter_self_test(bundle: SegmenterBundle, settings: InferenceSettings | None = None) -> SelfTestReport:
    """Segments the bundle's fixed patches and compares the Dice coefficients with those of its release.

    Raises BundleRefused when the test itself cannot be read, ProviderUnavailable and ModelFailed as segmenting does.
    """
    opened = open_segmenter(bundle, settings or InferenceSettings())
    given = _read_arrays(bundle)
    found = np.concatenate(
        [opened.graph.run({"patch": patch[np.newaxis]})["probabilities"] for patch in given["patch"]]
    )
    _check(found, given["labels"], len(bundle.manifest.structures))
    reached = dice_of(found.argmax(axis=1).astype(np.uint8), given["labels"], len(bundle.manifest.structures))
    expected = given["dice"].astype(np.float64)
    both = np.array_equal(np.isnan(reached), np.isnan(expected))
    difference = float(np.nanmax(np.abs(reached - expected), initial=0.0)) if both else float("inf")
    faults = [
        f"Dice of {entry.key} is {here:.3f}, {then:.3f} at its release"
        for entry, here, then in zip(bundle.manifest.structures, reached, expected, strict=True)
        if not (np.isnan(here) and np.isnan(then)) and not (abs(here - then) <= TOLERANCE and here >= LEAST_DICE)
    ]
    name = f"{bundle.manifest.name} {bundle.manifest.version}"
    return SelfTestReport(name, opened.provider, "fp32", difference, tuple(faults))


def dice_of(found: NDArray[np.uint8], truth: NDArray[np.uint8], structures: int) -> NDArray[np.float64]:
    """The Dice coefficient of each structure over all voxels together, [C]; NaN where the truth has none of it."""
    both = [
        (2 * np.sum((found == one) & (truth == one)), np.sum(found == one) + np.sum(truth == one), (truth == one).any())
        for one in range(1, structures + 1)
    ]
    return np.array([overlap / total if there else np.nan for overlap, total, there in both])


def _read_arrays(bundle: SegmenterBundle) -> Arrays:
    file, structures = bundle.manifest.self_test.file, len(bundle.manifest.structures)
    try:
        with np.load(io.BytesIO(bundle.self_test()), allow_pickle=False) as archive:
            given = {name: archive[name] for name in ("patch", "labels", "dice")}
    except (KeyError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise BundleRefused(file, f"is no self-test: {error}", "export the model again") from error
    patch, count = bundle.manifest.grid.patch, len(given["labels"])
    shapes = given["patch"].shape, given["labels"].shape, given["dice"].shape
    if not count or shapes != ((count, 1, *patch), (count, *patch), (structures,)):
        fault = f"holds arrays of shapes {shapes}, for a patch of {patch} and {structures} structures"
        raise BundleRefused(file, fault, "export the model again")
    if np.isnan(given["dice"]).all():
        raise BundleRefused(file, "shows none of the structures", "export the model again")
    return given | {"patch": given["patch"].astype(np.float32)}


def _check(found: NDArray[np.float32], labels: NDArray[np.uint8], structures: int) -> None:
    wanted = (len(labels), 1 + structures, *labels.shape[1:])
    if found.shape != wanted:
        raise ModelFailed("segmenter", f"probabilities of shape {found.shape}, not {wanted}")
    if np.abs(found.sum(axis=1) - 1).max() > _SUM_TOLERANCE or found.min() < -_SUM_TOLERANCE:
        raise ModelFailed("segmenter", "its outputs are no probabilities: they do not sum to 1 over the classes")
