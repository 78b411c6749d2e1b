"""The whole chain on phantoms: facts, text, views, both losses."""

import json

import pytest

torch = pytest.importorskip("torch")

from models.gtgm.pretrain.network import GtgmNetwork  # noqa: E402
from models.gtgm.pretrain.prepare import prepared_volumes  # noqa: E402
from models.gtgm.pretrain.preset import GtgmPreset  # noqa: E402
from models.gtgm.pretrain.sources import Phantoms  # noqa: E402
from models.gtgm.pretrain.training import PretrainingRun, found_share, train  # noqa: E402
from models.gtgm.volume import Modality  # noqa: E402

pytestmark = [pytest.mark.train, pytest.mark.slow]

PHANTOMS, STEPS = 16, 160
SPACING = {Modality.CT: (8.0, 8.0, 8.0)}
PRESET = GtgmPreset.model_validate(
    {
        "name": "phantoms",
        "seed": 1,
        "checkpoint_every": STEPS,
        "embedding_width": 32,
        "encoder": {"channels": (8, 16, 32), "blocks": (1, 1, 1)},
        "text": {"channels": 32, "heads": 4, "layers": 1},
        "queue": {"size": 0},
        "views": {"spacing_mm": SPACING, "crop_voxels": (32, 40, 40), "overlap": 0.5},
        "data": {},
        "training": {"steps": STEPS, "batch": 8, "rate": 2e-3},
    }
)


@pytest.mark.timeout(900)
def test_the_loss_falls_and_text_finds_its_volume(tmp_path):
    volumes = prepared_volumes([Phantoms(PHANTOMS, 5_200_000)], SPACING, tmp_path / "cache")
    run = PretrainingRun(PRESET, tmp_path / "cache", tmp_path)
    run.folder.mkdir()
    train(run, volumes)
    losses = [json.loads(line)["loss"] for line in (run.folder / "pretrain.jsonl").read_text().splitlines()]
    assert sum(losses[-10:]) < 0.8 * sum(losses[:10])
    network = GtgmNetwork(PRESET)
    network.load_state_dict(torch.load(run.folder / "pretrain-checkpoint.pt", weights_only=True)["learned"])
    assert found_share(network, volumes) >= 4.0 / PHANTOMS, "chance is 1 of 16"
