"""Studies made for one test: copies under new UIDs, compressed ones, and small ones that no model reads."""

from collections.abc import Sequence
from pathlib import Path

import pydicom
from pydicom.uid import JPEG2000Lossless

from tests.peers.studies import copies, relabel, study_uid, write_plain_ct


def copy_of(files: Sequence[Path], folder: Path, label: str, *, new_pixels: bool = False) -> tuple[list[Path], str]:
    """A study again under new UIDs; its files and Study Instance UID.

    Its slices are known to the token cache and read in no time, unless a few of the pixels are to be new.
    """
    if new_pixels:
        made = copies(files, folder, len(files), label=label)
        return made, study_uid(made)
    folder.mkdir(parents=True, exist_ok=True)
    made = [folder / file.name for file in files]
    for source, target in zip(files, made, strict=True):
        dataset = pydicom.dcmread(source)
        relabel(dataset, label)
        dataset.save_as(target)
    return made, study_uid(made)


def compressed(files: Sequence[Path]) -> None:
    """Rewrites files in JPEG 2000, lossless. PS3.5 A.4.4."""
    for file in files:
        dataset = pydicom.dcmread(file)
        dataset.compress(JPEG2000Lossless, generate_instance_uid=False)
        dataset.save_as(file)


def plain_study(folder: Path, slices: int, **attributes: str) -> str:
    """Writes a few uniform slices with attributes of one's own; the Study Instance UID."""
    files = write_plain_ct(folder, slices)
    for file in files:
        dataset = pydicom.dcmread(file)
        for keyword, value in attributes.items():
            setattr(dataset, keyword, value)
        dataset.save_as(file)
    return study_uid(files)
