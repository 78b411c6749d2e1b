"""Case studies on the open real chest CTs where they lie beside the project: what the bundle says, and what fails.

Each is one patient, so no figure can come of it. Where readers outlined the nodule, the evidence slices are held
against the outline; otherwise only what the collection says of the patient is known.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.datasets.real_ct import SHARED_DATA, Volume, read_dicom_archive, read_nifti
from models.datasets.study import LabelledStudy
from models.evaluation.heldout import HeldOutStudy, encode
from models.evaluation.outcomes import Said, Speaker
from models.msvlm.runtime import BundleRuntime
from models.phantoms.findings import FINDINGS, Finding
from pacs_agent.inference.evidence import EVIDENCE, strongest
from pacs_agent.inference.reading import EvidenceMethod, Presence

Floats = NDArray[np.float32]
READERS = 2
"""Readers, of four, who must have outlined a voxel."""
NEAR_SLICES = 1


@dataclass(frozen=True)
class Case:
    """A patient: where the scan lies, what is known, and which findings should be called."""

    scan: str
    known: str
    expected: tuple[Finding, ...]
    outlined: Finding | None = None
    outline: str = ""
    in_training: bool = False
    """Whether the patient's scan was seen in training, without labels or as a background of implants."""


CASES: dict[str, Case] = {
    "LIDC-IDRI-0001": Case(
        "ct_dicom/LIDC-IDRI-0001_CT.tar.xz",
        "contrast; spiculated mass of 3 cm in the left lower lobe, outlined by readers",
        (Finding.LUNG_NODULE,),
        Finding.LUNG_NODULE,
        "lidc/LIDC-IDRI-0001_nodule_readercount_native.nii.gz",
        in_training=True,
    ),
    "LIDC-IDRI-0314": Case(
        "ct_nifti/LIDC-IDRI-0314_CT_chest_1.25x1.25x1.5.nii.gz",
        "no contrast; nodule in the right upper lobe, outlined by readers",
        (Finding.LUNG_NODULE,),
        Finding.LUNG_NODULE,
        "lidc/LIDC-IDRI-0314_nodule_readercount_1.25x1.25x1.5.nii.gz",
    ),
    "RIDER-Pilot-0109": Case(
        "ct_nifti/RIDER-Pilot-0109_CT_chest_contrast_1.25x1.25x5.nii.gz",
        "contrast; large right pleural effusion and lung opacities",
        (Finding.PLEURAL_EFFUSION, Finding.LUNG_OPACITY),
        in_training=True,
    ),
}


@dataclass(frozen=True, eq=False)
class ReadCase:
    """A case as it was read, for tables and pictures."""

    name: str
    case: Case
    volume: Volume
    outline: NDArray[np.bool_] | None
    study: HeldOutStudy
    said: Said
    weights: Floats
    """Slice evidence, [F, L]."""


def read_cases(
    runtime: BundleRuntime, speaker: Speaker, method: EvidenceMethod, blank: Floats, folder: Path = SHARED_DATA
) -> list[ReadCase]:
    """All cases that are there, with evidence by that method; none where the shared data are absent."""
    there = [name for name, case in CASES.items() if (folder / case.scan).is_file()]
    return [_read(runtime, speaker, name, (method, blank), folder) for name in there]


def _read(
    runtime: BundleRuntime, speaker: Speaker, name: str, evidence: tuple[EvidenceMethod, Floats], folder: Path
) -> ReadCase:
    case = CASES[name]
    path = folder / case.scan
    volume = read_dicom_archive(path) if path.name.endswith(".tar.xz") else read_nifti(path)
    outline = read_nifti(folder / case.outline).hu >= READERS if case.outline else None
    masks = {case.outlined: outline} if case.outlined and outline is not None else {}
    labels = dict.fromkeys(case.expected, True)
    labelled = LabelledStudy(name, name, "real", volume.hu, volume.z_mm, volume.spacing_mm, labels, masks)
    study = encode(runtime, labelled)
    said = speaker.say(study.tokens, study.z_mm)
    method, blank = evidence
    weights = EVIDENCE[method](speaker.read(study, said.outputs, blank))
    return ReadCase(name, case, volume, outline, study, said, weights)


def case_rows(cases: list[ReadCase]) -> dict[str, dict[str, Any]]:
    """What evaluation.json says of each case."""
    return {one.name: _row(one) for one in cases}


def _row(one: ReadCase) -> dict[str, Any]:
    probabilities = {finding.label.key: round(finding.probability, 3) for finding in one.said.findings}
    present = [finding.label.key for finding in one.said.findings if finding.presence is Presence.PRESENT]
    expected = [finding.value for finding in one.case.expected]
    return {
        "n": 1,
        "known": one.case.known,
        "scan_seen_in_training": one.case.in_training,
        "probabilities": probabilities,
        "called": present,
        "expected": expected,
        "missed": [key for key in expected if key not in present],
        "not_known_to_be_there": [key for key in present if key not in expected],
        "evidence": {finding.value: _evidence(one, finding) for finding in one.case.expected},
        "report": [sentence.text for sentence in one.said.sentences if sentence.positive],
    }


def _evidence(one: ReadCase, finding: Finding) -> dict[str, Any]:
    number = FINDINGS.index(finding)
    slices = strongest(one.weights[number].tolist())
    row: dict[str, Any] = {"slices": slices, "of": len(one.study.z_mm)}
    if finding == one.case.outlined:
        shown = np.flatnonzero(one.study.area_mm2[:, number])
        row["outlined_slices"] = [int(shown[0]), int(shown[-1])]
        row["slices_on_outline"] = sum(bool(shown[0] - NEAR_SLICES <= s <= shown[-1] + NEAR_SLICES) for s in slices)
    return row
