"""How training goes on after a cut, what it learns from, and what each stage depends on."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from models.datasets.cache import render, stream  # noqa: E402
from models.datasets.fields import ATTRIBUTE_GROUPS, choose_slices, on_field  # noqa: E402
from models.datasets.slices import FindingSampler, SliceBank, SliceBatch  # noqa: E402
from models.datasets.study import LabelledStudy, StudyUnreadable  # noqa: E402
from models.msvlm import stages  # noqa: E402
from models.msvlm.curves import Curves  # noqa: E402
from models.msvlm.encoder import new_encoder  # noqa: E402
from models.msvlm.loop import Stage, run_stage  # noqa: E402
from models.msvlm.losses import BalancedPatchLoss, known_only  # noqa: E402
from models.msvlm.preset import StageSettings, load_preset  # noqa: E402
from models.msvlm.run import Run  # noqa: E402
from models.msvlm.slice_augment import Placement, vary  # noqa: E402
from models.msvlm.studies import encode_studies, load_studies, pad, save_studies  # noqa: E402
from models.phantoms.findings import FINDINGS, Attributes, Count, Finding, Grade, Lobe, Side  # noqa: E402
from models.phantoms.report import TrueSentence  # noqa: E402

pytestmark = pytest.mark.train
ROOT = Path(__file__).parents[3]
NODULE = Finding.LUNG_NODULE
PLACE = Attributes(frozenset({Side.LEFT}), frozenset({Lobe.LEFT_LOWER}), Grade.SLIGHT, Count.ONE)


def study(number=0, slices=5, size=80, spacing=3.5):
    """A disc of tissue with a bright square of 8 × 8 px in slice 2; one finding unknown, one without a mask."""
    axis = np.arange(size) - (size - 1) / 2
    body = np.where(axis[:, None] ** 2 + axis[None] ** 2 < 30**2, 40, -1000).astype(np.int16)
    hu = np.repeat(body[None], slices, axis=0)
    mask = np.zeros(hu.shape, bool)
    mask[2, 28:36, 48:56] = True
    hu[mask] = 800 + number
    labels = {finding: finding == NODULE for finding in FINDINGS if finding != Finding.EMPHYSEMA}
    labels[Finding.CARDIOMEGALY] = True
    sentences = (TrueSentence("present", NODULE, "a nodule .", PLACE),)
    z_mm = np.arange(slices, dtype=np.float32) * 5.0
    return LabelledStudy(
        f"p{number}", "s", "made", hu, z_mm, (spacing, spacing), labels, {NODULE: mask}, {NODULE: PLACE}, sentences
    )


class MadeSource:
    """Three such studies."""

    name, patches, code = "made", True, ()

    def __repr__(self):
        return "made"

    def __len__(self):
        return 3

    def study(self, index):
        return study(index)


@pytest.fixture(scope="module")
def preset():
    return load_preset("tiny")


@pytest.fixture(scope="module")
def shards(preset, tmp_path_factory):
    return render(MadeSource(), preset.network, tmp_path_factory.mktemp("cache"), processes=1)


def test_patch_targets_lie_where_the_mask_lies_on_the_field(preset):
    field = on_field(study(), preset.network)
    shown = field.slices["patches"][2, FINDINGS.index(NODULE)] > 127
    rows, columns = np.nonzero(shown)
    stride = preset.network.patch_stride_px
    brightest = np.unravel_index(field.slices["hu"][2].argmax(), preset.network.field_px)
    assert shown[brightest[0] // stride, brightest[1] // stride]
    assert len(rows) <= 4 and columns.mean() > shown.shape[1] / 2
    assert field.slices["slices"][:, FINDINGS.index(NODULE)].tolist() == [0, 0, 255, 0, 0]


def test_what_is_not_known_stays_unknown(preset):
    facts = on_field(study(), preset.network).facts
    known, located = (
        dict(zip(FINDINGS, facts.known(), strict=True)),
        dict(zip(FINDINGS, facts.located_known(), strict=True)),
    )
    assert not known[Finding.EMPHYSEMA] and not located[Finding.EMPHYSEMA]
    assert known[Finding.CARDIOMEGALY] and not located[Finding.CARDIOMEGALY]
    assert known[Finding.CONSOLIDATION] and located[Finding.CONSOLIDATION]
    groups = dict(zip(ATTRIBUTE_GROUPS, facts.attributes_known()[FINDINGS.index(NODULE)], strict=True))
    assert all(groups.values())
    assert facts.attributes_known().sum() == len(ATTRIBUTE_GROUPS)


def test_shards_give_back_what_was_rendered(preset, shards):
    studies = list(stream(shards))
    assert [s.facts.patient for s in studies] == ["p0", "p1", "p2"]
    again = on_field(study(1), preset.network)
    assert studies[1].facts == again.facts
    assert (studies[1].slices == again.slices).all()


def test_a_rendered_shard_is_not_rendered_again(preset, shards, monkeypatch):
    monkeypatch.setattr(MadeSource, "study", lambda *_: pytest.fail("rendered twice"))
    assert render(MadeSource(), preset.network, shards[0].path.parents[2], processes=1) == shards


class PartlyBroken(MadeSource):
    """The second study cannot be read."""

    def study(self, index):
        if index == 1:
            raise StudyUnreadable("its file is cut off")
        return study(index)


def test_a_study_that_cannot_be_read_is_left_out_and_named(preset, tmp_path, caplog):
    shards = render(PartlyBroken(), preset.network, tmp_path, processes=1)
    assert [s.facts.patient for s in stream(shards)] == ["p0", "p2"]
    assert "study 1 of made is left out: its file is cut off" in caplog.text


def test_chosen_slices_go_through_the_findings():
    kept = [choose_slices(study(slices=40), 6, np.random.default_rng(seed)) for seed in range(20)]
    assert all(len(part.hu) == 6 and (np.diff(part.z_mm) > 0).all() for part in kept)
    assert all(part.masks[NODULE].any() for part in kept)


def test_half_of_a_batch_is_drawn_by_finding(shards):
    bank = SliceBank(shards)
    drawn = FindingSampler(bank).draw(200, np.random.default_rng(0))
    share = (bank.slices[drawn, FINDINGS.index(NODULE)] > 127).mean()
    assert 0.5 < share < 0.75
    assert bank.batch(drawn[:4]).hu.numpy().tolist() == [bank.records[0][int(i)]["hu"].tolist() for i in drawn[:4]]


def test_unknown_targets_give_no_gradient():
    logits = torch.zeros(2, 3, 4, 4, requires_grad=True)
    located = torch.tensor([[True, True, False], [True, False, False]])
    BalancedPatchLoss(3)(logits, torch.full((2, 3, 4, 4), 0.7), located).backward()
    assert (logits.grad.abs().sum((2, 3)) > 0).tolist() == located.tolist()
    assert known_only(torch.tensor([1.0, 9.0]), torch.tensor([True, False])).item() == 1.0


def blob(rows, columns, stride, row, column):
    """A batch of one slice with a bright patch, and its target."""
    hu, patches = torch.full((1, rows, columns), -800.0), torch.zeros(1, 1, rows // stride, columns // stride)
    hu[0, row * stride : (row + 1) * stride, column * stride : (column + 1) * stride] = 900.0
    patches[0, 0, row, column] = 1.0
    return SliceBatch(hu, patches, torch.ones(1, 1), torch.ones(1, 1, dtype=torch.bool))


def centre(maps, stride):
    weight = maps.reshape(maps.shape[-2:]).clamp(min=0.0)
    weight = weight / weight.sum()
    places = [torch.arange(n) * stride + (stride - 1) / 2 for n in weight.shape]
    return torch.stack([(weight.sum(1) * places[0]).sum(), (weight.sum(0) * places[1]).sum()])


def test_targets_move_with_the_slice():
    batch = blob(64, 96, 8, 3, 9)
    for seed in range(10):
        moved = vary(batch, torch.Generator().manual_seed(seed))
        bright = centre((moved.hu + 400.0), 1)
        assert (bright - centre(moved.patches, 8)).abs().max() < 2.5, seed
        assert bright[1] > 60.0


def test_no_shift_and_no_scale_change_nothing():
    maps = torch.randn(2, 3, 16, 24)
    still = Placement(torch.zeros(2, 2), torch.ones(2))
    assert torch.allclose(still.apply(maps, 8), maps, atol=1e-5)


class Unlucky(Exception):
    """Stands for a cut."""


def small_stage(model, cut_at=None):
    def loss_of(batch, step):
        if step == cut_at:
            raise Unlucky
        return (model(batch) - batch.sum(1, keepdim=True)).square().mean()

    def batches(steps):
        return (torch.randn(4, 3, generator=torch.Generator().manual_seed(step)) for step in steps)

    return Stage("small", StageSettings(steps=9, batch=4, rate=0.01), model, batches, loss_of)


def small_model():
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4), torch.nn.Linear(4, 1))


def test_a_cut_run_goes_on_to_the_same_weights(tmp_path):
    unbroken, cut, again = small_model(), small_model(), small_model()
    run_stage(small_stage(unbroken), tmp_path / "unbroken", checkpoint_every=2)
    with pytest.raises(Unlucky):
        run_stage(small_stage(cut, cut_at=7), tmp_path / "cut", checkpoint_every=2)
    run_stage(small_stage(again), tmp_path / "cut", checkpoint_every=2)
    for name, value in unbroken.state_dict().items():
        assert torch.equal(value, again.state_dict()[name]), name
    steps = [json.loads(line)["step"] for line in (tmp_path / "cut" / "small.jsonl").read_text().splitlines()]
    assert steps == list(range(9))
    assert (tmp_path / "cut" / "small.png").stat().st_size > 1000


def test_curves_survive_a_line_cut_in_the_middle(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"step": 0, "loss": 1.0}\n{"step": 1, "lo')
    with Curves(tmp_path, "a", first_step=1) as curves:
        curves.add(1, loss=0.5)
    assert len((tmp_path / "a.jsonl").read_text().splitlines()) == 2
    assert list((tmp_path / "a").glob("events*"))


def test_encoded_studies_come_back(preset, shards, tmp_path):
    studies = encode_studies(new_encoder(preset.network), shards, "made")
    save_studies(studies, tmp_path / "made.pt")
    again = load_studies(tmp_path / "made.pt")
    assert again[2].sentences == studies[2].sentences == study().sentences
    assert torch.equal(again[1].tokens, studies[1].tokens)
    assert studies[0].tokens.shape == (5, preset.network.token_width)
    batch = pad(studies, [torch.arange(5), torch.arange(3), torch.arange(4)])
    assert batch.mask.sum(1).tolist() == [5, 3, 4] and batch.attributes.shape == (3, 18, 13)


def test_a_stage_depends_on_what_comes_before_it_and_not_on_what_follows(preset, tmp_path):
    def changed(section, **update):
        settings = getattr(preset, section).model_copy(update=update)
        return Run(preset.model_copy(update={section: settings}), tmp_path, tmp_path)

    plain = Run(preset, tmp_path, tmp_path)
    later = changed("findings", steps=99)
    assert later.file("encoder") == plain.file("encoder")
    assert later.file("findings") != plain.file("findings") and later.file("decoder") != plain.file("decoder")
    assert changed("encoder", checkpoint_every=1).file("encoder") == plain.file("encoder")
    assert changed("encoder", rate=0.5).file("tokens") != plain.file("tokens")
    assert changed("network", reader_width=64).file("tokens") == plain.file("tokens")
    assert changed("data", reader_phantoms=5).file("encoder") == plain.file("encoder")


CUT_RUN = """
import pickle, sys
from pathlib import Path
from models.msvlm.encoder import new_encoder
from models.msvlm.preset import load_preset
from models.msvlm.stage_encoder import train_encoder
import torch
if __name__ == "__main__":
    shards, folder, steps = pickle.loads(bytes.fromhex(sys.argv[1])), Path(sys.argv[2]), int(sys.argv[3])
    preset = load_preset("tiny")
    preset = preset.model_copy(update={"encoder": preset.encoder.model_copy(update={"steps": steps})})
    torch.manual_seed(0)
    train_encoder(preset, new_encoder(preset.network), shards, folder)
"""


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_killed_encoder_run_goes_on_to_the_same_weights(shards, tmp_path):
    import pickle

    def start(folder):
        script = tmp_path / "cut_run.py"
        script.write_text(CUT_RUN)
        arguments = [sys.executable, str(script), pickle.dumps(shards).hex(), str(folder), "40"]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        return subprocess.Popen(arguments, env=environment, cwd=ROOT, start_new_session=True)

    assert start(tmp_path / "unbroken").wait() == 0
    cut = start(tmp_path / "cut")
    checkpoint = tmp_path / "cut" / "encoder-checkpoint.pt"
    while not checkpoint.is_file():
        assert cut.poll() is None, "ended before it could be killed"
        time.sleep(0.01)
    os.killpg(cut.pid, signal.SIGKILL)
    cut.wait()
    assert not (tmp_path / "cut" / "encoder-end.pt").is_file(), "ended before it could be killed"
    assert start(tmp_path / "cut").wait() == 0
    unbroken, again = (
        torch.load(tmp_path / name / "encoder-end.pt", weights_only=True) for name in ("unbroken", "cut")
    )
    for name, value in unbroken.items():
        assert torch.equal(value, again[name]), name


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_other_settings_never_go_on_from_a_checkpoint(preset, shards, tmp_path, monkeypatch):
    monkeypatch.setattr(Run, "shards", lambda *_: shards)
    trained = []
    for rate in (1e-3, 1e-2):
        changes = {"steps": 2, "checkpoint_every": 1, "rate": rate}
        other = preset.model_copy(update={"encoder": preset.encoder.model_copy(update=changes)})
        network = Run(preset, tmp_path, tmp_path).new_network()
        stages._encoder(Run(other, tmp_path, tmp_path), network)
        trained.append(torch.cat([value.flatten() for value in network.encoder.parameters()]))
    assert not torch.equal(*trained)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_whole_chain_trains_and_writes_a_bundle(tmp_path):
    command = [sys.executable, "-m", "models.msvlm.train", "--preset", "tiny", "--until", "bundle"]
    command += ["--out", str(tmp_path / "bundles"), "--cache", str(tmp_path / "cache")]
    subprocess.run(command, cwd=ROOT, check=True)
    (bundle,) = (tmp_path / "bundles").iterdir()
    assert (bundle / "manifest.json").is_file()
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "cache").rglob("*-*.pt")}
    subprocess.run([*command[:-4], "--until", "findings", *command[-4:]], cwd=ROOT, check=True)
    assert before == {path: path.stat().st_mtime_ns for path in before}, "a finished stage was trained again"
