import numpy as np
import pytest

torch = pytest.importorskip("torch")

from models.gtgm.pretrain.losses import (  # noqa: E402
    cross_correlation_loss,
    info_nce,
    retrieval,
    standardised,
)
from models.gtgm.pretrain.queue import EmbeddingQueue  # noqa: E402

pytestmark = pytest.mark.train


def unit(rows):
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def reference_info_nce(volumes, texts):
    """Written out sample by sample, as in the paper."""
    v, t, loss = unit(volumes), unit(texts), 0.0
    for asked, answers in ((v, t), (t, v)):
        for i in range(len(asked)):
            scores = np.exp(asked[i] @ answers.T / 0.07)
            loss -= np.log(scores[i] / scores.sum()) / len(asked)
    return loss


def reference_correlation(first, second):
    n, d = first.shape
    a, b = ((x - x.mean(0)) / x.std(0) for x in (first, second))
    loss = 0.0
    for i in range(d):
        for j in range(d):
            c = sum(a[k, i] * b[k, j] for k in range(n)) / n
            loss += (c - 1.0) ** 2 if i == j else 0.0051 * c**2
    return 0.5 * loss


def drawn(seed, n=6, d=5):
    return np.random.default_rng(seed).normal(size=(n, d))


@pytest.mark.parametrize("n", [2, 3, 8])
def test_losses_are_those_of_the_paper(n):
    first, second = drawn(0, n), drawn(1, n)
    a, b = torch.from_numpy(first), torch.from_numpy(second)
    assert info_nce(a, b).item() == pytest.approx(reference_info_nce(first, second), rel=1e-9)
    assert cross_correlation_loss(a, b).item() == pytest.approx(reference_correlation(first, second), rel=1e-3)


def test_a_queue_adds_negatives_to_each_direction():
    v, t, old_v, old_t = (torch.from_numpy(drawn(seed)) for seed in range(4))
    loss = info_nce(v, t, earlier_volumes=old_v, earlier_texts=old_t).item()
    nv, nt, qv, qt = (unit(x.numpy()) for x in (v, t, old_v, old_t))
    expected = 0.0
    for asked, answers in ((nv, np.vstack([nt, qt])), (nt, np.vstack([nv, qv]))):
        scores = np.exp(asked @ answers.T / 0.07)
        expected -= np.log(scores[np.arange(6), np.arange(6)] / scores.sum(1)).mean()
    assert loss == pytest.approx(expected, rel=1e-9)


def test_other_texts_of_the_same_volume_are_no_negatives():
    v, t = torch.from_numpy(drawn(0)), torch.from_numpy(drawn(1))
    same = torch.ones(6, 6, dtype=torch.bool)
    everywhere = torch.ones(6, 6, dtype=torch.bool)
    assert info_nce(v, t, same, v, t, everywhere).item() == pytest.approx(0.0, abs=1e-12)
    assert info_nce(v, t, torch.eye(6, dtype=torch.bool)).item() == pytest.approx(info_nce(v, t).item())


def test_the_loss_is_low_where_pairs_agree_and_high_where_they_are_swapped():
    v = torch.eye(4)
    assert info_nce(v, v).item() < 1e-4 < info_nce(v, v.roll(1, 0)).item()
    assert retrieval(v, v).item() == 1.0 and retrieval(v, v.roll(1, 0)).item() == 0.0


@pytest.mark.parametrize("constant", ["one feature", "all features", "batch of one"])
def test_constant_features_give_finite_losses_and_gradients(constant):
    first = torch.randn(4, 3, generator=torch.Generator().manual_seed(0), requires_grad=True)
    shown = {
        "one feature": first * torch.tensor([1.0, 1.0, 0.0]) + 5.0,
        "all features": first * 0.0 + 5.0,
        "batch of one": first[:1],
    }[constant]
    loss = cross_correlation_loss(shown, shown * 2.0)
    loss.backward()
    assert torch.isfinite(loss) and torch.isfinite(first.grad).all()
    expected = {"one feature": 0.5, "all features": 1.5, "batch of one": 1.5}[constant]
    assert loss.item() == pytest.approx(expected, abs=0.05)


def test_a_batch_of_two_has_gradients():
    first = torch.randn(2, 4, generator=torch.Generator().manual_seed(0), requires_grad=True)
    (cross_correlation_loss(first, first.roll(1, 1)) + info_nce(first, first.flip(1))).backward()
    assert torch.isfinite(first.grad).all() and first.grad.abs().sum() > 0


def test_standardising_takes_scale_and_offset_away():
    x = torch.from_numpy(drawn(3, 50))
    assert torch.allclose(standardised(x), standardised(100.0 * x + 7.0), atol=1e-4)


def test_the_queue_gives_nothing_until_it_is_warm_and_forgets_the_oldest():
    queue = EmbeddingQueue(size=5, width=2, warm_up=2)
    for step in range(3):
        held = queue.earlier()
        assert len(held.volumes) == (0 if step < 2 else 4)
        queue.push(torch.full((2, 2), float(step)), torch.full((2, 2), -float(step)), torch.tensor([2, 3]) + 2 * step)
    assert queue.earlier().numbers.tolist() == [6, 7, 4, 5, 2]
    assert queue.earlier().volumes[:, 0].tolist() == [2.0, 2.0, 1.0, 1.0, 0.0]


def test_the_queue_survives_a_checkpoint():
    queue, again = (EmbeddingQueue(4, 2, 0) for _ in range(2))
    queue.push(torch.ones(3, 2), torch.zeros(3, 2), torch.tensor([1, 2, 3]))
    again.load_state_dict(queue.state_dict())
    assert again.earlier().numbers.tolist() == [1, 2, 3]
