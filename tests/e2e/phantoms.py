"""The phantom studies that the end-to-end tests send, written once and kept by what they are made from."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

REPOSITORY = Path(__file__).resolve().parents[2]
CACHE = REPOSITORY / ".cache" / "phantoms"
GENERATOR = REPOSITORY / "models" / "phantoms"


@dataclass(frozen=True)
class PhantomStudy:
    """A written phantom series with its truth."""

    folder: Path
    findings: tuple[str, ...]

    @property
    def files(self) -> list[Path]:
        """Its images from head to feet."""
        return sorted(self.folder.glob("*.dcm"))

    @property
    def truth(self) -> dict[str, Any]:
        """What is true of it; see models/phantoms/dicom.py."""
        found: dict[str, Any] = json.loads((self.folder / "truth.json").read_text(encoding="utf-8"))
        return found

    @property
    def uid(self) -> str:
        """Study Instance UID."""
        return str(self.truth["study_instance_uid"])

    def mask(self, finding: str, sop_instance_uid: str) -> NDArray[np.bool_]:
        """Pixels of one slice, [rows, columns], in which a finding lies."""
        masks = np.load(self.folder / f"{finding}.npz")
        mask: NDArray[np.bool_] = masks[sop_instance_uid]
        return mask


def phantom(seed: int, slices: int, findings: Sequence[str]) -> PhantomStudy:
    """The phantom of a seed with these findings, 512 × 512, from the cache where it was made before."""
    folder = CACHE / _digest(seed, slices, findings)
    if not (folder / "truth.json").exists():
        _write(folder, seed, slices, findings)
    return PhantomStudy(folder, tuple(findings))


def _digest(*asked: object) -> str:
    """Of what was asked and of the generator's own files: another generator makes other phantoms."""
    digest = hashlib.sha256(repr(asked).encode() + Path(__file__).read_bytes())
    for source in sorted(GENERATOR.rglob("*.py")):
        digest.update(source.read_bytes())
    return digest.hexdigest()[:20]


def _write(folder: Path, seed: int, slices: int, findings: Sequence[str]) -> None:
    from models.phantoms import Finding, generate
    from models.phantoms.dicom import uids_of, write_series

    made = generate(seed, slices=slices, size_px=512, findings=[Finding(key) for key in findings])
    sops = uids_of(made).slices
    folder.mkdir(parents=True, exist_ok=True)
    for finding, volume in made.masks.items():
        seen = {sops[index]: volume[index] for index in range(len(volume)) if volume[index].any()}
        np.savez_compressed(folder / f"{finding.value}.npz", **seen)
    write_series(made, folder)
