"""Case studies on the open real MR of `../shared/data`: what the bundle says of them, and where its evidence lies.

Each is one patient, read by the agent's own steps from DICOM files on. Of one an expert outlined the rectal tumour; of
the others it is known that nobody came for one. No figure can come of it.
"""

import hashlib
import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

from models.datasets.real_ct import SHARED_DATA
from models.msvlm.rectal.nifti_dicom import NiftiSlices, uid_of, write_t2
from pacs_agent.config import InferenceSettings
from pacs_agent.imaging import Slice, read_headers
from pacs_agent.inference.bundle import MANIFEST, StagingBundle
from pacs_agent.inference.evidence import strongest
from pacs_agent.inference.heat import Field, Heat, heat_of
from pacs_agent.inference.reading import StudyReading
from pacs_agent.inference.signature import Signer
from pacs_agent.inference.staging.describe import step_probabilities
from pacs_agent.inference.staging.levels import levels_of_steps
from pacs_agent.inference.staging.manifest import ItemEntry, StagingManifest
from pacs_agent.inference.staging.measure import measured_distances
from pacs_agent.inference.staging.reader import StagingReader
from pacs_agent.inference.staging.study import ReadStudy, choose_stacks
from pacs_agent.inference.staging.words import Words
from pacs_agent.inference.tokens import SliceToken

TUMOUR = "tumour"
RECTAL_CANCER = "rectal-cancer"
SCAN, OUTLINE = "mr_rectal/rectal_t2_axial_oblique.nii.gz", "mr_rectal/rectal_tumour_roi.nii.gz"
KNOWN = "a rectal cancer, axial-oblique T2 alone, outlined by an expert; its stage and margin are not known"
PROSTATES = ("ProstateX-0000", "ProstateX-0001")
NO_TUMOUR = "prostate MR of several series; the rectum is in view, no rectal tumour is known"


@dataclass(frozen=True, eq=False)
class _Read:
    """A study as it was read: what the agent's steps gave."""

    study: ReadStudy
    step_logits: tuple[float, ...]
    weights: NDArray[np.float64]
    """[I, L]."""
    reading: StudyReading
    tokens: list[SliceToken]


def read_cases(bundle: Path, data: Path = SHARED_DATA) -> dict[str, dict[str, Any]]:
    """What `evaluation.json` says of each case whose files are there; `bundle` is a folder, signed or not."""
    outlined = all((data / name).is_file() for name in (SCAN, OUTLINE))
    archives = {name: data / "mr_dicom" / f"{name}_MR.tar.xz" for name in PROSTATES}
    there = {name: path for name, path in archives.items() if path.is_file()}
    if not outlined and not there:
        return {}
    with TemporaryDirectory() as folder:
        reader = StagingReader(unsigned(bundle), InferenceSettings(provider="cpu"), Path(folder) / "tokens")
        cancer = {RECTAL_CANCER: _rectal_cancer(reader, data, Path(folder) / RECTAL_CANCER)} if outlined else {}
        return cancer | {name: _prostate(reader, path, Path(folder) / name) for name, path in there.items()}


def unsigned(folder: Path) -> StagingBundle:
    """A bundle that was just made: nobody vouches for it, so it serves this evaluation and no reading."""
    content = (folder / MANIFEST).read_bytes()
    manifest = StagingManifest.model_validate_json(content)
    words = Words.model_validate_json((folder / manifest.tokenizer.file).read_bytes())
    signer = Signer("nobody", "")
    digest = hashlib.sha256(content).hexdigest()
    return StagingBundle(folder=folder, digest=digest, signer=signer, manifest=manifest, words=words)


def _rectal_cancer(reader: StagingReader, data: Path, folder: Path) -> dict[str, Any]:
    volume, outline = NiftiSlices.read(data / SCAN), NiftiSlices.read(data / OUTLINE).values > 0
    read = _read(reader, write_t2(volume, RECTAL_CANCER, folder))
    if isinstance(read, str):
        return {"n": 1, "known": KNOWN, "refused": read}
    number = {uid_of(RECTAL_CANCER, f"slice {index}"): index for index in range(len(outline))}
    order = [number[one.sop_instance_uid] for one in read.study.slices]
    shows = outline.any((1, 2))
    manifest = reader.bundle.manifest
    on_tumour = [(place, entry) for place, entry in enumerate(manifest.items) if entry.structure == TUMOUR]
    return {
        **_row(KNOWN, manifest, read),
        "slices_outlined": int(shows.sum()),
        "share_outlined": float(shows.mean()),
        "evidence": {
            entry.key: {
                **_on_outline(read.weights[place], order, shows),
                "strongest_patch_mm_from_outline": _patch_mm(manifest, read, entry, place, volume, outline),
            }
            for place, entry in on_tumour
        },
    }


def _prostate(reader: StagingReader, archive: Path, folder: Path) -> dict[str, Any]:
    with tarfile.open(archive, "r:xz") as files:
        files.extractall(folder, filter="data")
    read = _read(reader, sorted(folder.rglob("*.dcm")))
    if isinstance(read, str):
        return {"n": 1, "known": NO_TUMOUR, "refused": read}
    return _row(NO_TUMOUR, reader.bundle.manifest, read)


def _read(reader: StagingReader, files: Sequence[Path]) -> _Read | str:
    """A study read by the agent's steps; why not, where it is refused."""
    choice = choose_stacks(read_headers(files), reader.bundle.manifest)
    if choice.chosen is None:
        return choice.reason
    encoding = reader.encode_missing(choice.chosen)
    raw, evidence = reader.read(choice.chosen, encoding), reader.weigh_evidence(choice.chosen, encoding)
    return _Read(
        study=encoding.study(choice.chosen),
        step_logits=raw.step_logits,
        weights=np.array(evidence.weights),
        reading=reader.describe(choice.chosen, encoding, raw, evidence),
        tokens=reader.slice_tokens(choice.chosen, encoding),
    )


def _row(known: str, manifest: StagingManifest, read: _Read) -> dict[str, Any]:
    reading, levels = read.reading, dict(_levels(manifest, read.step_logits))
    distances = measured_distances(manifest, read.study, read.tokens)
    margin = [one.value_mm for one in distances if manifest.margin and one.finding == manifest.margin.item]
    return {
        "n": 1,
        "known": known,
        "series": [stack.name for stack in read.study.stacks],
        "slices": len(read.study.slices),
        "tumour": round(1.0 - levels[TUMOUR][0], 3),
        "presence": {one.label.key: one.presence.value for one in reading.findings},
        "levels": {
            entry.key: dict(zip(entry.levels, (round(share, 3) for share in levels[entry.key]), strict=True))
            for entry in manifest.items
        },
        "measured_margin_mm": round(margin[0], 1) if margin else None,
        "report": [sentence.text for sentence in reading.sentences],
    }


def _levels(manifest: StagingManifest, step_logits: Sequence[float]) -> Iterator[tuple[str, list[float]]]:
    """The probabilities of the levels of every item, also of those of which nothing is said."""
    steps = iter(step_logits)
    for entry in manifest.items:
        shares = step_probabilities(entry, [next(steps) for _ in entry.steps])
        yield entry.key, levels_of_steps(shares).tolist()


def _on_outline(weights: NDArray[np.float64], order: Sequence[int], shows: NDArray[np.bool_]) -> dict[str, Any]:
    """Where the weights [L] of an item lie; slices are counted from 1 as the file has them."""
    inside, first = shows[list(order)], int(weights.argmax())
    named = strongest(weights.tolist())
    return {
        "strongest_slice": order[first] + 1,
        "strongest_slice_outlined": bool(inside[first]),
        "named_slices": [order[index] + 1 for index in named],
        "named_slices_outlined": int(inside[named].sum()),
        "weight_share_outlined": round(float(weights[inside].sum() / max(weights.sum(), 1e-12)), 3),
    }


def _patch_mm(
    manifest: StagingManifest,
    read: _Read,
    entry: ItemEntry,
    place: int,
    volume: NiftiSlices,
    outline: NDArray[np.bool_],
) -> float | None:
    """How far the strongest patch of the strongest slice lies from the outline there; None where there is none."""
    index = int(read.weights[place].argmax())
    heat = _heat(manifest, read.tokens[index], entry, read.study.slices[index])
    number, row, column = volume.index_of(heat.peak_mm)
    if not outline[number].any():
        return None
    away = distance_transform_edt(~outline[number], sampling=volume.spacing_mm[1::-1])
    return round(float(away[row, column]), 1)


def _heat(manifest: StagingManifest, token: SliceToken, entry: ItemEntry, one: Slice) -> Heat:
    field = Field(manifest.field_px, manifest.pixel_mm)
    return heat_of(token, manifest.structures.index(entry.structure), one, field)
