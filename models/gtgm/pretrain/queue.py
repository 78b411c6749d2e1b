"""Embeddings of earlier batches as further negatives, for batches too small to hold many (arXiv 1912.06798)."""

from typing import NamedTuple

import torch
from torch import Tensor, nn


class Earlier(NamedTuple):
    """Volumes and texts of earlier batches [m, d], and the numbers of their volumes [m]."""

    volumes: Tensor
    texts: Tensor
    numbers: Tensor


class EmbeddingQueue(nn.Module):
    """The last `size` embeddings. Part of the state that a checkpoint keeps, so that a run goes on as it would have.

    Embeddings of the first steps are soon wrong: for `warm_up` pushes the queue fills but gives nothing.
    """

    volumes: Tensor
    texts: Tensor
    numbers: Tensor
    pushes: Tensor
    held: Tensor

    def __init__(self, size: int, width: int, warm_up: int) -> None:
        super().__init__()
        self.size, self.warm_up = size, warm_up
        self.register_buffer("volumes", torch.zeros(size, width))
        self.register_buffer("texts", torch.zeros(size, width))
        self.register_buffer("numbers", torch.full((size,), -1))
        self.register_buffer("pushes", torch.tensor(0))
        self.register_buffer("held", torch.tensor(0))

    def earlier(self) -> Earlier:
        """What is held, oldest last; nothing until the warm-up is over."""
        count = int(self.held) if int(self.pushes) >= self.warm_up else 0
        return Earlier(self.volumes[:count].clone(), self.texts[:count].clone(), self.numbers[:count].clone())

    @torch.no_grad()
    def push(self, volumes: Tensor, texts: Tensor, numbers: Tensor) -> None:
        """Takes in a batch [n, d] at the front; the oldest fall out. The batch must be the same in every process."""
        for kept, new in ((self.volumes, volumes), (self.texts, texts), (self.numbers, numbers)):
            kept.copy_(torch.cat([new.to(kept.dtype), kept])[: self.size])
        self.held.fill_(min(self.size, int(self.held) + len(volumes)))
        self.pushes += 1
