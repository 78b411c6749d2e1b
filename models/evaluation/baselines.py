"""What the tokens give without relating the slices: the strongest slice logits, and logistic regression on pools.

Both see exactly the slice tokens that the study reader sees.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from models.evaluation.metrics import Array, auroc
from models.msvlm.network import Network
from models.phantoms.findings import FINDINGS

Floats = NDArray[np.float32]
TOP_SLICES = 3
PENALTIES = (0.0003, 0.003, 0.03, 0.3)
"""C of the logistic regression, from the strongest penalty."""
FEWEST = 8
"""A class with fewer examples is not learned."""


@torch.no_grad()
def slice_logits(network: Network, tokens: Floats) -> Floats:
    """The slice encoder's own logits [L, F] of tokens [L, d]."""
    logits: Floats = network.encoder.get_submodule("slice_head")(torch.from_numpy(tokens)).numpy()
    return logits


def strongest_slices(network: Network, studies: Sequence[Floats], top: int = TOP_SLICES) -> Array:
    """Mean of the highest slice logits of each study's tokens, [n, F]."""
    return np.stack([np.sort(slice_logits(network, tokens), axis=0)[-top:].mean(0) for tokens in studies])


def pooled(tokens: Floats) -> Floats:
    """Mean, spread, maximum and top-three mean of a study's tokens, [4 d]."""
    top = np.sort(tokens, axis=0)[-TOP_SLICES:].mean(0)
    return np.concatenate([tokens.mean(0), tokens.std(0), tokens.max(0), top]).astype(np.float32)


@dataclass(frozen=True)
class LogisticBaseline:
    """A logistic regression per finding on features of a study, such as pooled tokens."""

    models: tuple[Pipeline | None, ...]

    def scores(self, features: Floats) -> Array:
        """Log odds [n, F] of features [n, .]; 0 for a finding that could not be learned."""
        columns = [np.zeros(len(features)) if m is None else m.decision_function(features) for m in self.models]
        return np.stack(columns, axis=1)


def fit_logistic(features: Floats, labels: Array, chosen: Floats, truth: Array) -> LogisticBaseline:
    """Fitted on features [n, .] and labels [n, F], NaN where not known.

    The penalty of each finding is the one that does best on the validation features `chosen` with their `truth`.
    """
    columns = range(len(FINDINGS))
    return LogisticBaseline(tuple(_best(features, labels[:, f], chosen, truth[:, f]) for f in columns))


def _best(features: Floats, labels: Array, chosen: Floats, truth: Array) -> Pipeline | None:
    known, checked = np.isfinite(labels), np.isfinite(truth)
    if min((labels[known] > 0).sum(), (labels[known] == 0).sum()) < FEWEST:
        return None
    models = [_fit(features[known], labels[known], penalty) for penalty in PENALTIES]
    scores = [auroc(truth[checked, None], m.decision_function(chosen[checked])[:, None])[0] for m in models]
    return models[int(np.nanargmax(scores))] if np.isfinite(scores).any() else models[0]


def _fit(features: Floats, labels: Array, penalty: float) -> Pipeline:
    regression = LogisticRegression(C=penalty, max_iter=300)
    return make_pipeline(StandardScaler(), regression).fit(features, labels)
