"""The training loop of the slice and volume encoders' stages: seeded, resumable, the same in every process."""

import math
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Generic, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from models.msvlm.curves import Curves
from models.msvlm.distributed import average, rank
from models.msvlm.preset import StageSettings
from models.msvlm.progress import stage_progress
from models.msvlm.whole_file import save_whole

Batch = TypeVar("Batch")
CLIP = 1.0
WARM_UP = 40


@dataclass(frozen=True)
class Stage(Generic[Batch]):
    """What is trained and how; `learned` holds everything that a checkpoint must keep, buffers included."""

    name: str
    settings: StageSettings
    learned: nn.Module
    batches: Callable[[range], Iterable[Batch]]
    """The batches of the steps of a range; each depends on seed, process and step alone."""
    loss_of: Callable[[Batch, int], Tensor]
    """The loss of the batch of a step."""
    after_step: Callable[[int], None] = lambda step: None
    """May change buffers after a step, for example a teacher's weights."""
    weight_decay: float = 0.02
    speed: str = "slices_per_s"
    """What the bar calls the speed: items of a batch in a second."""
    more: Callable[[], dict[str, float]] = dict
    """Further values of the last step, for the bar and the curves."""


def set_rate(optimiser: torch.optim.Optimizer, rate: float, step: int, steps: int) -> float:
    """Linear warm-up, then cosine to a hundredth; gives the rate it set."""
    warm = min(1.0, (step + 1) / WARM_UP)
    cosine = 0.01 + 0.99 * 0.5 * (1.0 + math.cos(math.pi * step / steps))
    for group in optimiser.param_groups:
        group["lr"] = rate * warm * cosine
    return rate * warm * cosine


def step_seed(seed: int, process: int, step: int) -> int:
    """A seed of its own for every step of every process: a run that goes on draws what the unbroken run would."""
    return int(np.random.SeedSequence((seed, process, step)).generate_state(1, np.uint64)[0] >> 1)


class _Trainer(Generic[Batch]):
    """A stage with its optimiser."""

    def __init__(self, stage: Stage[Batch]) -> None:
        self.stage = stage
        self.parameters = [p for p in stage.learned.parameters() if p.requires_grad]
        self.optimiser = torch.optim.AdamW(
            self.parameters, lr=stage.settings.rate, weight_decay=stage.weight_decay, fused=True
        )

    def step(self, batch: Batch, step: int) -> dict[str, float]:
        """One step; the gradients and the buffers (running means) are those of all processes."""
        rate = set_rate(self.optimiser, self.stage.settings.rate, step, self.stage.settings.steps)
        loss = self.stage.loss_of(batch, step)
        self.optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        with torch.no_grad():
            gradients = [p.grad for p in self.parameters if p.grad is not None]
            average([*gradients, *self.stage.learned.buffers()])
            torch.nn.utils.clip_grad_norm_(self.parameters, CLIP)
        self.optimiser.step()
        self.stage.after_step(step)
        return {"loss": loss.item(), **self.stage.more(), "rate": rate}

    def save(self, done: int, path: Path) -> None:
        """Writes what is needed to go on after `done` steps."""
        learned, optimiser = self.stage.learned.state_dict(), self.optimiser.state_dict()
        save_whole({"done": done, "learned": learned, "optimiser": optimiser}, path)

    def resume(self, path: Path) -> int:
        """Steps behind, by the checkpoint at `path`."""
        if not path.is_file():
            return 0
        facts = torch.load(path, weights_only=True, map_location=self.parameters[0].device)
        self.stage.learned.load_state_dict(facts["learned"])
        self.optimiser.load_state_dict(facts["optimiser"])
        return int(facts["done"])


def run_stage(stage: Stage[Batch], folder: Path, checkpoint_every: int) -> None:
    """Trains `stage.learned` in place, from its checkpoint in `folder` if there is one; curves go there too."""
    checkpoint, steps = folder / f"{stage.name}-checkpoint.pt", stage.settings.steps
    trainer, leads = _Trainer(stage), rank() == 0
    first = trainer.resume(checkpoint)
    curves = Curves(folder, stage.name, first) if leads else nullcontext()
    with curves, stage_progress(stage.name, steps, first, show=leads) as progress:
        began_s = monotonic()
        for step, batch in enumerate(stage.batches(range(first, steps)), first):
            facts = trainer.step(batch, step)
            per_s = (step + 1 - first) * stage.settings.batch / (monotonic() - began_s)
            progress.advance(**facts, **{stage.speed: per_s})
            if isinstance(curves, Curves):
                curves.add(step, **facts)
            if leads and (step + 1) % checkpoint_every == 0:
                trainer.save(step + 1, checkpoint)
