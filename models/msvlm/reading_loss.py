"""What the reader is held to: findings of the study, findings by slice, attributes of the findings that are there."""

from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

from models.msvlm.heads import Concluded
from models.msvlm.studies import StudyBatch
from models.phantoms.findings import ATTRIBUTE_NAMES

SLICE_WEIGHT = 0.5
ATTRIBUTE_WEIGHT = 0.5
GROUPS = ("side", "lobe", "grade", "count")
"""Kinds of attributes, in the order of `StudyBatch.attributes_known`."""
CHOICES = ("grade", "count")
"""Kinds of which exactly one value holds."""


def group_slice(kind: str) -> slice:
    """Where a kind of attribute lies on the attribute axis."""
    places = [index for index, name in enumerate(ATTRIBUTE_NAMES) if name.startswith(f"{kind}:")]
    return slice(places[0], places[-1] + 1)


def reading_loss(concluded: Concluded, batch: StudyBatch) -> Tensor:
    """The loss of a batch; what is not known of a study does not count."""
    loss = finding_loss(concluded.study, batch) + SLICE_WEIGHT * slice_loss(concluded.slices, batch)
    return loss + ATTRIBUTE_WEIGHT * attribute_loss(concluded.attributes, batch)


def finding_loss(study: Tensor, batch: StudyBatch) -> Tensor:
    """Cross-entropy of the known labels; logits [b, F]."""
    by_label = binary_cross_entropy_with_logits(study, batch.labels, reduction="none")
    return _mean(by_label, batch.known.float())


def slice_loss(slices: Tensor, batch: StudyBatch) -> Tensor:
    """Cross-entropy of the located findings in the slices that are there; logits [b, F, L]."""
    by_slice = binary_cross_entropy_with_logits(slices.transpose(1, 2), batch.slices, reduction="none")
    return _mean(by_slice, batch.mask[..., None].float() * batch.located[:, None].float())


def attribute_loss(attributes: Tensor, batch: StudyBatch) -> Tensor:
    """Mean over the kinds of attributes, of present findings whose attributes are known; logits [b, F, A]."""
    there = (batch.labels > 0.5) & batch.known
    total = attributes.new_zeros(())
    for index, kind in enumerate(GROUPS):
        of_kind = group_slice(kind)
        logits, targets = attributes[..., of_kind], batch.attributes[..., of_kind]
        weight = (there & batch.attributes_known[..., index]).float()
        if kind in CHOICES:
            loss = cross_entropy(logits.flatten(0, 1), targets.flatten(0, 1), reduction="none").view_as(weight)
        else:
            loss = binary_cross_entropy_with_logits(logits, targets, reduction="none").mean(2)
        total = total + _mean(loss, weight)
    return total / len(GROUPS)


def _mean(loss: Tensor, weight: Tensor) -> Tensor:
    return (loss * weight).sum() / weight.expand_as(loss).sum().clamp(min=1.0)
