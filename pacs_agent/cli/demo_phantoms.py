"""The studies of the demo: phantoms written as DICOM files, and what is true of them."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np

from models import phantoms
from models.msvlm.rectal.items import scale_of, told_of
from models.phantoms.dicom import write_series
from models.phantoms.pelvis import PelvisPhantom, generate_pelvis
from models.phantoms.pelvis.dicom import write_study


@dataclass(frozen=True)
class PhantomStudy:
    """The files in the order in which they are sent, and what is true of what they show."""

    files: list[Path]
    truth: dict[str, Any]

    @property
    def uid(self) -> str:
        """Its Study Instance UID."""
        return str(self.truth["study_instance_uid"])


def chest(folder: Path, seed: int, slices: int, findings: str) -> PhantomStudy:
    """A CT of one series of 512 × 512. `findings`: their keys with commas between. Raises click.UsageError."""
    wanted = [_finding(key.strip()) for key in findings.split(",") if key.strip()]
    phantom = phantoms.generate(seed, slices=slices, size_px=512, findings=wanted)
    files = write_series(phantom, folder)
    return PhantomStudy(files, _truth(folder) | {"volumes_ml": volumes_ml(phantom)})


def _finding(key: str) -> phantoms.Finding:
    try:
        return phantoms.Finding(key)
    except ValueError as error:
        known = ", ".join(phantoms.FINDINGS)
        raise click.UsageError(f"phantoms know no finding {key!r}; they know {known}") from error


def volumes_ml(phantom: phantoms.Phantom) -> dict[str, dict[str, float]]:
    """How much of each finding the phantom has on each side."""
    voxel_ml = phantom.pixel_mm**2 * float(np.diff(phantom.z_mm).mean()) / 1000.0
    columns = phantom.first_pixel_mm[0] + np.arange(phantom.hu.shape[2]) * phantom.pixel_mm
    sides = {"right": columns < 0, "left": columns >= 0}
    return {
        finding.value: {side: float(mask[:, :, where].sum()) * voxel_ml for side, where in sides.items()}
        for finding, mask in phantom.masks.items()
    }


def pelvis(folder: Path, seed: int) -> PhantomStudy:
    """An MR study of a rectal tumour in stage T3: eight images of one anatomy."""
    phantom = generate_pelvis(seed, tumour=True, t_stage=3)
    files = write_study(phantom, folder)
    return PhantomStudy(files, _truth(folder) | {"levels": _levels(phantom)})


def _levels(phantom: PelvisPhantom) -> dict[str, str]:
    """The true level of each item of staging, by the item's name."""
    told = {scale_of(item): one.level for item, one in told_of(phantom.truth).items()}
    return {scale.name: scale.levels[level] for scale, level in told.items()}


def _truth(folder: Path) -> dict[str, Any]:
    truth: dict[str, Any] = json.loads((folder / "truth.json").read_text(encoding="utf-8"))
    return truth
