import logging
from dataclasses import dataclass

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from models.datasets.nifti_pairs import VolumeFault  # noqa: E402
from models.gtgm.networks import EncoderShape, load_encoder, new_encoder  # noqa: E402
from models.gtgm.pretrain import prepare  # noqa: E402
from models.gtgm.pretrain.batches import BatchTooLarge, ViewBatches, view_batches  # noqa: E402
from models.gtgm.pretrain.network import GtgmNetwork, LossNotFinite  # noqa: E402
from models.gtgm.pretrain.prepare import NoVolumes, held_out, prepared_volumes  # noqa: E402
from models.gtgm.pretrain.preset import PRESETS, GtgmPreset, load_gtgm_preset  # noqa: E402
from models.gtgm.pretrain.training import OtherRun, PretrainingRun, found_share, train  # noqa: E402
from models.gtgm.volume import Modality, Volume  # noqa: E402

pytestmark = pytest.mark.train

SPACING = {Modality.CT: (2.0, 2.0, 2.0), Modality.EM: (1e-5,) * 3}
SETTINGS = {
    "name": "tiny",
    "seed": 3,
    "embedding_width": 16,
    "encoder": {"channels": (4, 8), "blocks": (1, 1)},
    "text": {"channels": 8, "heads": 2, "layers": 1},
    "queue": {"size": 6, "warm_up_steps": 1},
    "views": {"spacing_mm": SPACING, "crop_voxels": (16, 16, 16)},
    "data": {"held_out": 2},
    "training": {"steps": 4, "batch": 4, "rate": 1e-3},
}


def preset(**changes):
    return GtgmPreset.model_validate(SETTINGS | changes)


@dataclass(frozen=True)
class Balls:
    """Stand-in volumes: a ball in air, of another size in each; every third of them cannot be read if wanted."""

    count: int
    modality: Modality = Modality.CT
    broken: bool = False
    name: str = "balls"

    def __len__(self):
        return self.count

    def volume(self, index):
        if self.broken and index % 3 == 0:
            raise VolumeFault(f"ball {index} is broken")
        grid = np.stack(np.meshgrid(*(np.arange(24.0) - 11.5,) * 3, indexing="ij"))
        inside = np.linalg.norm(grid, axis=0) < 4.0 + 0.4 * index
        values = np.where(inside, 40.0, -1000.0).astype(np.float32)
        patient = f"ball-{index // 2}"
        spacing = SPACING[self.modality]
        return Volume(values, spacing, self.modality, "", patient, f"ball-{index}", self.name)


@pytest.fixture(autouse=True)
def stand_in_text(monkeypatch):
    def writings(volume, seed):
        count = int((volume.values > 0).sum())
        return tuple((f"The ball has {count} voxels.", f"It is number {n}.") for n in range(2))

    monkeypatch.setattr(prepare, "writings_of", writings)


@pytest.fixture
def volumes(tmp_path):
    return prepared_volumes([Balls(10)], SPACING, tmp_path / "cache")


def test_volumes_are_prepared_once(tmp_path, volumes, monkeypatch):
    monkeypatch.setattr(prepare, "_prepare", pytest.fail)
    again = prepared_volumes([Balls(10)], SPACING, tmp_path / "cache")
    assert again == volumes
    assert again[0].values().dtype == np.int16 and again[0].values().min() == -1000
    assert again[9].file_name == "balls ball 9"


def test_what_cannot_be_read_is_named_and_left_out(tmp_path, caplog):
    with caplog.at_level(logging.WARNING):
        found = prepared_volumes([Balls(4, broken=True)], SPACING, tmp_path)
    assert len(found) == 2 and "ball 3 is broken" in caplog.text
    with pytest.raises(NoVolumes, match="--phantoms"):
        prepared_volumes([Balls(1, broken=True)], SPACING, tmp_path)


def test_no_patient_is_learned_from_and_held_out(volumes):
    learning, aside = held_out(volumes, 3)
    assert len(aside) == 3 and len(learning) == 6
    assert not {v.patient for v in learning} & {v.patient for v in aside}


def test_a_batch_depends_on_seed_and_step_alone(volumes):
    one, again, other = (ViewBatches(volumes, preset(seed=seed)) for seed in (3, 3, 4))
    later = [batch.values for batch in view_batches(one, range(2, 4), workers=0)]
    assert torch.equal(later[1], again[3].values)
    assert not torch.equal(one[0].values, other[0].values)
    assert one[0].values.shape == (2, 4, 1, 16, 16, 16)
    assert one[0].channels(torch.device("cpu")).shape == (8, 3, 16, 16, 16)


def test_two_processes_see_what_one_would_have_seen(volumes, monkeypatch):
    whole = ViewBatches(volumes, preset())[1]
    monkeypatch.setattr("models.gtgm.pretrain.batches.world_size", lambda: 2)
    parts = []
    for number in range(2):
        monkeypatch.setattr("models.gtgm.pretrain.batches.rank", lambda number=number: number)
        parts.append(ViewBatches(volumes, preset())[1])
    assert torch.equal(torch.cat([part.values for part in parts], dim=1), whole.values)
    assert parts[0].texts + parts[1].texts == whole.texts
    assert torch.cat([part.numbers for part in parts]).tolist() == whole.numbers.tolist()


def test_a_batch_is_of_one_modality(tmp_path):
    both = prepared_volumes([Balls(5), Balls(5, Modality.EM)], SPACING, tmp_path)
    batches = ViewBatches(both, preset())
    kinds = [{both[number].modality for number in batches[step].numbers.tolist()} for step in range(12)]
    assert all(len(kind) == 1 for kind in kinds) and len(set().union(*kinds)) == 2


def test_more_volumes_than_there_are_cannot_be_a_batch(volumes):
    with pytest.raises(BatchTooLarge, match="smaller batch"):
        ViewBatches(volumes[:3], preset())


@pytest.mark.parametrize("loss", ["both", "contrastive", "correlation"])
@pytest.mark.parametrize("batch", [2, 4])
def test_each_loss_gives_finite_gradients_to_what_it_trains(volumes, loss, batch):
    settings = preset(loss=loss, training={"steps": 4, "batch": batch, "rate": 1e-3})
    network = GtgmNetwork(settings)
    for step in range(3):  # the third with a warm queue
        network.zero_grad()
        network(ViewBatches(volumes, settings)[step]).backward()
    trained = {name.split(".")[0] for name, p in network.named_parameters() if p.grad is not None}
    expected = {"encoder", "volume_head"} | ({"text", "text_head"} if loss != "correlation" else set())
    assert trained == expected
    assert all(torch.isfinite(p.grad).all() for p in network.parameters() if p.grad is not None)
    assert set(network.parts) == ({"correlation"} if loss == "correlation" else {"found", loss} - {"both"}) | (
        {"contrastive", "correlation"} if loss == "both" else set()
    )


def test_the_loss_is_that_of_its_terms(volumes):
    network = GtgmNetwork(preset())
    loss = network(ViewBatches(volumes, preset())[0])
    assert loss.item() == pytest.approx(network.parts["contrastive"] + network.parts["correlation"], rel=1e-5)


def test_a_loss_that_is_not_finite_stops_the_run(volumes):
    network = GtgmNetwork(preset())
    with torch.no_grad():
        network.volume_head[-1].bias.fill_(torch.inf)
    with pytest.raises(LossNotFinite, match="lower the rate"):
        network(ViewBatches(volumes, preset())[0])


def test_a_run_leaves_an_encoder_curves_and_its_account(tmp_path, volumes):
    run = PretrainingRun(preset(), tmp_path / "cache", tmp_path / "out")
    run.folder.mkdir(parents=True)
    train(run, volumes)
    shape, state, trained = load_encoder(run.encoder)
    assert shape == EncoderShape(channels=(4, 8), blocks=(1, 1))
    new_encoder(shape).load_state_dict(state)
    assert trained["volumes"] == 8 and trained["held_out"] == 2 and trained["held_out_chance"] == 0.5
    assert GtgmPreset.model_validate(trained["preset"]) == run.preset
    assert (run.folder / "pretrain.png").is_file() and (run.folder / "pretrain.jsonl").is_file()


def test_a_run_that_was_cut_goes_on_as_if_it_had_not_been(tmp_path, volumes, monkeypatch):
    def run_of(name):
        run = PretrainingRun(preset(checkpoint_every=1), tmp_path / "cache", tmp_path / name)
        run.folder.mkdir(parents=True, exist_ok=True)
        return run

    train(run_of("whole"), volumes)
    push, calls = GtgmNetwork.forward, []

    def cut(self, batch):
        calls.append(batch)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return push(self, batch)

    monkeypatch.setattr(GtgmNetwork, "forward", cut)
    with pytest.raises(KeyboardInterrupt):
        train(run_of("cut"), volumes)
    monkeypatch.undo()
    train(run_of("cut"), volumes)
    whole, again = (load_encoder(run_of(name).encoder)[1] for name in ("whole", "cut"))
    assert all(torch.equal(whole[name], again[name]) for name in whole)


def test_the_folder_of_another_run_is_not_taken_over(tmp_path):
    PretrainingRun(preset(), tmp_path, tmp_path)._claim()
    PretrainingRun(preset(workers=3), tmp_path, tmp_path)._claim()
    with pytest.raises(OtherRun, match="--fresh"):
        PretrainingRun(preset(seed=4), tmp_path, tmp_path)._claim()


def test_untrained_text_finds_its_volume_by_chance(volumes):
    torch.manual_seed(0)
    assert 0.0 <= found_share(GtgmNetwork(preset()), volumes) <= 0.6


@pytest.mark.parametrize("name", sorted(path.stem for path in PRESETS.glob("*.yaml")))
def test_presets_are_whole(name):
    found = load_gtgm_preset(name)
    stride = (2 if found.encoder.kind == "swin_unetr" else 1) * 2 ** (len(found.encoder.channels) - 1)
    assert all(side % stride == 0 for side in found.views.crop_voxels)
    assert not found.training.batch % found.processes
