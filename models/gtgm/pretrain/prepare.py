"""Volumes as training reads them: on the grid of their modality, in a cache, each with its texts."""

import hashlib
import json
import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.datasets.cache import code_digest
from models.datasets.nifti_pairs import VolumeFault
from models.gtgm.intensity import standard_values
from models.gtgm.pretrain.captions import file_name_caption, writings_of
from models.gtgm.pretrain.crops import Box, body_box
from models.gtgm.pretrain.preset import Triple
from models.gtgm.pretrain.sources import VolumeSource
from models.gtgm.volume import Modality, UnusableVolume, Volume
from models.msvlm.distributed import mapped
from pacs_agent.imaging.regrid import even_lattice, grid_over, onto_grid

CODE = (
    *("gtgm/facts", "gtgm/text", "gtgm/volume.py", "gtgm/mr_study.py", "gtgm/intensity.py"),
    *("gtgm/finetune/phantoms.py", "phantoms"),
)
STEPS_PER_UNIT = {Modality.CT: 1.0, Modality.MR: 1000.0, Modality.EM: 1000.0}
"""Of the int16 numbers in the cache, per unit of standard values."""
_log = logging.getLogger(__name__)


class NoVolumes(ValueError):
    """Nothing is there to learn from; says what to name."""


@dataclass(frozen=True)
class PreparedVolume:
    """A volume on its grid: where its voxels are kept, where the body lies, and its texts."""

    voxels: Path
    modality: Modality
    body: Box
    patient: str
    writings: tuple[tuple[str, ...], ...]
    file_name: str

    def values(self) -> NDArray[np.int16]:
        """Standard values × STEPS_PER_UNIT [z, y, x], mapped from the file."""
        array: NDArray[np.int16] = np.load(self.voxels, mmap_mode="r")
        return array


@dataclass(frozen=True)
class _Task:
    source: VolumeSource
    index: int
    spacing_mm: dict[Modality, Triple]
    path: Path


def prepared_volumes(
    sources: Sequence[VolumeSource], spacing_mm: dict[Modality, Triple], cache: Path, processes: int = 1
) -> list[PreparedVolume]:
    """All volumes of the sources, in order; what the cache does not hold is made.

    A volume that cannot be read is named in the log and left out. Raises NoVolumes when none is left.
    """
    code = code_digest(CODE)
    cache.mkdir(parents=True, exist_ok=True)
    tasks = [
        _Task(source, index, spacing_mm, cache / f"{_key(code, source, index, spacing_mm)}.json")
        for source in sources
        for index in range(len(source))
    ]
    missing = [task for task in tasks if not task.path.is_file()]
    faults = map(_prepare, missing) if processes == 1 else mapped(_prepare, missing, processes)
    for task, fault in zip(missing, faults if missing else (), strict=True):
        if fault:
            _log.warning("volume %d of %s is left out: %s", task.index, task.source.name, fault)
    found = [_load(task.path) for task in tasks if task.path.is_file()]
    if not found:
        raise NoVolumes("no volume to learn from: give --phantoms, or folders in the preset's data")
    return found


def _key(code: str, source: VolumeSource, index: int, spacing_mm: dict[Modality, Triple]) -> str:
    # A file that joins a folder moves the numbers of those after it.
    parts = (code, repr(source), len(source), index, sorted(spacing_mm.items()))
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:24]


def _prepare(task: _Task) -> str:
    """Writes a volume into the cache; gives what is wrong with it, or nothing."""
    try:
        volume = task.source.volume(task.index)
        spacing = task.spacing_mm.get(volume.modality)
        if spacing is None:
            return f"the preset gives no spacing for {volume.modality}"
        _write(volume, spacing, task.index, task.path)
    except (VolumeFault, UnusableVolume) as fault:
        return str(fault)
    return ""


def _write(volume: Volume, spacing_mm: Triple, seed: int, path: Path) -> None:
    """Voxels first and the account last, each under a temporary name: a cut run leaves no half."""
    source = even_lattice(volume.values.shape, volume.spacing_mm)
    values = onto_grid(standard_values(volume), source, grid_over(source, spacing_mm))
    limits = np.iinfo(np.int16)
    stored = np.clip(np.rint(values * STEPS_PER_UNIT[volume.modality]), limits.min, limits.max).astype(np.int16)
    voxels = path.with_suffix(".npy")
    account = PreparedVolume(
        voxels, volume.modality, body_box(values, volume.modality), volume.patient, writings_of(volume, seed),
        file_name_caption(volume),
    )  # fmt: skip
    with voxels.with_suffix(".part").open("wb") as file:
        np.save(file, stored)
    voxels.with_suffix(".part").replace(voxels)
    path.with_suffix(".draft").write_text(json.dumps(asdict(account) | {"voxels": voxels.name}))
    path.with_suffix(".draft").replace(path)


def _load(path: Path) -> PreparedVolume:
    kept: dict[str, Any] = json.loads(path.read_text())
    return PreparedVolume(
        voxels=path.with_name(kept["voxels"]),
        modality=Modality(kept["modality"]),
        body=tuple((low, high) for low, high in kept["body"]),  # type: ignore[arg-type]
        patient=kept["patient"],
        writings=tuple(tuple(sentences) for sentences in kept["writings"]),
        file_name=kept["file_name"],
    )


def held_out(volumes: Sequence[PreparedVolume], count: int) -> tuple[list[PreparedVolume], list[PreparedVolume]]:
    """Volumes to learn from, and the last `count`; no patient is in both."""
    aside = list(volumes[len(volumes) - count :]) if count else []
    patients = {volume.patient for volume in aside if volume.patient}
    return [volume for volume in volumes[: len(volumes) - count] if volume.patient not in patients], aside
