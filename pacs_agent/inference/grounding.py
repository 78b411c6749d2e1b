"""The grounding test: a model that reads must do better on the right study than on a wrong or a blank one.

The bundle carries a handful of small labelled studies, `self_test/grounding.npz`: `stored` [N, L, rows, columns]
(values below 2^15), `slope`, `intercept`, `spacing_mm` [N, 2], `z_mm` [N, L] and `labels` bool [N, F]. The figure is
the F1 of the findings said present, over all studies and findings together, against the labels of the same study
(correct), of each other study (shuffled), and with every slice replaced by air (blanked).
"""

import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pacs_agent.config import InferenceSettings
from pacs_agent.imaging import Plane
from pacs_agent.inference.bundle import Bundle
from pacs_agent.inference.describe import probability
from pacs_agent.inference.manifest import Manifest
from pacs_agent.inference.read import PLANE_IDS, StudyTokens, read_study
from pacs_agent.inference.refusal import BundleRefused
from pacs_agent.inference.self_test import encode_stored
from pacs_agent.inference.sessions import Sessions, open_sessions

AIR_HU = -1024.0
EVALUATION = "evaluation.json"
EVALUATION_MARGIN = 0.1
"""F1 by which the reports of the evaluation must lead those of its controls."""
_ARRAYS = ("stored", "slope", "intercept", "spacing_mm", "z_mm", "labels")

Arrays = Mapping[str, NDArray[Any]]
Labels = NDArray[np.bool_]


@dataclass(frozen=True)
class GroundingReport:
    """F1 on the right studies, on wrong ones and on air, and the margin by which the first must lead."""

    correct: float
    shuffled: float
    blanked: float
    margin: float

    @property
    def passed(self) -> bool:
        """Whether the model reads the image."""
        return all(self.correct - control >= self.margin for control in (self.shuffled, self.blanked))

    @property
    def summary(self) -> str:
        """The figures in words."""
        figures = f"F1 {self.correct:.2f} on the right study, {self.shuffled:.2f} shuffled, {self.blanked:.2f} blanked"
        return f"{figures}; must lead by {self.margin:.2f}"


def grounding_test(bundle: Bundle, settings: InferenceSettings) -> GroundingReport:
    """Reads the bundle's labelled studies right, shuffled and blanked.

    Raises BundleRefused when the test is missing or cannot be read, and ProviderUnavailable and ModelFailed as reading.
    """
    given, grounding = _read_arrays(bundle), bundle.manifest.grounding
    if grounding is None:  # bundle.grounding() has refused it already
        raise AssertionError
    sessions, labels = open_sessions(bundle, settings), given["labels"].astype(np.bool_)
    said = np.stack([_said(bundle.manifest, sessions, given, index) for index in range(len(labels))])
    air = given | {"stored": np.full_like(given["stored"], _air(given))}
    nothing = np.stack([_said(bundle.manifest, sessions, air, 0)] * len(labels))
    shuffled = [f1(np.roll(said, shift, axis=0), labels) for shift in range(1, len(labels))]
    return GroundingReport(f1(said, labels), float(np.mean(shuffled)), f1(nothing, labels), grounding.margin)


def evaluated_grounding(bundle: Bundle) -> GroundingReport | None:
    """The same of the generated reports, as the bundle's evaluation measured it on many studies; None without one.

    A figure that is missing counts as failed.
    """
    document = next((one for one in bundle.manifest.documents if one.file == EVALUATION), None)
    if document is None:
        return None
    figures = json.loads(bundle.read(document))
    names = ("report_macro_f1", "report_macro_f1_shuffled", "report_macro_f1_blanked")
    values = [(figures.get(name) or {}).get("value") for name in names]
    correct, shuffled, blanked = (float("nan") if value is None else float(value) for value in values)
    return GroundingReport(correct, shuffled, blanked, EVALUATION_MARGIN)


def f1(said: Labels, labels: Labels) -> float:
    """F1 over all studies and findings together, shapes [N, F]; 0 when nothing is said and nothing there."""
    total = int(said.sum()) + int(labels.sum())
    return 2 * int((said & labels).sum()) / total if total else 0.0


def _read_arrays(bundle: Bundle) -> dict[str, NDArray[Any]]:
    content = bundle.grounding()
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as archive:
            given = {name: archive[name] for name in _ARRAYS}
    except (KeyError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise BundleRefused("grounding.npz", f"is no grounding test: {error}", "export the model again") from error
    if given["labels"].shape != (len(given["stored"]), len(bundle.manifest.findings)) or len(given["labels"]) < 2:
        fault = f"has labels of shape {given['labels'].shape} for {len(bundle.manifest.findings)} findings"
        raise BundleRefused("grounding.npz", fault, "export the model again")
    return given


def _air(given: Arrays) -> int:
    return round((AIR_HU - float(given["intercept"])) / float(given["slope"]))


def _said(manifest: Manifest, sessions: Sessions, given: Arrays, index: int) -> Labels:
    """Which findings are said present in a study, [F]."""
    one = {**given, "stored": given["stored"][index], "spacing_mm": given["spacing_mm"][index]}
    z_mm = given["z_mm"][index].astype(np.float32)
    tokens = encode_stored(sessions.slice_encoder, one)["token"]
    logits = read_study(sessions.study_reader, StudyTokens(tokens, z_mm, PLANE_IDS[Plane.AXIAL])).finding_logits
    entries = zip(manifest.findings, logits, strict=True)
    return np.array([probability(entry, float(logit)) >= entry.operating_point for entry, logit in entries])
