"""The stage after the findings: grades and counts by regression, on what the trained reader pools of each study."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from torch import Tensor

from models.msvlm.augment import resliced
from models.msvlm.reader import StudyReader
from models.msvlm.reading_loss import CHOICES, GROUPS, group_slice
from models.msvlm.studies import EncodedStudy, pad

VIEWS = 2
"""Each training study is also seen as so many other scanners would have sliced it."""
PENALTIES = (0.0003, 0.001, 0.003, 0.01, 0.03, 0.1)
"""C of the logistic regression, from the strongest penalty."""
FEWEST = 8
"""A class with fewer studies is not learned."""

Floats = NDArray[np.float32]
Indices = NDArray[np.intp]


class Known(NamedTuple):
    """Facts of a finding [n, ·] in the studies whose class [n] is known."""

    facts: Floats
    classes: Indices


class Fit(NamedTuple):
    """A regression on standardised facts: weights [·, classes], bias [classes], and its log loss on validation."""

    weight: Floats
    bias: Floats
    loss: float


def fit_amounts(reader: StudyReader, studies: Sequence[EncodedStudy], validation: Sequence[EncodedStudy]) -> None:
    """Fits grade and count of each finding that has enough studies of each; the penalty is validation's choice."""
    generator = torch.Generator().manual_seed(len(studies))
    std = reader.token_std.cpu()
    views = [*studies, *(resliced(study, std, generator) for _ in range(VIEWS) for study in studies)]
    learned, checked = _facts(reader, views), _facts(reader, validation)
    regression = reader.heads.amounts
    regression.mean.copy_(learned.mean(0))
    regression.spread.copy_(learned.std(0).clamp(min=1e-3))
    facts, held = (((part - regression.mean) / regression.spread).numpy() for part in (learned, checked))
    for kind in CHOICES:
        place = group_slice(kind)
        classes, truth = (_classes(part, kind) for part in (views, validation))
        for finding in range(facts.shape[1]):
            fit = _fit(_known(facts, classes, finding), _known(held, truth, finding), place.stop - place.start)
            if fit is not None:
                regression.weight[finding, :, place] = torch.from_numpy(fit.weight)
                regression.bias[finding, place] = torch.from_numpy(fit.bias)
                regression.fitted[finding, place] = 1.0


@torch.no_grad()
def _facts(reader: StudyReader, studies: Sequence[EncodedStudy]) -> Tensor:
    """What the regression reads of each study [n, F, ·]."""
    reader.eval()
    return torch.cat([reader.facts(*pad([study]).inputs).concluded.amounts for study in studies])


def _classes(studies: Sequence[EncodedStudy], kind: str) -> Indices:
    """Class of each finding [n, F]; -1 where there is none or it is not known."""
    targets = torch.stack([study.attributes[:, group_slice(kind)] for study in studies])
    known = torch.stack([study.attributes_known[:, GROUPS.index(kind)] for study in studies])
    there = known & torch.gt(targets.sum(2), 0.0)
    return torch.where(there, targets.argmax(2), -1).numpy()


def _known(facts: Floats, classes: Indices, finding: int) -> Known:
    there = classes[:, finding] >= 0
    return Known(facts[there, finding], classes[there, finding])


def _fit(learned: Known, checked: Known, classes: int) -> Fit | None:
    """The regression whose penalty does best on validation; None where a class is too rare."""
    rarest = min(np.bincount(learned.classes, minlength=classes), default=0)
    if rarest < FEWEST * (1 + VIEWS) or not len(checked.classes):
        return None
    return min((_regression(learned, checked, penalty) for penalty in PENALTIES), key=lambda fit: fit.loss)


def _regression(learned: Known, checked: Known, penalty: float) -> Fit:
    model = LogisticRegression(C=penalty / (1 + VIEWS), max_iter=400).fit(*learned)
    logs = model.predict_log_proba(checked.facts)
    loss = -float(logs[np.arange(len(checked.classes)), checked.classes].mean())
    return Fit(model.coef_.T.astype(np.float32), model.intercept_.astype(np.float32), loss)
