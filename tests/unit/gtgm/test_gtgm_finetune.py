"""Fine-tuning end to end on small volumes."""

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from models.datasets.cremi import InstanceVolume  # noqa: E402
from models.gtgm.finetune.examples import IGNORED, Crops, Example  # noqa: E402
from models.gtgm.finetune.fit import FitSettings, LossNotFinite, fit, loss_at  # noqa: E402
from models.gtgm.finetune.heads import EncoderMismatch, from_checkpoint, load_segmenter, new_segmenter, save_segmenter  # noqa: E402
from models.gtgm.finetune.losses import affinity_loss, class_loss  # noqa: E402
from models.gtgm.finetune.metrics import dice  # noqa: E402
from models.gtgm.finetune.predict import as_function, predicted  # noqa: E402
from models.gtgm.finetune.preset import PRESETS, UnknownSegmenterPreset, load_segmenter_preset  # noqa: E402
from models.gtgm.networks import EncoderShape, new_encoder, save_encoder  # noqa: E402
from models.gtgm.volume import LabelledVolume, Modality  # noqa: E402
from pacs_agent.inference.segment import Windows  # noqa: E402

pytestmark = pytest.mark.train
TINY = EncoderShape(channels=(4, 8), blocks=(1, 1))
SWIN = EncoderShape(
    kind="swin_unetr", channels=(12, 24, 48, 96, 192), blocks=(1, 1, 1, 1), heads=(1, 2, 2, 2), window_voxels=2
)
SETTINGS = FitSettings(steps=90, batch=2, rate=1e-2, patch=(8, 8, 8), checkpoint_every=15)


def ball(seed: int = 0) -> LabelledVolume:
    """A bright ball in a dark noisy cube."""
    rng = np.random.default_rng(seed)
    z, y, x = np.mgrid[:16, :16, :16]
    inside = (z - 8) ** 2 + (y - 8) ** 2 + (x - 8) ** 2 < 30
    values = np.where(inside, 200.0, -800.0) + rng.normal(0.0, 20.0, inside.shape)
    names = ("background", "ball")
    return LabelledVolume(
        values=values.astype(np.float32), spacing_mm=(1.0,) * 3, modality=Modality.CT, patient="P",
        labels=inside.astype(np.uint8), names=names,
    )  # fmt: skip


@pytest.mark.parametrize("shape", [TINY, SWIN], ids=["res_unet", "swin_unetr"])
def test_every_head_gives_one_logit_per_class_and_voxel(shape: EncoderShape):
    network = new_segmenter(shape, 3)
    side = network.stride
    with torch.no_grad():
        logits = network(torch.zeros(2, 1, side, side, side))
        shares = network.probabilities(torch.zeros(1, 1, side, side, side)).sum(1)
    assert logits.shape == (2, 3, side, side, side)
    assert torch.allclose(shares, torch.ones_like(shares))


def test_a_segmenter_learns_a_ball_and_finds_it_by_the_agents_functions(tmp_path: Path):
    torch.manual_seed(0)
    example = Example.of(ball())
    network = fit(new_segmenter(TINY, 2), [example], SETTINGS, tmp_path)
    found = predicted(network, Example.of(ball(1)), Windows((8, 8, 8), 0.5))
    assert dice(found == 1, ball().labels == 1) > 0.9
    assert (tmp_path / "finetune.png").is_file()


def test_on_a_cpu_a_network_segments_in_the_precision_it_learned_in():
    network = new_segmenter(EncoderShape(channels=(4, 8), blocks=(1, 1)), 2).eval()
    patches = np.random.default_rng(1).normal(0.0, 300.0, (1, 1, 8, 8, 8)).astype(np.float32)
    with torch.inference_mode():
        expected = network.probabilities(torch.from_numpy(patches)).numpy()
    np.testing.assert_allclose(as_function(network)(patches), expected, atol=1e-6)


def test_a_run_that_was_cut_goes_on_as_if_it_had_not_been(tmp_path: Path):
    example = Example.of(ball())

    def trained(folder: str, cut: bool) -> dict[str, torch.Tensor]:
        torch.manual_seed(3)
        network = new_segmenter(TINY, 2)
        settings = SETTINGS.model_copy(update={"steps": 6, "checkpoint_every": 3})
        fit(network, [example], settings, tmp_path / folder)
        if cut:
            torch.manual_seed(4)
            network = new_segmenter(TINY, 2)
            checkpoint = tmp_path / folder / "finetune-checkpoint.pt"
            kept = torch.load(checkpoint, weights_only=True)
            assert kept["done"] == 6
            fit(network, [example], settings, tmp_path / folder)
        return network.state_dict()

    whole, resumed = trained("whole", False), trained("cut", True)
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)


def test_crops_are_the_same_for_the_same_step_and_reach_beyond_small_volumes():
    crops = Crops([Example.of(ball())], (32, 8, 8), 2, 5)
    (values, labels), (again, _) = crops.at(4), crops.at(4)
    assert torch.equal(values, again)
    assert values.shape == (2, 1, 32, 8, 8)
    assert labels.shape == (2, 32, 8, 8)
    assert not labels[:, :8].any()


def test_rare_structures_are_drawn_as_often_as_large_ones():
    volume = ball()
    volume.labels[:] = 0
    volume.labels[1, 1, 1] = 1
    crops = Crops([Example.of(volume)], (4, 4, 4), 1, 0)
    assert sum(bool(crops.at(step)[1].any()) for step in range(40)) > 10


def test_voxels_of_which_nothing_is_known_teach_nothing():
    logits = torch.randn(1, 3, 4, 4, 4, requires_grad=True)
    labels = torch.randint(0, 3, (1, 4, 4, 4), dtype=torch.uint8)
    labels[:, :2] = IGNORED
    class_loss(logits, labels).backward()
    assert not logits.grad[:, :, :2].any()
    assert logits.grad[:, :, 2:].any()
    assert torch.isfinite(class_loss(logits, torch.full_like(labels, IGNORED)))


def test_instances_are_learned_as_affinities(tmp_path: Path):
    instances = np.ones((16, 16, 16), np.uint32)
    instances[:, :, 8:] = 2
    values = np.where(np.arange(16) // 8 == 0, 10.0, 200.0) * np.ones((16, 16, 16))
    volume = InstanceVolume(
        values=values.astype(np.float32), spacing_mm=(1e-5,) * 3, modality=Modality.EM, instances=instances
    )
    example = Example.of(volume)
    values, target = Crops([example], (8, 8, 8), 1, 0).at(0)
    assert target.shape == (1, 3, 8, 8, 8)
    logits = torch.zeros(1, 3, 8, 8, 8, requires_grad=True)
    perfect = torch.where(target == 0, -9.0, 9.0)
    assert affinity_loss(perfect, target) < 0.05 < affinity_loss(logits, target)
    network = new_segmenter(TINY, 3, modality=Modality.EM, output="affinities").eval()
    assert predicted(network, example, Windows((8, 8, 8))).shape == (16, 16, 16)


def test_a_loss_that_is_not_finite_stops_the_training():
    network = new_segmenter(TINY, 2)
    values = torch.full((1, 1, 4, 4, 4), torch.nan)
    with pytest.raises(LossNotFinite, match="step 7"):
        loss_at(network, (values, torch.zeros(1, 4, 4, 4, dtype=torch.uint8)), 7, SETTINGS)


def test_patches_that_cannot_be_halved_are_refused(tmp_path: Path):
    with pytest.raises(ValueError, match="multiples of 2"):
        fit(new_segmenter(TINY, 2), [], SETTINGS.model_copy(update={"patch": (7, 8, 8)}), tmp_path)


def test_a_segmenter_starts_from_a_pretraining_checkpoint_of_its_shape(tmp_path: Path):
    encoder = new_encoder(TINY)
    save_encoder(encoder, {"steps": 1}, tmp_path / "encoder.pt")
    network = from_checkpoint(tmp_path / "encoder.pt", TINY, 2)
    for name, value in encoder.state_dict().items():
        assert torch.equal(network.encoder.state_dict()[name], value)
    with pytest.raises(EncoderMismatch, match="use the shape"):
        from_checkpoint(tmp_path / "encoder.pt", EncoderShape(channels=(4, 4), blocks=(1, 1)), 2)


def test_a_kept_segmenter_says_the_same_and_how_it_was_trained(tmp_path: Path):
    network = new_segmenter(TINY, 2).eval()
    save_segmenter(network, {"volumes": 3}, tmp_path / "deep" / "segmenter.pt")
    again, trained = load_segmenter(tmp_path / "deep" / "segmenter.pt")
    values = torch.randn(1, 1, 4, 4, 4) * 300
    assert torch.equal(network(values), again(values))
    assert trained == {"volumes": 3}


@pytest.mark.parametrize("name", [path.stem for path in PRESETS.glob("*.yaml")])
def test_presets_fit_their_networks(name: str):
    preset = load_segmenter_preset(name)
    assert not any(size % new_segmenter(preset.encoder, 2).stride for size in preset.training.patch)


def test_an_unknown_preset_is_refused_with_those_that_are_known():
    with pytest.raises(UnknownSegmenterPreset, match="thorax-demo"):
        load_segmenter_preset("nothing")


def test_a_rare_structure_weighs_as_much_as_a_frequent_one():
    """Missing one voxel of a nodule must cost more than missing one of the background."""
    labels = torch.zeros(1, 8, 8, 8, dtype=torch.uint8)
    labels[0, 4, 4, 4] = 1
    right = torch.stack([1.0 - labels.float(), labels.float()], 1) * 12.0 - 6.0
    of_nodule, of_background = right.clone(), right.clone()
    of_nodule[0, :, 4, 4, 4] *= -1.0
    of_background[0, :, 0, 0, 0] *= -1.0
    assert class_loss(of_nodule, labels) > 2.0 * class_loss(of_background, labels) > class_loss(right, labels)


def test_a_structure_that_is_not_there_is_not_driven_to_nothing():
    logits = torch.zeros(1, 3, 4, 4, 4, requires_grad=True)
    labels = torch.zeros(1, 4, 4, 4, dtype=torch.uint8)
    labels[:, :2] = 1
    class_loss(logits, labels).backward()
    of_absent, of_present = (logits.grad[:, number].abs().mean() for number in (2, 1))
    assert of_absent < of_present
