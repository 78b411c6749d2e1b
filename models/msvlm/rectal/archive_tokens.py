"""The studies of an archive as slice tokens by the encoder that was just trained, kept by content; and what was read.

A study's tokens depend on the content of its files, the encoder and the code that lays out its series, not on what the
table tells of it: another table encodes nothing anew.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from rich.progress import track

from models.datasets.cache import code_digest
from models.msvlm.distributed import device, placed
from models.msvlm.rectal.archive import StagedStudy
from models.msvlm.rectal.encoder import SeriesEncoderGraph
from models.msvlm.rectal.items import step_targets
from models.msvlm.rectal.network import SeriesNetwork
from models.msvlm.rectal.run import SeriesRun
from models.msvlm.rectal.stored import LeftOut, SliceEncoding, encoded, stored_study
from models.msvlm.rectal.studies import ENCODER_BATCH, NothingToRead, SeriesStudy
from models.msvlm.whole_file import save_whole
from pacs_agent.imaging import UnusableImages, read_headers

Floats = NDArray[np.float32]
LAYOUT = (
    *("msvlm/preprocess.py", "pacs_agent/imaging"),
    *(f"msvlm/rectal/{name}.py" for name in ("archive_tokens", "encoder", "field", "stored")),
    *(f"pacs_agent/inference/staging/{name}.py" for name in ("acquired", "places", "scale")),
)
"""Code on which tokens depend."""


@dataclass(frozen=True)
class ArchiveRow:
    """What was read of a study: its series with their slices, the series that were not, or why nothing was."""

    uid: str
    split: str
    series: tuple[tuple[str, int], ...]
    without: tuple[LeftOut, ...]
    reason: str = ""


@dataclass(frozen=True)
class ArchiveTokens:
    """The studies of a split that could be read, with their patients, and a row of each study of the split."""

    studies: list[SeriesStudy]
    patients: list[str]
    rows: list[ArchiveRow]


class TrainedEncoder:
    """The slice encoder of a network in training, on stored values as the bundle's graph takes them."""

    def __init__(self, network: SeriesNetwork) -> None:
        self.graph = SeriesEncoderGraph(network.encoder, network.preset.network).eval()
        self.patch_mm = network.preset.network.patch_mm

    @torch.no_grad()
    def encode(
        self, stored: NDArray[np.int16], intensities: tuple[Floats, Floats], spacing_mm: tuple[float, float]
    ) -> tuple[Floats, Floats]:
        """Tokens [n, d] and patch grids [n, S, gr, gc] of slices; `intensities` are what is 0 and 1 of each [n]."""
        values = [torch.from_numpy(value) for value in (stored, *intensities)]
        values.append(torch.tensor([spacing_mm]).expand(len(stored), 2))
        parts = zip(*(value.split(ENCODER_BATCH) for value in values), strict=True)
        said = [self.graph(*(value.to(device()) for value in part)) for part in parts]
        tokens, grids = (torch.cat(each).float().cpu().numpy() for each in zip(*said, strict=True))
        return tokens, grids


def archive_tokens(run: SeriesRun, network: SeriesNetwork, split: str) -> ArchiveTokens:
    """The archive's studies of a split by the trained encoder; kept on disk."""
    staged = run.archive.studies(split) if run.archive else ()
    facts = f"{run.digest('encoder')} {code_digest(LAYOUT)}"
    placed(network.encoder.eval())
    tokens = tokens_of(staged, TrainedEncoder(network), run.folder / f"tokens-archive-{_short(facts)}")
    network.encoder.cpu()
    return tokens


def tokens_of(staged: Sequence[StagedStudy], encoding: SliceEncoding, folder: Path) -> ArchiveTokens:
    """Tokens of studies; those whose content `folder` holds already are not read again."""
    found = ArchiveTokens([], [], [])
    missing = sum(not _kept(study, folder).is_file() for study in staged)
    for one in track(staged, "studies of the archive", disable=not missing):
        path = _kept(one, folder)
        if not path.is_file():
            save_whole(_read(one, encoding), path)
        kept = torch.load(path, weights_only=True)
        without = tuple(LeftOut(*each) for each in kept["without"])
        found.rows.append(ArchiveRow(one.uid, one.split, tuple(kept["series"]), without, kept["reason"]))
        if kept["study"] is not None:
            found.studies.append(_with_items(SeriesStudy(**kept["study"]), one))
            found.patients.append(one.patient)
    return found


def _kept(study: StagedStudy, folder: Path) -> Path:
    return folder / f"{_short(f'{study.uid} {study.digest}')}.pt"


def _short(facts: str) -> str:
    return hashlib.sha256(facts.encode()).hexdigest()[:16]


def _read(study: StagedStudy, encoding: SliceEncoding) -> dict[str, Any]:
    """A study's tokens and what they are of, or why there are none."""
    try:
        series, left_out = stored_study(read_headers(study.paths))
    except (NothingToRead, UnusableImages) as fault:
        return {"study": None, "series": [], "without": [], "reason": str(fault)}
    return {
        "study": vars(encoded(encoding, study.uid, series)),
        "series": [(one.key, len(one.stored)) for one in series],
        "without": [(one.name, one.reason) for one in left_out],
        "reason": "",
    }


def _with_items(study: SeriesStudy, staged: StagedStudy) -> SeriesStudy:
    taken, known = (torch.from_numpy(values) for values in step_targets(staged.told))
    return replace(study, taken=taken, known=known)
