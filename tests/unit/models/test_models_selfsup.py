"""Self-supervision: which slices are neighbours, what views show, and what the losses reward."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from models.datasets.neighbours import SLAB_MM, NeighbourSampler  # noqa: E402
from models.msvlm.encoder import new_encoder  # noqa: E402
from models.msvlm.preset import load_preset  # noqa: E402
from models.msvlm.selfsup import Dino, LeJepa, sigreg  # noqa: E402
from models.msvlm.views import LOCAL_VIEWS, crop, global_views, local_views  # noqa: E402

pytestmark = pytest.mark.train


class Bank:
    """What the sampler needs of a bank: two studies with slices at these heights."""

    study = np.array([0, 0, 0, 0, 1, 1])
    z_mm = np.array([0.0, 5.0, 9.0, 40.0, 0.0, 3.0], np.float32)


def test_neighbours_are_of_the_same_study_and_slab():
    here, beside = NeighbourSampler(Bank(), isolated=False).draw(4000, np.random.default_rng(0))
    assert (Bank.study[here] == Bank.study[beside]).all()
    assert np.abs(Bank.z_mm[here] - Bank.z_mm[beside]).max() <= SLAB_MM
    pairs = set(zip(here.tolist(), beside.tolist(), strict=True))
    assert {(0, 1), (1, 2), (4, 5), (3, 3)} <= pairs and (0, 2) not in pairs


def test_isolated_views_are_of_one_slice():
    here, beside = NeighbourSampler(Bank(), isolated=True).draw(200, np.random.default_rng(0))
    assert (here == beside).all()


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def test_a_crop_of_everything_is_the_slice():
    hu = torch.randn(3, 16, 24) * 300.0
    assert torch.allclose(crop(hu, (1.0, 1.0), (16, 24), generator()), hu, atol=1e-2)


def test_a_crop_never_mirrors():
    hu = torch.linspace(-1000.0, 1000.0, 48).expand(8, 32, 48)
    part = crop(hu, (0.1, 0.9), (16, 24), generator())
    assert (part[:, :, -1] > part[:, :, 0]).all()


def test_views_have_their_sizes():
    hu = torch.full((2, 32, 48), -500.0)
    assert global_views(hu, hu, generator()).shape == (4, 32, 48)
    assert local_views(hu, hu, generator()).shape == (2 * LOCAL_VIEWS, 16, 24)


def test_a_gaussian_is_the_least_by_the_test_of_epps_and_pulley():
    gaussian = torch.randn(512, 8, generator=generator())
    values = {
        name: float(sigreg(embedding, generator(1)))
        for name, embedding in (
            ("gaussian", gaussian),
            ("collapsed", torch.zeros_like(gaussian)),
            ("wide", gaussian * 3.0),
            ("uniform", torch.rand(512, 8, generator=generator()) * 2.0 - 1.0),
        )
    }
    assert values["gaussian"] * 5.0 < min(value for name, value in values.items() if name != "gaussian"), values


def test_sigreg_equals_the_integral_written_out():
    values = torch.randn(40, 1, generator=generator()) * 1.3
    t = np.linspace(-5.0, 5.0, 17)
    empirical = np.exp(1j * values.numpy() * t).mean(0)
    wanted = 40 * np.trapezoid(np.abs(empirical - np.exp(-(t**2) / 2)) ** 2 * np.exp(-(t**2) / 2), t)
    assert float(sigreg(values, generator())) == pytest.approx(wanted, rel=1e-3)


@pytest.fixture(scope="module")
def shape():
    return load_preset("tiny").network


def views(shape):
    hu = torch.randn(4, *shape.field_px, generator=generator()) * 300.0 - 300.0
    return global_views(hu, hu, generator(1)), local_views(hu, hu, generator(2))


def test_the_teacher_follows_the_student_and_gets_no_gradient(shape):
    method = Dino(new_encoder(shape), shape.encoder_width)
    wide, narrow = views(shape)
    method(wide, narrow).backward()
    assert all(p.grad is None for p in method.teacher.parameters())
    assert method.student.encoder.to_tokens.weight.grad.abs().sum() > 0
    with torch.no_grad():
        method.student.head.prototypes += 1.0
    before = (method.teacher.head.prototypes - method.student.head.prototypes).abs().max()
    method.follow(0.0)
    assert (method.teacher.head.prototypes - method.student.head.prototypes).abs().max() < before


def test_agreement_rewards_equal_views(shape):
    method = LeJepa(new_encoder(shape), shape.encoder_width)
    wide, narrow = views(shape)
    loss = method(wide, narrow, generator())
    loss.backward()
    assert torch.isfinite(loss) and method.encoder.class_token.grad is not None


def test_an_encoder_reads_parts_of_a_slice_with_interpolated_positions(shape):
    encoder = new_encoder(shape).eval()
    rows, columns = shape.field_px
    assert encoder.class_features(torch.zeros(2, rows // 2, columns // 2)).shape == (2, shape.encoder_width)
