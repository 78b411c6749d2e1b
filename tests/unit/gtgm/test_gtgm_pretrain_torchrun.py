"""The command as it is used on several GPUs, on CPUs: two processes by torchrun, cut and taken up again."""

import json
import math
import os
import subprocess
import sys
import time
from pathlib import Path

import nibabel
import numpy as np
import pytest

torch = pytest.importorskip("torch")

from models.gtgm.networks import load_encoder  # noqa: E402
from models.gtgm.pretrain.prepare import prepared_volumes  # noqa: E402
from models.gtgm.pretrain.preset import GtgmPreset  # noqa: E402
from models.gtgm.pretrain.sources import sources_of  # noqa: E402
from models.gtgm.pretrain.training import PretrainingRun, train  # noqa: E402

pytestmark = [pytest.mark.train, pytest.mark.slow]
REPOSITORY = Path(__file__).parents[3]
STEPS, PATIENCE_S = 80, 240
SETTINGS = {
    "name": "two",
    "seed": 5,
    "checkpoint_every": 4,
    "embedding_width": 16,
    "encoder": {"channels": (4, 8), "blocks": (1, 1)},
    "text": {"channels": 16, "heads": 2, "layers": 1},
    "queue": {"size": 8, "warm_up_steps": 2},
    "views": {"spacing_mm": {"CT": (4.0, 4.0, 4.0)}, "crop_voxels": (16, 16, 16)},
    "training": {"steps": STEPS, "batch": 4, "rate": 5e-3},
}


@pytest.fixture(scope="module")
def preset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a preset, whose volumes are cylinders of soft tissue with two lungs each, of eight sizes."""
    folder = tmp_path_factory.mktemp("volumes")
    x, y, z = np.mgrid[-24:24, -20:20, -16:16]
    for index in range(8):
        size = 0.5 + 0.06 * index
        values = np.where((x / 22) ** 2 + (y / 18) ** 2 < 1, 40.0, -1000.0)
        for side in (-11, 11):
            lung = ((x - side) / (9 * size)) ** 2 + (y / (14 * size)) ** 2 + (z / (14 * size)) ** 2 < 1
            values = np.where(lung, -880.0 + 20.0 * index, values)
        nibabel.save(
            nibabel.Nifti1Image(values.astype(np.int16), np.diag([4.0, 4.0, 4.0, 1.0])), folder / f"{index}.nii"
        )
    data = {"folders": [{"kind": "nifti", "path": folder, "modality": "CT"}]}
    path = tmp_path_factory.mktemp("preset") / "two.yaml"
    path.write_text(GtgmPreset.model_validate(SETTINGS | {"data": data}).model_dump_json())  # JSON is YAML
    return path


def started(preset: Path, out: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    command += ["-m", "models.gtgm.pretrain", "--preset", str(preset), "--out", str(out)]
    command += ["--cache", str(preset.parent / "cache")]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    with (out.parent / f"{out.name}.log").open("a") as log:
        return subprocess.Popen(command, cwd=REPOSITORY, env=environment, stdout=log, stderr=log, text=True)


def finished(preset: Path, out: Path) -> Path:
    """The folder of a run that came to its end."""
    run = started(preset, out)
    try:
        assert run.wait(PATIENCE_S) == 0, (out.parent / f"{out.name}.log").read_text()[-3000:]
    finally:
        end(run)
    return out / "two"


def end(run: subprocess.Popen[str]) -> None:
    """Ends torchrun, which then ends its processes."""
    run.terminate()
    run.wait(PATIENCE_S)


def cut(preset: Path, out: Path) -> int:
    """Begins a run, ends it once it has left a checkpoint, and gives the steps that it had done."""
    checkpoint = out / "two" / "pretrain-checkpoint.pt"
    run, until = started(preset, out), time.monotonic() + PATIENCE_S
    while not checkpoint.is_file() and run.poll() is None and time.monotonic() < until:
        time.sleep(0.02)
    end(run)
    return int(torch.load(checkpoint, weights_only=True)["done"])


def losses_in(folder: Path) -> list[float]:
    rows = [json.loads(line) for line in (folder / "pretrain.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == list(range(STEPS))
    return [row["loss"] for row in rows]


@pytest.mark.timeout(900)
def test_two_processes_learn_and_a_run_that_was_cut_goes_on(tmp_path: Path, preset: Path):
    whole = finished(preset, tmp_path / "whole")
    losses = losses_in(whole)
    assert all(math.isfinite(loss) for loss in losses)
    assert sum(losses[-10:]) < 0.9 * sum(losses[:10])
    assert cut(preset, tmp_path / "cut") < STEPS
    assert not (tmp_path / "cut" / "two" / "encoder.pt").exists()
    resumed = finished(preset, tmp_path / "cut")
    assert losses_in(resumed) == pytest.approx(losses, rel=1e-4)
    one, other = (load_encoder(folder / "encoder.pt")[1] for folder in (whole, resumed))
    assert all(torch.allclose(one[name], other[name], atol=1e-5) for name in one)
    check_that_one_process_begins_alike(preset, tmp_path / "alone", losses)


def check_that_one_process_begins_alike(preset: Path, out: Path, losses: list[float]) -> None:
    """Before weights have moved far, two processes with half a batch each have the loss of one with all of it."""
    settings = GtgmPreset.model_validate_json(preset.read_text())
    run = PretrainingRun(settings, preset.parent / "cache", out)
    run.folder.mkdir(parents=True)
    train(run, prepared_volumes(sources_of(settings.data), settings.views.spacing_mm, run.cache))
    assert losses_in(run.folder)[:3] == pytest.approx(losses[:3], rel=1e-3)
