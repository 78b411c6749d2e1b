"""Generated volumes kept on disk: made once, found again as long as the code that makes them is the same."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np

from models.datasets.cache import APART
from models.gtgm.finetune.examples import Example
from models.gtgm.volume import LabelledVolume, Modality

MODELS = Path(__file__).parents[2]
CODE = ("phantoms", "gtgm/finetune/phantoms.py", "gtgm/finetune/implanted.py", "gtgm/volume.py")
"""What the voxels of a generated volume depend on."""


def code_digest() -> str:
    """Short digest of the source files on which generated volumes depend."""
    digest = hashlib.sha256()
    for name in CODE:
        place = MODELS / name
        for path in sorted(place.rglob("*.py")) if place.is_dir() else [place]:
            if APART not in path.parents:
                digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def kept_example(name: str, make: Callable[[], LabelledVolume], cache: Path) -> Example:
    """A generated CT volume as an example, from the cache where it is there; HU are kept as whole numbers."""
    path = cache / f"volumes-{code_digest()}" / f"{name}.npz"
    if not path.is_file():
        volume = make()
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_suffix(".part.npz")
        hu = np.clip(np.rint(volume.values), -1024, 3071).astype(np.int16)
        np.savez(draft, hu=hu, labels=volume.labels)
        draft.replace(path)
    with np.load(path) as arrays:
        return Example(arrays["hu"], arrays["labels"], Modality.CT)
