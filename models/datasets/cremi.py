"""Electron microscopy with the neuron of every voxel: CREMI's files, and FIB-25's archive of the same content.

CREMI (cremi.org): HDF5, `volumes/raw` u8 [z, y, x] with the attribute `resolution` in nm, `volumes/labels/neuron_ids`
u64. Files with padding have larger raw data; `offset` (nm) of the labels says where these lie in it.
"""

from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

from models.datasets.nifti_pairs import VolumeFault
from models.gtgm.volume import Modality, UnusableVolume, Volume

RAW, NEURONS = "volumes/raw", "volumes/labels/neuron_ids"
TRANSPARENT = np.uint64(0xFFFF_FFFF_FFFF_FFFD)
"""Ids from here on mean "not labelled" in CREMI's files."""
NM_PER_MM = 1e6
FIB25_NM = 10.0


@dataclass(frozen=True, eq=False, kw_only=True)
class InstanceVolume(Volume):
    """A volume of which it is known what belongs together: `instances` u32 [z, y, x], 0 for what is not labelled."""

    instances: NDArray[np.uint32]

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.instances.shape != self.values.shape:
            raise UnusableVolume(f"instances of shape {self.instances.shape} for values of {self.values.shape}")


def read_cremi(path: Path) -> InstanceVolume:
    """The labelled part of a CREMI training file. Raises VolumeFault saying what the file lacks."""
    try:
        with h5py.File(path, "r") as file:
            _check(path, file)
            raw, neurons = file[RAW], file[NEURONS]
            resolution_nm = _three(path, neurons, "resolution", _three(path, raw, "resolution", None))
            offset = np.rint(_three(path, neurons, "offset", (0.0, 0.0, 0.0)) / resolution_nm).astype(int)
            part = tuple(slice(start, start + size) for start, size in zip(offset, neurons.shape, strict=True))
            values, ids = np.asarray(raw[part], np.float32), np.asarray(neurons)
    except FileNotFoundError as error:
        raise VolumeFault(f"{path} is not there: fetch it from cremi.org/data") from error
    except OSError as error:
        raise VolumeFault(f"{path} is no readable HDF5 file ({error}): fetch it again") from error
    if values.shape != ids.shape:
        raise VolumeFault(f"{path}: labels of {ids.shape} from {offset.tolist()} do not lie within {RAW}")
    spacing = tuple(float(nm) / NM_PER_MM for nm in resolution_nm)
    return _volume(path, values, numbered(ids), (spacing[0], spacing[1], spacing[2]), "CREMI")


def read_fib25(path: Path) -> InstanceVolume:
    """FIB-25's proofread sample: an archive with `raw` u8 and `labels`, 10 nm voxels. Raises VolumeFault."""
    if not path.is_file():
        raise VolumeFault(f"{path} is not there: it belongs to the shared real images")
    with np.load(path) as arrays:
        if not {"raw", "labels"} <= set(arrays.files):
            raise VolumeFault(f"{path} holds {', '.join(arrays.files)}: it needs raw and labels")
        values, ids = arrays["raw"].astype(np.float32), arrays["labels"]
    return _volume(path, values, numbered(ids), (FIB25_NM / NM_PER_MM,) * 3, "FIB-25")


def numbered(ids: NDArray[np.unsignedinteger]) -> NDArray[np.uint32]:
    """The same instances numbered 1, 2, 3 …; what is not labelled (0, and CREMI's transparent ids) is 0."""
    wide = ids.astype(np.uint64)
    wide[wide >= TRANSPARENT] = 0
    found, places = np.unique(wide, return_inverse=True)
    first = 0 if len(found) and found[0] == 0 else 1
    return (places.reshape(ids.shape) + first).astype(np.uint32)


def _volume(
    path: Path, values: NDArray[np.float32], ids: NDArray[np.uint32], spacing: tuple[float, float, float], source: str
) -> InstanceVolume:
    return InstanceVolume(
        values=values,
        spacing_mm=spacing,
        modality=Modality.EM,
        patient=path.stem,
        study=path.stem,
        source=source,
        instances=ids,
    )


def _check(path: Path, file: h5py.File) -> None:
    missing = [name for name in (RAW, NEURONS) if name not in file]
    if missing:
        hint = "test files of CREMI have no labels" if missing == [NEURONS] else "it is no CREMI file"
        raise VolumeFault(f"{path} lacks {', '.join(missing)}: {hint}")
    for name in (RAW, NEURONS):
        if not isinstance(file[name], h5py.Dataset) or file[name].ndim != 3:
            raise VolumeFault(f"{path}: {name} is no array of three axes")


def _three(
    path: Path, array: h5py.Dataset, name: str, otherwise: NDArray[np.float64] | tuple[float, ...] | None
) -> NDArray[np.float64]:
    given = array.attrs.get(name, otherwise)
    if given is None or np.shape(given) != (3,):
        raise VolumeFault(f"{path}: {array.name} needs the attribute {name} with three numbers in nm (z, y, x)")
    return np.asarray(given, np.float64)
