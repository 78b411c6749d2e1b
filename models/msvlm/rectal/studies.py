"""Whole studies as slice tokens of all their series, any subset of these, padded into batches for the reader."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from models.msvlm.distributed import device, mapped, placed
from models.msvlm.rectal.margin import measured_margin_mm
from models.msvlm.rectal.phantoms import FieldStudy, load
from models.msvlm.rectal.preset import SeriesShape
from models.msvlm.rectal.reader import SeriesInputs
from models.msvlm.whole_file import save_whole

ENCODER_BATCH = 64
MEASURED_ON = "t2_axial"
"""The series on which the distance of tumour and fascia is measured."""


class NothingToRead(ValueError):
    """No series of a study is left to read."""


@dataclass(frozen=True)
class SeriesStudy:
    """The slices of all series of a study as tokens, and what is known of it."""

    name: str
    tokens: Tensor
    """[L, d]."""
    centre_mm: Tensor
    """[L, 3]."""
    orientation: Tensor
    """[L, 6]."""
    ids: Tensor
    """Plane, sequence, contrast, phase i64 [L, 4]."""
    b_value: Tensor
    """[L], s/mm²."""
    series: Tensor
    """Place of each slice's series among `keys` i64 [L]."""
    keys: tuple[str, ...]
    taken: Tensor
    """[C]; see `items.py`."""
    known: Tensor
    margin_mm: float
    """True distance of tumour and mesorectal fascia; NaN without a tumour."""
    measured_mm: float
    """The same, measured on what the slice encoder marks; NaN where it marks no tumour."""

    @property
    def present(self) -> tuple[str, ...]:
        """The keys of the series that have slices."""
        there = set(self.series.tolist())
        return tuple(key for place, key in enumerate(self.keys) if place in there)

    def of_series(self, keys: Collection[str]) -> Tensor:
        """Places of the slices of some series. Raises NothingToRead where they have none."""
        wanted = torch.tensor([place for place, key in enumerate(self.keys) if key in keys], dtype=torch.int64)
        kept = torch.isin(self.series, wanted).nonzero()[:, 0]
        if not len(kept):
            raise NothingToRead(f"{self.name} has none of the series {sorted(keys)}; it has {', '.join(self.present)}")
        return kept


@dataclass(frozen=True)
class SeriesBatch:
    """Studies padded to one length, with their targets [b, C]."""

    inputs: SeriesInputs
    taken: Tensor
    known: Tensor

    def placed(self, place: torch.device) -> "SeriesBatch":
        """The same on a device."""
        inputs = SeriesInputs(*(value.to(place) for value in self.inputs))
        return SeriesBatch(inputs, self.taken.to(place), self.known.to(place))


@torch.no_grad()
def encode_study(encoder: nn.Module, shape: SeriesShape, study: FieldStudy) -> SeriesStudy:
    """Slice tokens of a study, by an encoder in inference mode."""
    place, slices = next(encoder.parameters()).device, study.slices
    images = torch.from_numpy(slices.images)
    marked = [encoder(part.to(place).float() / 255.0) for part in images.split(ENCODER_BATCH)]
    axial = torch.from_numpy(slices.series == study.keys.index(MEASURED_ON)) if MEASURED_ON in study.keys else None
    grids = torch.cat([part.patch_logits.float().cpu() for part in marked])
    return SeriesStudy(
        name=study.name,
        tokens=torch.cat([part.token.float().cpu() for part in marked]),
        centre_mm=torch.from_numpy(slices.centre_mm),
        orientation=torch.from_numpy(slices.orientation),
        ids=torch.from_numpy(slices.ids),
        b_value=torch.from_numpy(slices.b_value),
        series=torch.from_numpy(slices.series),
        keys=study.keys,
        taken=torch.from_numpy(study.taken),
        known=torch.from_numpy(study.known),
        margin_mm=study.margin_mm,
        measured_mm=float("nan") if axial is None else measured_margin_mm(grids[axial].numpy(), shape.patch_mm),
    )


def encode_studies(
    encoder: nn.Module, shape: SeriesShape, paths: Sequence[Path], processes: int = 1
) -> list[SeriesStudy]:
    """Slice tokens of studies that were made, on the accelerator if there is one, else in processes of one thread."""
    placed(encoder.eval())
    with TemporaryDirectory() as folder:
        tasks = [(encoder, shape, path, Path(folder) / f"{path.stem}.pt") for path in paths]
        alone = processes == 1 or device().type != "cpu"
        encoded = map(_encode, tasks) if alone else mapped(_encode, tasks, processes)
        studies = [study for path in encoded for study in load_studies(path)]
    encoder.cpu()
    return studies


def _encode(task: tuple[nn.Module, SeriesShape, Path, Path]) -> Path:
    """Through a file: every tensor sent between processes would hold a file descriptor."""
    encoder, shape, source, path = task
    save_studies([encode_study(encoder, shape, load(source))], path)
    return path


def save_studies(studies: Iterable[SeriesStudy], path: Path) -> None:
    """Writes encoded studies; a cut run leaves no half."""
    save_whole([{one.name: getattr(study, one.name) for one in fields(study)} for study in studies], path)


def load_studies(path: Path) -> list[SeriesStudy]:
    """The studies of `save_studies`."""
    return [SeriesStudy(**row) for row in torch.load(path, weights_only=True)]


def pad(studies: Sequence[SeriesStudy], keep: Sequence[Tensor] | None = None) -> SeriesBatch:
    """A batch of studies; `keep` names the slices to take of each. Raises NothingToRead for a study without any."""
    keep = keep or [torch.arange(len(study.tokens)) for study in studies]
    for study, kept in zip(studies, keep, strict=True):
        if not len(kept):
            raise NothingToRead(f"no slice of {study.name} is left")

    def padded(name: str) -> Tensor:
        return pad_sequence([getattr(s, name)[k] for s, k in zip(studies, keep, strict=True)], batch_first=True)

    lengths = torch.tensor([len(kept) for kept in keep])
    inputs = SeriesInputs(
        padded("tokens"),
        padded("centre_mm"),
        padded("orientation"),
        *padded("ids").unbind(2),
        padded("b_value"),
        torch.arange(int(lengths.max()))[None] < lengths[:, None],
    )
    return SeriesBatch(
        inputs, torch.stack([study.taken for study in studies]), torch.stack([study.known for study in studies])
    )


def some_series(study: SeriesStudy, series_dropout: float, slice_dropout: float, rng: np.random.Generator) -> Tensor:
    """Places of the slices of a random subset of a study's series, each without some slices; never nothing.

    So every subset of the series is met in training, and the reader leans on none of them.
    """
    there = study.series.unique().numpy()
    kept = there[rng.random(len(there)) >= series_dropout]
    if not len(kept):
        kept = rng.choice(there, size=1)
    places = torch.isin(study.series, torch.from_numpy(kept)).nonzero()[:, 0]
    slices = places[torch.from_numpy(rng.random(len(places)) >= slice_dropout)]
    return slices if len(slices) else places
