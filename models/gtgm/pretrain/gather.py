"""The batch of all processes, with gradients: negatives and correlations are counted over everything that was seen."""

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from models.msvlm.distributed import rank, world_size


class _Gathered(torch.autograd.Function):
    """Concatenation along the first axis over the processes; each gets back the gradient of its own part."""

    @staticmethod
    def forward(ctx: Any, own: Tensor) -> Tensor:
        parts = [torch.empty_like(own) for _ in range(world_size())]
        dist.all_gather(parts, own.contiguous())
        ctx.rows = len(own)
        return torch.cat(parts)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        (gradient,) = gradients
        whole = gradient.contiguous()
        dist.all_reduce(whole)
        first = rank() * ctx.rows
        return whole[first : first + ctx.rows]


def gathered(own: Tensor) -> Tensor:
    """Rows of every process [world × n, …], in the order of the processes; n is the same in all.

    Every process then computes the same loss, so a gradient comes back once from each: summed here, and divided by
    their number where the training loop averages the parameters' gradients, it is that of one process with all rows.
    """
    if world_size() == 1:
        return own
    result: Tensor = _Gathered.apply(own)  # type: ignore[no-untyped-call]
    return result
