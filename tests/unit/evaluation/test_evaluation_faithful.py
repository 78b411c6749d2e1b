from types import SimpleNamespace

import numpy as np
import pytest
import torch
from held_out_study import NODULE, SLICES, WIDTH
from torch import nn

from models.evaluation.faithful import _areas, _rank_correlation, randomised
from models.evaluation.outcomes import axial
from models.phantoms.findings import FINDINGS
from pacs_agent.inference.manifest import FindingEntry


class _LastSlice:
    """A reader whose nodule logit is the first number of the last slice."""

    name = "study_reader"

    def run(self, inputs):
        logits = np.zeros((len(inputs["tokens"]), len(FINDINGS)), np.float32)
        logits[:, NODULE] = inputs["tokens"][:, -1, 0]
        return {"finding_logits": logits}


def speaker() -> SimpleNamespace:
    entry = FindingEntry.model_construct(scale=1.0, bias=0.0)
    return SimpleNamespace(reader=_LastSlice(), manifest=SimpleNamespace(findings=[entry] * len(FINDINGS)))


def test_deleting_what_the_model_rests_on_first_lowers_the_area_most():
    tokens = np.zeros((SLICES, WIDTH), np.float32)
    tokens[-1, 0] = 8.0
    study, blank = axial(tokens, np.arange(SLICES, dtype=np.float32)), np.full(WIDTH, -8.0, np.float32)
    right, wrong = np.arange(SLICES, dtype=np.float32), -np.arange(SLICES, dtype=np.float32)
    good, bad = (_areas(speaker(), study, NODULE, weights, blank) for weights in (right, wrong))
    assert good[0] < 0.3 < 0.7 < bad[0]
    assert good[1] > 0.7 > 0.3 > bad[1]


def test_random_weights_keep_their_spread_and_nothing_else():
    trained, fresh = nn.Linear(40, 40), nn.Linear(40, 40)
    before = trained.weight.clone()
    random = randomised(trained, fresh, seed=3)
    assert torch.equal(trained.weight, before)
    assert random.weight.std().item() == pytest.approx(before.std().item(), rel=0.1)
    assert abs(torch.corrcoef(torch.stack([before.flatten(), random.weight.flatten()]))[0, 1].item()) < 0.1


def test_rank_correlation():
    rising = np.arange(5, dtype=np.float32)
    assert _rank_correlation(rising, rising**3) == pytest.approx(1.0)
    assert _rank_correlation(rising, np.zeros(5, np.float32)) == 0.0
