"""Dice and cross entropy (Isensee et al., nnU-Net, Nat. Methods 18:203, 2021), over what is known.

Two for classes: `class_loss` teaches to find what is rare, `hardest_loss` then teaches not to find it where it is not.
"""

import math

import torch
from monai.losses import DiceLoss
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy, one_hot

from models.gtgm.finetune.examples import IGNORED
from models.gtgm.finetune.instances import UNKNOWN

SMOOTH = 1e-5
"""Voxels added above and below. As much as one would drive a structure to nothing that is not in the batch."""
HARDEST = 0.02
"""Share of the voxels that `hardest_loss` looks at again."""


def class_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Of logits [b, c, d, h, w] and labels u8 [b, d, h, w]; voxels with IGNORED take no part.

    Dice is taken over the batch and over the structures without the background; cross entropy half over all voxels and
    half over the classes that are there, each by the mean over its own: of a crop a nodule fills a ten-thousandth.
    """
    known = labels != IGNORED
    target = torch.where(known, labels, 0).long()
    spread = one_hot(target, logits.shape[1]).movedim(-1, 1).to(logits.dtype) * known[:, None]
    dice = _DICE_OF_CLASSES(logits.softmax(1) * known[:, None], spread)
    crossed = cross_entropy(logits, target, reduction="none") * known
    voxels = spread.sum((0, 2, 3, 4))
    of_class = (crossed[:, None] * spread).sum((0, 2, 3, 4)) / voxels.clamp(min=1.0)
    balanced = of_class.sum() / (voxels > 0).sum().clamp(min=1)
    loss: Tensor = dice + 0.5 * (crossed.sum() / known.sum().clamp(min=1) + balanced)
    return loss


def hardest_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Of logits [b, c, d, h, w] and labels u8 [b, d, h, w]; voxels with IGNORED take no part.

    Dice is of the structures that the batch holds. Cross entropy is that of all voxels, and of the hardest HARDEST of
    them (Wu et al., arXiv 1605.06885): nodules that are missed and vessels that are taken for one, side by side. A
    voxel has the same say whatever its class, so a structure is named where it is likelier than not; `class_loss` lets
    a nodule's voxel count a thousand times one of the background, so it is named from a chance of a thousandth on.
    """
    known = labels != IGNORED
    target = torch.where(known, labels, 0).long()
    spread = one_hot(target, logits.shape[1]).movedim(-1, 1).to(logits.dtype) * known[:, None]
    shares = logits.softmax(1) * known[:, None]
    both, there, found = (part.sum((0, 2, 3, 4))[1:] for part in (shares * spread, spread, shares))
    apart = (there > 0) * (1.0 - 2.0 * both / (there + found).clamp(min=1.0))
    crossed = cross_entropy(logits, target, reduction="none")[known]
    hardest = crossed.topk(math.ceil(HARDEST * crossed.numel())).values
    loss: Tensor = apart.sum() / (there > 0).sum().clamp(min=1)
    return loss + torch.nan_to_num(crossed.mean() + 0.5 * hardest.mean())


def affinity_loss(logits: Tensor, affinities: Tensor) -> Tensor:
    """Of logits [b, offsets, d, h, w] and affinities of the same shape: 1, 0 or UNKNOWN.

    Dice is of the borders, which are the rarer ones.
    """
    known = affinities != UNKNOWN
    target = torch.where(known, affinities, 1).to(logits.dtype)
    apart, is_apart = 1.0 - logits.sigmoid(), 1.0 - target
    dice = _DICE_OF_AFFINITIES(apart * known, is_apart * known)
    crossed: Tensor = binary_cross_entropy_with_logits(logits, target, reduction="none")[known].mean()
    return dice + torch.nan_to_num(crossed)


_DICE_OF_CLASSES = DiceLoss(include_background=False, batch=True, smooth_nr=SMOOTH, smooth_dr=SMOOTH)
_DICE_OF_AFFINITIES = DiceLoss(batch=True, smooth_nr=1.0, smooth_dr=1.0)
