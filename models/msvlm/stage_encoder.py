"""Stage 1: the slice encoder learns from the generator's masks, in one-thread processes that average gradients."""

import math
import os
from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import Progress, TextColumn, TimeElapsedColumn
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from models.msvlm.cases import FieldSlices, load_slices
from models.msvlm.encoder import SliceEncoder
from models.msvlm.losses import BalancedPatchLoss
from models.msvlm.preset import Preset

SLICE_WEIGHT = 2.0
WARM_UP = 40


class SliceSampler:
    """Batches of which half is drawn by finding, so that the rare ones are seen as often as the common."""

    def __init__(self, slices: FieldSlices, seed: int) -> None:
        self.rng, self.slices = np.random.default_rng(seed), slices
        self.by_finding = [np.flatnonzero(column > 127) for column in slices.slices.T]

    def _indices(self, batch: int) -> NDArray[np.intp]:
        findings = self.rng.integers(len(self.by_finding), size=batch // 2)
        drawn = [int(self.rng.choice(self.by_finding[f])) for f in findings if len(self.by_finding[f])]
        rest = self.rng.integers(len(self.slices.hu), size=batch - len(drawn))
        return np.concatenate([np.array(drawn, np.intp), rest])

    def batch(self, count: int) -> tuple[Tensor, Tensor, Tensor]:
        """HU with a little jitter of scale, offset and noise; patch and slice targets in [0, 1]."""
        chosen = self._indices(count)
        hu = torch.from_numpy(self.slices.hu[chosen]).float()
        gain, offset, noise = (
            torch.from_numpy(self.rng.uniform(low, high, count).astype(np.float32))[:, None, None]
            for low, high in ((0.97, 1.03), (-15.0, 15.0), (0.0, 18.0))
        )
        hu = (hu + 1024.0) * gain - 1024.0 + offset + noise * torch.randn(hu.shape)
        patches, slices = (
            torch.from_numpy(part[chosen]).float() / 255.0 for part in (self.slices.patches, self.slices.slices)
        )
        return hu.clamp(-1024.0, 3071.0), patches, slices


def train_encoder(preset: Preset, encoder: SliceEncoder, paths: list[Path], cache: Path) -> SliceEncoder:
    """Trains in `preset.processes` processes and gives the trained encoder."""
    start, result = cache / "encoder-start.pt", cache / "encoder-end.pt"
    meeting = (cache / "encoder-meeting").resolve()
    meeting.unlink(missing_ok=True)
    torch.save(encoder.state_dict(), start)
    # glibc kept from handing large temporaries back to the kernel after every operation; read at process start.
    os.environ.update(MALLOC_MMAP_THRESHOLD_="1073741824", MALLOC_TRIM_THRESHOLD_="4294967296", OMP_NUM_THREADS="1")
    arguments = (preset, paths, start, result, meeting)
    torch.multiprocessing.spawn(_run, args=arguments, nprocs=preset.processes, join=True)
    encoder.load_state_dict(torch.load(result, weights_only=True))
    return encoder


def _run(rank: int, preset: Preset, paths: list[Path], start: Path, result: Path, meeting: Path) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{meeting}", rank=rank, world_size=preset.processes)
    torch.manual_seed(preset.seed + rank)
    encoder = SliceEncoder(preset.network).to(memory_format=torch.channels_last)
    encoder.load_state_dict(torch.load(start, weights_only=True))
    sampler = SliceSampler(load_slices(paths), preset.seed + 100 + rank)
    _steps(preset, encoder.train(), sampler, show=rank == 0)
    _average(list(encoder.buffers()))
    if rank == 0:
        torch.save(encoder.state_dict(), result)
    dist.barrier()
    dist.destroy_process_group()


def _steps(preset: Preset, encoder: SliceEncoder, sampler: SliceSampler, show: bool) -> None:
    amounts = preset.amounts
    patch_loss = BalancedPatchLoss(preset.network.findings)
    optimiser = torch.optim.AdamW(encoder.parameters(), lr=amounts.encoder_rate, weight_decay=0.02)
    columns = (*Progress.get_default_columns(), TimeElapsedColumn(), TextColumn("{task.fields[loss]}"))
    with Progress(*columns, console=Console(force_terminal=None), disable=not show) as progress:
        task = progress.add_task("slice encoder", total=amounts.encoder_steps, loss="")
        for step in range(amounts.encoder_steps):
            set_rate(optimiser, amounts.encoder_rate, step, amounts.encoder_steps)
            hu, patches, slices = sampler.batch(amounts.encoder_batch // preset.processes)
            loss = _loss(encoder, patch_loss, hu, patches, slices)
            optimiser.zero_grad()
            loss.backward()
            _average([p.grad for p in encoder.parameters() if p.grad is not None])
            torch.nn.utils.clip_grad_norm_(encoder.parameters(), 1.0)
            optimiser.step()
            progress.update(task, advance=1, loss=f"loss {loss.item():.3f}")
            if show and step % 50 == 0:
                progress.console.print(f"step {step} loss {loss.item():.4f}")


def _loss(encoder: SliceEncoder, patch_loss: BalancedPatchLoss, hu: Tensor, patches: Tensor, slices: Tensor) -> Tensor:
    with torch.autocast("cpu", torch.bfloat16):
        encoded = encoder(hu)
    slice_loss = binary_cross_entropy_with_logits(encoded.slice_logits.float(), slices)
    return patch_loss(encoded.patch_logits.float(), patches) + SLICE_WEIGHT * slice_loss


def set_rate(optimiser: torch.optim.Optimizer, rate: float, step: int, steps: int) -> None:
    """Linear warm-up, then cosine to a hundredth."""
    warm = min(1.0, (step + 1) / WARM_UP)
    cosine = 0.01 + 0.99 * 0.5 * (1.0 + math.cos(math.pi * step / steps))
    for group in optimiser.param_groups:
        group["lr"] = rate * warm * cosine


def _average(tensors: list[Tensor]) -> None:
    """Mean over the processes, in one exchange."""
    floats = [tensor for tensor in tensors if tensor.is_floating_point()]
    flat = torch.cat([tensor.reshape(-1) for tensor in floats])
    dist.all_reduce(flat)
    flat /= dist.get_world_size()
    for tensor, part in zip(floats, flat.split([tensor.numel() for tensor in floats]), strict=True):
        tensor.copy_(part.view_as(tensor))
