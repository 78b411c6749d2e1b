"""Dice and cross entropy (Isensee et al., nnU-Net, Nat. Methods 18:203, 2021), over what is known."""

import torch
from monai.losses import DiceLoss
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy, one_hot

from models.gtgm.finetune.examples import IGNORED
from models.gtgm.finetune.instances import UNKNOWN

SMOOTH = 1e-5
"""Voxels added above and below. As much as one would drive a structure to nothing that is not in the batch."""


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


def affinity_loss(logits: Tensor, affinities: Tensor) -> Tensor:
    """Of logits [b, 3, d, h, w] and affinities [b, 3, d, h, w] of 1, 0 or UNKNOWN.

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
