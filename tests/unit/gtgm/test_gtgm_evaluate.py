"""The comparison of label efficiency: blocks, tables, and one small run that goes on where it was cut."""

import json
from pathlib import Path

import nibabel
import numpy as np
import pytest
import yaml
from click.testing import CliRunner

pytest.importorskip("torch")

from models.gtgm.evaluate import __main__ as command
from models.gtgm.evaluate import arms, harness, sets
from models.gtgm.evaluate.arms import ARMS, GTGM, RANDOM, Pretraining
from models.gtgm.evaluate.blocks import blocks_of, quarters, with_block_share
from models.gtgm.evaluate.harness import Result
from models.gtgm.evaluate.realcases import beside
from models.gtgm.evaluate.sets import FIB25, TOTALSEG, EvaluationSet, SetMissing, Sizes
from models.gtgm.evaluate.tables import markdown, table_of
from models.gtgm.finetune.examples import IGNORED, Example
from models.gtgm.networks import EncoderShape, new_encoder, save_encoder
from models.gtgm.pretrain.preset import load_gtgm_preset
from models.gtgm.volume import Modality

pytestmark = pytest.mark.train


def example(seed: int = 0) -> Example:
    """Bright halves of a dark cube."""
    rng = np.random.default_rng(seed)
    labels = np.zeros((16, 16, 16), np.uint8)
    labels[:, :, 8:] = 1
    values = np.where(labels, 200.0, -500.0) + rng.normal(0.0, 30.0, labels.shape)
    return Example(values.astype(np.float32), labels, Modality.CT)


def small_set(sizes: Sizes, cache: Path) -> EvaluationSet:
    return EvaluationSet(
        name="cubes", said="cubes", modality=Modality.CT, names=("background", "bright"), output="classes",
        spacing_mm=(3.0,) * 3, patch=(16, 16, 16), unlabelled=(),
        labelled=lambda share, seed: [with_block_share(example(seed), 8, share, seed)],
        test=lambda: quarters(example(9)),
    )  # fmt: skip


def test_blocks_fill_a_volume_and_shares_of_them_are_nested():
    counted = np.zeros((10, 11, 12), int)
    for block in blocks_of(counted.shape, 4):
        counted[block] += 1
    assert (counted == 1).all()
    few, many = (with_block_share(example(), 4, share, 3).labels != IGNORED for share in (0.01, 0.3))
    assert few.sum() == 4**3
    assert many[few].all()
    assert with_block_share(example(), 4, 0.01, 3).labels[few].any()
    assert (with_block_share(example(), 4, 1.0, 3).labels == example().labels).all()


def test_quarters_are_all_of_a_volume():
    assert sum(part.labels.sum() for part in quarters(example())) == example().labels.sum()


def rows(arm: str, share: float, dices: list[float]) -> list[Result]:
    return [Result("cubes", arm, share, seed, tuple({"dice": d, "hd95_mm": 1.0} for d in dices)) for seed in (0, 1)]


def test_the_table_says_who_is_ahead_and_when_it_cannot_be_told(tmp_path: Path):
    found = [
        *rows(RANDOM, 0.01, [0.2, 0.3, 0.4]), *rows(GTGM, 0.01, [0.4, 0.5, 0.6]),
        *rows(RANDOM, 0.1, [0.5, 0.6, 0.5]), *rows(GTGM, 0.1, [0.6, 0.5, 0.5]),
    ]  # fmt: skip
    table = table_of(small_set(Sizes(), tmp_path), found)
    figures = table["measures"]["dice"][GTGM]["0.01"]
    assert figures["value"]["value"] == pytest.approx(0.5)
    assert figures["over_random"]["value"] == pytest.approx(0.2)
    ahead, equal = table["verdict"]
    assert "GTGM is ahead" in ahead
    assert "not told apart" in equal
    text = markdown([table], ["Two seeds."])
    assert "| GTGM | 0.500 (" in text
    assert "; +0.200 (+0.200 to +0.200) over random |" in text


def test_less_is_better_where_errors_are_measured(tmp_path: Path):
    found = [
        Result("em", arm, 0.01, 0, ({"arand": value, "voi": 1.0},) * 3) for arm, value in ((RANDOM, 0.5), (GTGM, 0.2))
    ]
    data = EvaluationSet(**{**vars(small_set(Sizes(), tmp_path)), "output": "affinities"})
    assert "GTGM is ahead" in table_of(data, found)["verdict"][0]


def test_the_command_writes_tables_and_computes_nothing_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    encoder, preset = tmp_path / "encoder.pt", tmp_path / "tiny.yaml"
    shape = EncoderShape(channels=(4, 8), blocks=(1, 1))
    tiny = load_gtgm_preset("cpu-demo").model_copy(update={"encoder": shape})
    preset.write_text(yaml.safe_dump(tiny.model_dump(mode="json")))
    save_encoder(new_encoder(shape), {}, encoder)
    monkeypatch.setattr(Pretraining, "encoder_of", lambda self, arm, data: encoder if ARMS[arm] else None)
    monkeypatch.setitem(command.SETS, "fib25", small_set)
    arguments = [
        *("--data", "fib25", "--arm", RANDOM, "--arm", GTGM, "--share", "0.1", "--seeds", "1", "--steps", "2"),
        *("--preset", str(preset), "--cache", str(tmp_path / "cache"), "--out", str(tmp_path / "out")),
    ]
    first = CliRunner().invoke(command.main, arguments, catch_exceptions=False)
    assert first.exit_code == 0
    table = json.loads((tmp_path / "out" / "label_efficiency.json").read_text())["tables"][0]
    assert set(table["measures"]["dice"]) == {RANDOM, GTGM}
    assert "### cubes" in (tmp_path / "out" / "label_efficiency.md").read_text()
    monkeypatch.setattr(harness, "fit", lambda *given: pytest.fail("it was computed again"))
    assert CliRunner().invoke(command.main, arguments, catch_exceptions=False).exit_code == 0


def test_every_arm_has_a_pretraining_on_every_grid(tmp_path: Path):
    pretraining = Pretraining("cpu-demo", 5, 4, tmp_path)
    data = small_set(Sizes(), tmp_path)
    for settings in filter(None, ARMS.values()):
        preset = pretraining.preset_for(data, settings)
        assert (preset.training.steps, preset.training.batch) == (5, 4)
        assert preset.views.spacing_mm == {Modality.CT: (3.0, 3.0, 3.0)}
        assert min(preset.views.crop_voxels) >= arms.SMALLEST_CROP
    assert pretraining.encoder_of(RANDOM, data) is None


def write_fib25(folder: Path) -> None:
    raw = np.zeros((250, 250, 250), np.uint8)
    labels = np.ones(raw.shape, np.uint16)
    np.savez(folder / FIB25[0], raw=raw[:125])
    np.savez(folder / FIB25[1], raw=raw, labels=labels)


def test_the_em_volume_is_never_pretrained_on_where_it_is_tested(tmp_path: Path):
    write_fib25(tmp_path)
    data = sets.fib25(Sizes(), tmp_path, tmp_path)
    (source,) = data.unlabelled
    assert len(source) >= 8
    assert source.volume(len(source) - 1).values.shape == (80, 80, 80)
    assert all(first[0] + 80 <= sets.FIB25_CUT[0] for _, first in source.places)
    assert len(data.test()) == 4
    assert data.outputs == 3


def test_pseudo_labels_are_taken_from_two_parts_of_one_scan(tmp_path: Path):
    labels = np.zeros((20, 20, 30), np.uint8)
    labels[:, :, :10], labels[:, :, 20:], labels[0] = 5, 52, 117
    for name, voxels in (("example_ct_sm", labels.astype(np.int16)), ("example_seg", labels)):
        nibabel.save(nibabel.Nifti1Image(voxels, np.diag([3.0, 3.0, 3.0, 1.0])), tmp_path / f"{name}.nii.gz")
    data = sets.totalsegmentator(Sizes(), tmp_path, tmp_path)
    (learned,) = data.labelled(1.0, 0)
    assert set(np.unique(learned.labels)) == {0, 1 + list(TOTALSEG).index(5)}
    assert set(np.unique(np.concatenate([one.labels.ravel() for one in data.test()]))) == {0, len(TOTALSEG)}


@pytest.mark.parametrize("make", [sets.fib25, sets.totalsegmentator])
def test_a_set_whose_files_are_not_there_is_named(make, tmp_path: Path):
    with pytest.raises(SetMissing, match="not there"):
        make(Sizes(), tmp_path, tmp_path)


def test_phantoms_of_a_smaller_share_are_among_those_of_a_larger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    made: list[str] = []
    monkeypatch.setattr(sets, "kept_example", lambda name, make, cache: made.append(name) or example())
    data = sets.thorax_phantoms(Sizes(2, 20, 2), tmp_path)
    counts, names = [], []
    for share in (0.01, 0.1, 1.0):
        made.clear()
        counts.append(len(data.labelled(share, 1)))
        names.append(set(made))
    assert counts == [1, 2, 20]
    assert names[0] < names[1] < names[2]


def test_of_a_real_case_the_piece_at_the_outline_counts_and_others_are_counted():
    outline, found = np.zeros((2, 12, 12, 12), bool)
    outline[2:6, 2:6, 2:6] = True
    found[2:6, 2:6, 4:6] = found[9:11, 9:11, 9:11] = True
    facts = beside(found, outline, (3.0, 3.0, 3.0), 0.027)
    assert facts["dice"] == pytest.approx(2 * 32 / (64 + 32), abs=1e-3)
    assert (facts["found_ml"], facts["outlined_ml"]) == (0.86, 1.73)
    assert facts["pieces_elsewhere"] == 1
    missed = beside(np.zeros_like(found), outline, (3.0, 3.0, 3.0), 0.027)
    assert (missed["dice"], missed["hd95_mm"], missed["pieces_elsewhere"]) == (0.0, None, 0)
