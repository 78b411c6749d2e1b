"""The second training of a segmenter, which unlearns false lesions, and how lesions are counted."""

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from models.gtgm.finetune import __main__ as command  # noqa: E402
from models.gtgm.finetune import mistakes, operating  # noqa: E402
from models.gtgm.finetune.examples import IGNORED, Crops, Example  # noqa: E402
from models.gtgm.finetune.heads import load_segmenter, new_segmenter  # noqa: E402
from models.gtgm.finetune.instances import affinities_of  # noqa: E402
from models.gtgm.finetune.lesions import LesionCounts, lesion_counts, without_small  # noqa: E402
from models.gtgm.finetune.losses import class_loss, hardest_loss  # noqa: E402
from models.gtgm.finetune.mistakes import kept_mistakes, mistaken_places  # noqa: E402
from models.gtgm.finetune.operating import set_affinities_point, set_operating_points  # noqa: E402
from models.gtgm.finetune.phantoms import EFFUSION, NODULE  # noqa: E402
from models.gtgm.finetune.preset import load_segmenter_preset  # noqa: E402
from models.gtgm.judged import outlined, steps_taken  # noqa: E402
from models.gtgm.networks import EncoderShape  # noqa: E402
from models.gtgm.volume import Modality  # noqa: E402
from pacs_agent.inference.segment import Windows  # noqa: E402

pytestmark = pytest.mark.train
TINY = EncoderShape(channels=(4, 8), blocks=(1, 1))
WINDOWS = Windows((8, 8, 8), 0.0)


def rare(count: int = 10) -> torch.Tensor:
    labels = torch.zeros(1, 10, 10, 10, dtype=torch.uint8)
    labels.view(-1)[:count] = 1
    return labels


def test_what_is_there_in_a_hundredth_is_named_by_the_first_loss_and_not_by_the_second():
    """A network that gives every voxel a fifth: the first loss wants more, the second less."""
    wanted = {}
    for loss in (class_loss, hardest_loss):
        bias = torch.tensor([0.8, 0.2]).log().requires_grad_()
        loss(bias.view(1, 2, 1, 1, 1).expand(1, 2, 10, 10, 10), rare()).backward()
        wanted[loss] = -float(bias.grad[1])
    assert wanted[class_loss] > 0.0 > wanted[hardest_loss]


def test_the_second_loss_is_least_where_everything_is_right_and_takes_nothing_from_the_unknown():
    labels = rare()
    right = torch.stack([1.0 - labels.float(), labels.float()], 1) * 20.0 - 10.0
    assert hardest_loss(right, labels) < 0.01 < hardest_loss(torch.zeros_like(right), labels)
    labels[:, 5:] = IGNORED
    logits = torch.randn_like(right).requires_grad_()
    hardest_loss(logits, labels).backward()
    assert not logits.grad[:, :, 5:].any()
    assert logits.grad[:, :, :5].any()
    assert torch.isfinite(hardest_loss(logits, torch.full_like(labels, IGNORED)))


def test_a_structure_that_a_batch_lacks_has_no_part_in_dice():
    labels = torch.zeros(1, 4, 4, 4, dtype=torch.uint8)
    sure = torch.tensor([30.0, 0.0]).view(1, 2, 1, 1, 1).expand(1, 2, 4, 4, 4)
    assert float(hardest_loss(sure, labels)) == pytest.approx(0.0, abs=1e-6)


def test_every_false_lesion_is_one_mistake_and_those_that_touch_a_true_one_are_none():
    found, truth = np.zeros((2, 12, 12, 12), np.uint8)
    truth[1:3, 1, 1] = 2
    found[2:5, 1, 1] = 2
    found[8:10, 8:10, 8:10] = 2
    found[5, 11, 11] = 1
    truth[11, 0, 0] = IGNORED
    found[11, 0, :2] = 1
    places = [np.unravel_index(at, found.shape) for at in mistaken_places(found, truth, (1, 2))]
    assert [tuple(map(int, at)) for at in places] == [(5, 11, 11), (8, 8, 8)]
    assert not len(mistaken_places(truth, truth, (1, 2)))


def test_crops_show_mistakes_often():
    labels = np.zeros((24, 24, 24), np.uint8)
    example = Example(np.zeros(labels.shape, np.float32), labels, Modality.CT)
    example.values[20, 20, 20] = 4000.0
    place = (np.array([np.ravel_multi_index((20, 20, 20), labels.shape)]),)

    def seen(mistaken: tuple[np.ndarray, ...]) -> int:
        crops = Crops([example], (8, 8, 8), 1, 0, mistaken)
        return sum(float(crops.at(step)[0].max()) > 3000.0 for step in range(60))

    assert seen(place) > 12 + seen(())


def test_mistakes_are_looked_for_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    answers = iter((np.array([[[0, 1, 0, 1]]], np.uint8), np.zeros((1, 1, 4), np.uint8)))
    monkeypatch.setattr(mistakes, "predicted", lambda *_: next(answers))
    blank = Example(np.zeros((1, 1, 4), np.float32), np.zeros((1, 1, 4), np.uint8), Modality.CT)
    network = new_segmenter(TINY, 2)
    for _ in range(2):
        places = kept_mistakes(network, [blank, blank], WINDOWS, (1,), tmp_path / "new" / "mistakes.npz")
        assert [of.tolist() for of in places] == [[1, 3], []]


def test_a_lesion_is_named_from_where_whole_volumes_say_so(monkeypatch: pytest.MonkeyPatch):
    labels = np.zeros((4, 4, 4), np.uint8)
    labels[0] = 2
    labels[3, 3, 3] = IGNORED
    shares = np.where(labels == 2, 0.4, 0.1).astype(np.float16)
    shares = np.stack([0.9 - shares, np.full_like(shares, 0.1), shares])
    monkeypatch.setattr(operating, "probabilities", lambda *_: shares)
    network = new_segmenter(TINY, 3)
    before = network.last.bias.detach().clone()
    example = Example(np.zeros(labels.shape, np.float32), labels, Modality.CT)
    assert set_operating_points(network, [example], WINDOWS, (1, 2)) == {1: 0.0, 2: 0.5}
    assert (network.last.bias - before).tolist() == pytest.approx([0.0, 0.0, 0.5])


def test_seeds_begin_where_the_labelled_instances_say_so(monkeypatch: pytest.MonkeyPatch):
    labels = np.ones((8, 8, 20), np.uint32)
    labels[:, :, 10:] = 2
    sure = affinities_of(labels).clip(0, 1)
    shares = np.where(sure > 0, 0.8, 0.2).astype(np.float16)
    monkeypatch.setattr(operating, "affinities", lambda *_: shares)
    network = new_segmenter(TINY, 3, output="affinities")
    before = network.last.bias.detach().clone()
    example = Example(np.zeros(labels.shape, np.float32), labels, Modality.EM)
    assert set_affinities_point(network, [example], WINDOWS) == 0.5
    assert (network.last.bias - before).tolist() == pytest.approx([0.5] * 3)
    with pytest.raises(ValueError, match="labelled"):
        set_affinities_point(network, [Example(example.values, labels * 0, Modality.EM)], WINDOWS)


def test_lesions_are_counted_one_by_one():
    truth, found = np.zeros((2, 9, 9, 9), bool)
    truth[0:2, 0:2, 0:2] = truth[4, 4, 4] = truth[7:9, 7:9, 7:9] = True
    found[1:3, 1, 1] = found[4, 4, 5] = found[8, 0, 0] = found[4, 4, 4] = True
    assert lesion_counts(found, truth, 4.0) == LesionCounts(there=2, found=1, false=1)
    assert lesion_counts(found & False, truth & False, 4.0) == LesionCounts(0, 0, 0)


def test_what_is_too_small_is_left_out_structure_by_structure():
    found = np.zeros((5, 5, 5), np.uint8)
    found[0, 0, :2] = found[4, 4, :3] = 1
    found[2, 2, 2] = 2
    kept = without_small(found, {1: 3.0})
    assert (kept == 1).sum() == 3
    assert kept[2, 2, 2] == 2


def test_an_effusion_that_is_not_there_is_seen_and_no_dice_of_nothing():
    truth, found = np.zeros((2, 10, 10, 10), np.uint8)
    truth[2:5, 2:5, 2:5] = found[2:5, 2:5, 2:5] = NODULE
    found[8, 8, :4], found[0, 0, 0] = EFFUSION, NODULE
    effusion, nodule = outlined(found, truth, (10.0, 10.0, 10.0), {EFFUSION: 2.0, NODULE: 3.0})
    assert (effusion.there, effusion.found, effusion.counts.false) == (False, True, 1)
    assert (nodule.agreement.dice, nodule.counts) == (1.0, LesionCounts(1, 1, 0))


def test_both_trainings_and_a_start_from_the_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    rng = np.random.default_rng(0)
    values, labels = rng.integers(-900, 300, (2, 20, 20, 20)), rng.integers(0, 6, (2, 20, 20, 20))
    noise = [
        Example(hu.astype(np.int16), of.astype(np.uint8), Modality.CT) for hu, of in zip(values, labels, strict=True)
    ]
    for split in ("training_examples", "validation_examples"):
        monkeypatch.setattr(command, split, lambda *_: noise)
    preset = load_segmenter_preset("tiny")
    written = command.train(preset, None, None, tmp_path / "cache", tmp_path / "both")
    assert (written.parent / "refined" / "finetune-checkpoint.pt").is_file()
    _, account = load_segmenter(written)
    assert set(account["offsets"]) == {"pleural effusion", "nodule or mass"}
    assert account["preset"]["refining"]["loss"] == "hardest"
    again = command.train(preset, None, written, tmp_path / "cache", tmp_path / "refined")
    assert not (again.parent / "finetune-checkpoint.pt").exists()
    assert load_segmenter(again)[1]["encoder"] == account["encoder"] == command.RANDOM


def test_the_steps_of_all_trainings_count():
    """The second started from the first's segmenter, the third from the second's: neither trained it anew."""
    preset = load_segmenter_preset("thorax-demo")
    first = {"preset": preset.model_dump(mode="json"), "volumes": 144}
    third = first | {"started_from": first | {"started_from": first}}
    assert steps_taken(first) == preset.steps
    assert steps_taken(third) == preset.steps + 2 * preset.refining.steps
