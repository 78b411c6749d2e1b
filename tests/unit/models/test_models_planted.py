"""Nodules planted into training slices lie in the lung, are marked where they are, and claim nothing unknown."""

import pytest

torch = pytest.importorskip("torch")

from models.datasets.slices import SliceBatch  # noqa: E402
from models.msvlm.planted import plant  # noqa: E402
from models.phantoms.findings import FINDINGS, Finding  # noqa: E402

pytestmark = pytest.mark.train
NODULE = FINDINGS.index(Finding.LUNG_NODULE)
PIXEL_MM = 1.4
LUNG = slice(40, 120), slice(30, 200)


def made_batch(n=64, known=True):
    """Slices of soft tissue around one lung, in air."""
    hu = torch.full((n, 160, 224), -1000.0)
    hu[:, 20:140, 10:220] = 40.0
    hu[:, *LUNG] = -860.0
    located = torch.full((n, len(FINDINGS)), known)
    return SliceBatch(hu, torch.zeros(n, len(FINDINGS), 20, 28), torch.zeros(n, len(FINDINGS)), located)


def planted(batch, seed=0):
    return plant(batch, PIXEL_MM, torch.Generator().manual_seed(seed))


def test_some_slices_get_nodules_and_only_in_the_lung():
    before = made_batch()
    after = planted(before)
    changed = (after.hu - before.hu).abs() > 1.0
    share = changed.flatten(1).any(1).float().mean().item()
    assert 0.2 < share < 0.6
    assert not changed[:, :36].any()
    assert not changed[:, 124:].any()


def test_targets_are_raised_where_a_nodule_is_and_nowhere_else():
    before = made_batch()
    after = planted(before)
    changed = (after.hu - before.hu) > 200.0
    by_patch = torch.nn.functional.max_pool2d(changed.float()[:, None], 8)[:, 0]
    marked = after.patches[:, NODULE]
    assert (marked > 0).any()
    assert ((marked > 0) <= (by_patch > 0)).all()
    assert ((after.slices[:, NODULE] > 0) == (marked.flatten(1) > 0).any(1)).all()
    others = [index for index in range(len(FINDINGS)) if index != NODULE]
    assert not after.patches[:, others].any()
    assert not after.slices[:, others].any()


def test_nothing_is_planted_where_nodules_are_not_known():
    before = made_batch(known=False)
    assert torch.equal(planted(before).hu, before.hu)


def test_without_a_lung_nothing_is_planted():
    before = made_batch()
    before.hu[:] = 40.0
    assert torch.equal(planted(before).hu, before.hu)


def test_the_stored_batch_stays_as_it_is():
    before = made_batch()
    kept = before.hu.clone()
    planted(before)
    assert torch.equal(before.hu, kept)
    assert not before.patches.any()


def test_the_same_seed_plants_the_same():
    assert torch.equal(planted(made_batch(), 3).hu, planted(made_batch(), 3).hu)
    assert not torch.equal(planted(made_batch(), 3).hu, planted(made_batch(), 4).hu)
