"""Whole studies as slice tokens, padded into batches for the reader and the decoder."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from pydantic import TypeAdapter
from rich.progress import track
from torch import Tensor, nn

from models.datasets.cache import Shard, stream
from models.datasets.fields import FieldStudy
from models.msvlm.distributed import device, mapped, placed
from models.msvlm.whole_file import save_whole
from models.phantoms.report import TrueSentence

_SENTENCES = TypeAdapter(tuple[TrueSentence, ...])
ENCODER_BATCH = 32


@dataclass(frozen=True)
class EncodedStudy:
    """A study of L slices as its tokens, with what is known of it."""

    tokens: Tensor
    """[L, d]."""
    z_mm: Tensor
    """[L]."""
    slices: Tensor
    """Share of each finding in each slice [L, F], in [0, 1]; means nothing where the finding is not located."""
    labels: Tensor
    """[F], 0 or 1; means nothing where the label is not known."""
    known: Tensor
    """Whether a label is known [F]."""
    located: Tensor
    """Whether the slices of a finding are known [F]."""
    attributes: Tensor
    """[F, A], 0 or 1, in the order of ATTRIBUTE_NAMES."""
    attributes_known: Tensor
    """Which groups of attributes are known [F, 4], in the order of ATTRIBUTE_GROUPS."""
    sentences: tuple[TrueSentence, ...]
    source: str = ""


@dataclass(frozen=True)
class StudyBatch:
    """Studies padded to one length [b, L, …]; `mask` is true where a slice is there. Otherwise as EncodedStudy."""

    tokens: Tensor
    z_mm: Tensor
    mask: Tensor
    slices: Tensor
    labels: Tensor
    known: Tensor
    located: Tensor
    attributes: Tensor
    attributes_known: Tensor

    @property
    def ids(self) -> Tensor:
        """Plane, sequence and phase ids of an axial CT: all zero [b, L]."""
        return torch.zeros_like(self.z_mm, dtype=torch.long)

    @property
    def inputs(self) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]:
        """The inputs of the study reader."""
        return self.tokens, self.z_mm, self.ids, self.ids, self.ids, self.mask


def encode_studies(encoder: nn.Module, shards: Sequence[Shard], title: str, processes: int = 1) -> list[EncodedStudy]:
    """Slice tokens of rendered studies, on the accelerator if there is one, else in processes of one thread each."""
    placed(encoder.eval())
    with TemporaryDirectory() as folder:
        tasks = [(encoder, shard, Path(folder) / f"{number}.pt") for number, shard in enumerate(shards)]
        alone = processes == 1 or device().type != "cpu"
        encoded = map(_encode_shard, tasks) if alone else mapped(_encode_shard, tasks, processes)
        paths = list(track(encoded, f"slice tokens: {title}", total=len(tasks)))
        encoder.cpu()
        return [study for path in paths for study in load_studies(path)]


def _encode_shard(task: tuple[nn.Module, Shard, Path]) -> Path:
    """Through a file: every tensor sent between processes would hold a file descriptor."""
    encoder, shard, path = task
    save_studies([encode_study(encoder, study) for study in stream([shard])], path)
    return path


@torch.no_grad()
def encode_study(encoder: nn.Module, study: FieldStudy) -> EncodedStudy:
    """Slice tokens of one study, by an encoder in inference mode."""
    place = next(encoder.parameters()).device
    hu = torch.from_numpy(study.slices["hu"].copy())
    with torch.autocast(place.type, torch.bfloat16):
        tokens = [encoder(part.to(place).float()).token.float().cpu() for part in hu.split(ENCODER_BATCH)]  # type: ignore[no-untyped-call]
    shown = torch.from_numpy(study.slices["slices"].copy())
    return with_facts(torch.cat(tokens), torch.from_numpy(study.slices["z_mm"].copy()), shown, study)


def with_facts(tokens: Tensor, z_mm: Tensor, shown: Tensor, study: FieldStudy) -> EncodedStudy:
    """Tokens [L, d] at z [L], showing the findings to these shares × 255 [L, F] u8, with what is known of the study."""
    facts = study.facts
    return EncodedStudy(
        tokens=tokens,
        z_mm=z_mm,
        slices=shown.float() / 255.0,
        labels=torch.from_numpy(facts.label_targets()),
        known=torch.from_numpy(facts.known()),
        located=torch.from_numpy(facts.located_known()),
        attributes=torch.from_numpy(facts.attribute_targets()),
        attributes_known=torch.from_numpy(facts.attributes_known()),
        sentences=facts.sentences,
        source=facts.source,
    )


def save_studies(studies: Iterable[EncodedStudy], path: Path) -> None:
    """Writes encoded studies; a cut run leaves no half."""
    rows = [
        {**{f.name: getattr(study, f.name) for f in fields(study)}, "sentences": _SENTENCES.dump_json(study.sentences)}
        for study in studies
    ]
    save_whole(rows, path)


def load_studies(path: Path) -> list[EncodedStudy]:
    """The studies of `save_studies`."""
    rows = torch.load(path, weights_only=True)
    return [EncodedStudy(**{**row, "sentences": _SENTENCES.validate_json(row["sentences"])}) for row in rows]


def pad(studies: Sequence[EncodedStudy], keep: Sequence[Tensor] | None = None) -> StudyBatch:
    """A batch of studies; `keep` names the slices to take of each."""
    keep = keep or [torch.arange(len(study.tokens)) for study in studies]

    def padded(name: str) -> Tensor:
        parts = [getattr(study, name)[k] for study, k in zip(studies, keep, strict=True)]
        return torch.nn.utils.rnn.pad_sequence(parts, batch_first=True)

    def stacked(name: str) -> Tensor:
        return torch.stack([getattr(study, name) for study in studies])

    lengths = torch.tensor([len(k) for k in keep])
    return StudyBatch(
        tokens=padded("tokens"),
        z_mm=padded("z_mm"),
        mask=torch.arange(int(lengths.max()))[None] < lengths[:, None],
        slices=padded("slices"),
        labels=stacked("labels"),
        known=stacked("known"),
        located=stacked("located"),
        attributes=stacked("attributes"),
        attributes_known=stacked("attributes_known"),
    )
