"""Group normalisation for the graph of a segmenter: the same as PyTorch's, and exact in onnxruntime.

The exporter writes group normalisation as InstanceNormalization over whole groups, a million voxels here, whose sums
onnxruntime's CPU kernel takes in float32 one after the other: probabilities are then off by 3e-3. Means of means of the
rows, then of the planes, lose nothing.
"""

import copy

import torch
from torch import Tensor, nn


class SteadyGroupNorm(nn.Module):
    """Group normalisation of [n, c, d, h, w] with the weights of another one (Wu and He, arXiv 1803.08494)."""

    def __init__(self, of: nn.GroupNorm) -> None:
        super().__init__()
        self.groups, self.eps = of.num_groups, of.eps
        self.weight, self.bias = of.weight, of.bias

    def forward(self, x: Tensor) -> Tensor:
        """Each group of channels with mean 0 and variance 1, then scaled and moved channel by channel."""
        n, channels, d, h, w = x.shape
        grouped = x.reshape(n, self.groups, channels // self.groups * d, h, w)
        centred = grouped - _mean(grouped)
        steady = (centred * torch.rsqrt(_mean(centred * centred) + self.eps)).reshape(n, channels, d, h, w)
        return steady * self.weight.view(1, -1, 1, 1, 1) + self.bias.view(1, -1, 1, 1, 1)


def steady(network: nn.Module) -> nn.Module:
    """A copy of a network with every group normalisation replaced."""
    twin = copy.deepcopy(network)
    for module in list(twin.modules()):
        for name, child in module.named_children():
            if isinstance(child, nn.GroupNorm):
                setattr(module, name, SteadyGroupNorm(child))
    return twin


def _mean(x: Tensor) -> Tensor:
    return x.mean(-1, keepdim=True).mean(-2, keepdim=True).mean(-3, keepdim=True)
