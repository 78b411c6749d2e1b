"""Two processes with half a batch each must move the weights as one process with the whole batch."""

import pytest

torch = pytest.importorskip("torch")

from models.gtgm.pretrain.gather import gathered  # noqa: E402
from models.gtgm.pretrain.losses import cross_correlation_loss, info_nce  # noqa: E402
from models.msvlm.distributed import average, in_processes, rank, world_size  # noqa: E402

pytestmark = pytest.mark.train


def gradient_of(folder, count):
    """Writes the gradient that the loss of 8 rows, shared by `count` processes, gives a linear layer."""
    torch.manual_seed(0)
    layer, rows, texts = torch.nn.Linear(6, 5), torch.randn(16, 6), torch.randn(8, 5)
    share = slice(rank() * 8 // count, (rank() + 1) * 8 // count)
    first, second = (gathered(layer(part[share])) for part in rows.chunk(2))
    text = gathered(texts[share])
    loss = info_nce(first, text) + info_nce(second, text) + 0.01 * cross_correlation_loss(first, second)
    loss.backward()
    average([p.grad for p in layer.parameters()])
    if rank() == 0:
        torch.save([p.grad for p in layer.parameters()], folder / f"{world_size()}.pt")


@pytest.mark.slow
def test_gathering_gives_the_gradient_of_the_whole_batch(tmp_path):
    gradient_of(tmp_path, 1)
    in_processes(gradient_of, (tmp_path, 2), 2, tmp_path / "meeting")
    alone, together = (torch.load(tmp_path / f"{count}.pt", weights_only=True) for count in (1, 2))
    assert all(torch.allclose(a, b, rtol=1e-4, atol=1e-7) for a, b in zip(alone, together, strict=True))


def test_a_single_process_gathers_nothing():
    rows = torch.ones(2, 3)
    assert gathered(rows) is rows
