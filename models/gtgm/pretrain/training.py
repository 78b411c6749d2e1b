"""A pretraining run on disk: prepared volumes, training in one or more processes, the encoder file it leaves."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from models.gtgm.networks import save_encoder
from models.gtgm.pretrain.batches import ViewBatch, ViewBatches, central_view, view_batches
from models.gtgm.pretrain.losses import retrieval
from models.gtgm.pretrain.network import GtgmNetwork
from models.gtgm.pretrain.prepare import PreparedVolume, held_out, prepared_volumes
from models.gtgm.pretrain.preset import GtgmPreset
from models.gtgm.pretrain.sources import VolumeSource, sources_of
from models.msvlm.distributed import device, in_processes, lead_first, rank
from models.msvlm.loop import Stage, run_stage

STAGE = "pretrain"
WEIGHT_DECAY = 0.02
CHUNK = 4
"""Volumes that are embedded at a time when the run is judged."""
NOT_CONTENT = {"processes", "workers", "checkpoint_every"}
"""Settings that change nothing in the result."""


class OtherRun(ValueError):
    """The folder holds a run of other settings."""


@dataclass(frozen=True)
class PretrainingRun:
    """A preset, the cache of prepared volumes, and the folder for encoder, curves and checkpoint."""

    preset: GtgmPreset
    cache: Path
    out: Path

    @property
    def folder(self) -> Path:
        """Where this preset's files lie."""
        return self.out / self.preset.name

    @property
    def encoder(self) -> Path:
        """The encoder that fine-tuning starts from."""
        return self.folder / "encoder.pt"

    def pretrain(self, sources: Sequence[VolumeSource] | None = None) -> Path:
        """Prepares, trains and judges; goes on where a cut run stopped. Gives the encoder's path.

        Raises NoVolumes, BatchTooLarge, LossNotFinite, and OtherRun where the folder is another run's.
        """
        lead_first(self._claim)
        given = sources_of(self.preset.data) if sources is None else sources
        views, processes = self.preset.views, self.preset.processes
        volumes = lead_first(lambda: prepared_volumes(given, views.spacing_mm, self.cache, processes))
        in_processes(train, (self, volumes), processes, self.folder / "meeting")
        return self.encoder

    def forget(self) -> None:
        """Removes checkpoint, curves and result."""
        for path in (*self.folder.glob("*.pt"), *self.folder.glob("*.json*")):
            path.unlink()

    def _claim(self) -> None:
        """Notes the settings in the folder. A checkpoint of others must not be taken for this run's."""
        self.folder.mkdir(parents=True, exist_ok=True)
        path, settings = self.folder / "preset.json", self.preset.model_dump_json(exclude=NOT_CONTENT, indent=1)
        if path.is_file() and path.read_text() != settings:
            raise OtherRun(f"{self.folder} holds a run of other settings: give another --out, or --fresh to replace it")
        path.write_text(settings)


def train(run: PretrainingRun, volumes: Sequence[PreparedVolume]) -> None:
    """Trains in this process, beside the others if there are any; the leading one writes the encoder."""
    preset = run.preset
    torch.manual_seed(preset.seed)
    network = GtgmNetwork(preset).to(device()).train()
    learning, aside = held_out(volumes, preset.data.held_out)
    batches = ViewBatches(learning, preset)

    def batches_of(steps: range) -> Iterable[ViewBatch]:
        return view_batches(batches, steps, preset.workers)

    def loss_of(batch: ViewBatch, step: int) -> Tensor:
        loss: Tensor = network(batch)
        return loss

    stage = Stage(
        STAGE,
        preset.training,
        network,
        batches_of,
        loss_of,
        weight_decay=WEIGHT_DECAY,
        speed="volumes_per_s",
        more=lambda: network.parts,
    )
    run_stage(stage, run.folder, preset.checkpoint_every)
    if rank() == 0:
        found = found_share(network, aside) if len(aside) > 1 and preset.loss != "correlation" else None
        save_encoder(network.encoder, _account(preset, len(learning), len(aside), found), run.encoder)


@torch.no_grad()
def found_share(network: GtgmNetwork, volumes: Sequence[PreparedVolume]) -> float:
    """Share of the texts whose nearest volume is their own, each volume seen by its middle; chance is 1 / n."""
    training = network.training
    network.eval()
    views = [central_view(volume, network.preset) for volume in volumes]
    embedded = torch.cat([network.embed_volumes(view)[:1] for view in views])
    texts = tuple(text for view in views for text in view.texts)
    parts = [network.embed_texts(texts[at : at + CHUNK]) for at in range(0, len(texts), CHUNK)]
    network.train(training)
    return retrieval(embedded, torch.cat(parts)).item()


def _account(preset: GtgmPreset, volumes: int, aside: int, found: float | None) -> dict[str, Any]:
    """What the encoder learned from: plain values, so that the file loads with weights_only."""
    settings: dict[str, Any] = json.loads(preset.model_dump_json())
    result = {} if found is None else {"held_out_found": found, "held_out_chance": 1.0 / aside}
    return {"preset": settings, "volumes": volumes, "held_out": aside, **result}
