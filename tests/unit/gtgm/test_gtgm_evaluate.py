"""The comparison of label efficiency: blocks, rows, tables, and one small run that goes on where it was cut."""

import json
import multiprocessing
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import nibabel
import numpy as np
import pytest
import yaml
from click.testing import CliRunner

pytest.importorskip("torch")

from models.gtgm.evaluate import __main__ as command
from models.gtgm.evaluate import arms, cells, code, jobs, pelvis, sets
from models.gtgm.evaluate.arms import ARMS, GTGM, RANDOM, Pretraining
from models.gtgm.evaluate.budget import BUDGETS, Budget, Sizes, UnknownBudget, load_budget
from models.gtgm.evaluate.cells import Cell, Row, cells_of, keep, kept_rows, key_of
from models.gtgm.evaluate.realcases import beside
from models.gtgm.evaluate.sets import FIB25, SETS, TOTALSEG_CT, EvaluationSet, SetMissing
from models.gtgm.evaluate.tables import NOT_MEASURED, markdown, table_of
from models.gtgm.finetune.blocks import blocks_of, middle_of, quarters, with_block_share
from models.gtgm.finetune.examples import IGNORED, Example
from models.gtgm.finetune.fractions import SHARES
from models.gtgm.networks import EncoderShape, new_encoder, save_encoder
from models.gtgm.pretrain.preset import load_gtgm_preset
from models.gtgm.pretrain.training import PretrainingRun
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


def test_the_middle_of_a_volume_has_so_many_voxels_or_all_there_are():
    assert middle_of(example(), (4, 6, 99)).values.shape == (4, 6, 16)
    assert middle_of(example(), (2, 2, 2)).labels.tolist() == example().labels[7:9, 7:9, 7:9].tolist()


TINY = Budget.model_validate(
    {
        "name": "tiny",
        "preset": "label-efficiency",
        "pretraining": {"steps": 5, "batch": 4},
        "finetuning": {"steps": 2, "batch": 1, "rate": 1e-3},
    }
)


def row(
    arm: str, share: float, values: list[float], seed: int = 0, names: tuple[str, str] = ("dice", "hd95_mm")
) -> Row:
    volumes = tuple({names[0]: value, names[1]: 1.0} for value in values)
    return Row(f"{arm}{share}{seed}", "tiny", "cubes", arm, share, seed, "0" * 12, "2026-11-23", 1.0, volumes)


def rows(arm: str, share: float, dices: list[float]) -> list[Row]:
    return [row(arm, share, dices, seed) for seed in (0, 1)]


def test_the_table_says_who_is_ahead_and_when_it_cannot_be_told(tmp_path: Path):
    found = [
        *rows(RANDOM, 0.01, [0.2, 0.3, 0.4]), *rows(GTGM, 0.01, [0.4, 0.5, 0.6]),
        *rows(RANDOM, 0.1, [0.5, 0.6, 0.5]), *rows(GTGM, 0.1, [0.6, 0.5, 0.5]),
        *rows(RANDOM, 1.0, [0.5, 0.6, 0.5]), *rows(GTGM, 1.0, [0.4, 0.5, 0.4]),
    ]  # fmt: skip
    table = table_of(small_set(Sizes(), tmp_path), found, (RANDOM, GTGM), SHARES)
    figures = table["measures"]["dice"][GTGM]["0.01"]
    assert figures["value"]["value"] == pytest.approx(0.5)
    assert (figures["value"]["seeds"], figures["value"]["volumes"]) == (2, 3)
    assert figures["over_random"]["value"] == pytest.approx(0.2)
    ahead, equal, behind = table["verdict"]
    assert "GTGM is ahead" in ahead
    assert "not told apart" in equal
    assert "GTGM is behind" in behind
    text = markdown([table], "Two seeds.")
    assert "| GTGM | 0.500 (" in text
    assert "n 2 × 3; +0.200 (+0.200 to +0.200) over random |" in text


def test_what_is_not_measured_is_said_and_differences_are_of_the_seeds_that_both_have(tmp_path: Path):
    found = [row(GTGM, 0.01, [0.4, 0.6]), row(GTGM, 0.01, [0.9, 0.9], seed=1), row(RANDOM, 0.01, [0.2, 0.4])]
    data = small_set(Sizes(), tmp_path)
    table = table_of(data, found, tuple(ARMS), SHARES)
    assert table["measures"]["dice"][GTGM]["0.01"]["over_random"]["value"] == pytest.approx(0.2)
    text = markdown([table, table_of(data, [], tuple(ARMS), SHARES)], "")
    assert f"| file names as captions | {NOT_MEASURED} | {NOT_MEASURED} | {NOT_MEASURED} |" in text
    assert f"This set is {NOT_MEASURED} yet." in text


def test_the_interval_knows_that_seeds_differ(tmp_path: Path):
    found = [row(GTGM, 0.01, [dice] * 3, seed) for seed, dice in enumerate((0.2, 0.5, 0.8))]
    figures = table_of(small_set(Sizes(), tmp_path), found, (GTGM,), SHARES)["measures"]["dice"][GTGM]["0.01"]
    assert figures["value"]["low"] < 0.4 < 0.6 < figures["value"]["high"]


def test_less_is_better_where_errors_are_measured(tmp_path: Path):
    found = [row(arm, 0.01, [value] * 3, 0, ("arand", "voi")) for arm, value in ((RANDOM, 0.5), (GTGM, 0.2))]
    data = replace(small_set(Sizes(), tmp_path), output="affinities")
    assert "GTGM is ahead" in table_of(data, found, (RANDOM, GTGM), SHARES)["verdict"][0]


def test_rows_are_found_again_and_a_line_that_was_cut_off_is_not_there(tmp_path: Path):
    path = tmp_path / "results" / "rows.jsonl"
    keep(row(RANDOM, 0.01, [0.1, 0.2]), path)
    with path.open("a") as file:
        file.write('{"key": "half')
    keep(row(GTGM, 0.01, [0.3, 0.4]), path)
    assert list(kept_rows(path).values()) == [row(RANDOM, 0.01, [0.1, 0.2]), row(GTGM, 0.01, [0.3, 0.4])]


def test_a_result_depends_on_code_and_budget_but_not_on_what_the_code_says_of_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    data, cell = small_set(Sizes(), tmp_path), Cell("cubes", GTGM, 0.01, 0)
    assert key_of(cell, data, TINY) == key_of(cell, data, TINY.model_copy(update={"name": "other"}))
    longer = TINY.finetuning.model_copy(update={"steps": 3})
    assert key_of(cell, data, TINY) != key_of(cell, data, TINY.model_copy(update={"finetuning": longer}))
    monkeypatch.setattr(code, "MODELS", tmp_path)
    (tmp_path / "one.py").write_text('"""Adds."""\n\n\ndef add(a, b):\n    """Sum."""\n    return a + b  # of both\n')
    before = code.digest_of(("one.py",))
    (tmp_path / "one.py").write_text("def add(a, b):\n    return a + b\n")
    assert code.digest_of(("one.py",)) == before
    (tmp_path / "one.py").write_text("def add(a, b):\n    return a - b\n")
    assert code.digest_of(("one.py",)) != before


@pytest.mark.parametrize("names", [code.FINETUNING, code.PRETRAINING, code.THORAX, code.PELVIS])
def test_the_code_on_which_results_depend_is_there(names: tuple[str, ...]):
    assert all((code.MODELS / name).exists() for name in names)


def test_the_main_claim_is_measured_first_and_all_labels_last():
    order = cells_of(tuple(SETS), tuple(ARMS), SHARES, 3)
    assert len(order) == len(set(order)) == 5 * 5 * 3 * 3
    assert {cell.arm for cell in order[: 5 * 2 * 9]} == {GTGM, RANDOM}
    assert [cell.share for cell in order[:18]] == [0.01, 0.01, 0.1, 0.1] * 3 + [1.0] * 6


@pytest.mark.parametrize("path", sorted(BUDGETS.glob("*.yaml")), ids=lambda path: path.stem)
def test_budgets_fit_their_networks(path: Path, tmp_path: Path):
    budget = load_budget(path.stem)
    assert budget.name == path.stem
    stride = 2 ** (len(load_gtgm_preset(budget.preset).encoder.channels) - 1)
    for make in SETS.values():
        assert not any(size % stride for size in make(budget.sizes, tmp_path).patch)


def test_an_unknown_budget_is_refused_with_those_that_are_known():
    with pytest.raises(UnknownBudget, match="cpu-demo, gpu-single"):
        load_budget("plenty")


def test_a_claim_is_of_one_process_and_ends_with_it(tmp_path: Path):
    with jobs.claimed(tmp_path / "claims" / "one") as first, jobs.claimed(tmp_path / "claims" / "one") as second:
        assert (first, second) == (True, False)
    with jobs.claimed(tmp_path / "claims" / "one") as again:
        assert again


def work_with_a_child(sitting: jobs.Sitting, until: float | None) -> None:
    """As a pretraining has."""
    child = multiprocessing.get_context("spawn").Process(target=int)
    child.start()
    child.join()
    (sitting.cache / f"{multiprocessing.current_process().pid}").touch()


def test_processes_of_the_comparison_may_pretrain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(jobs, "work", work_with_a_child)
    jobs.measure_all(jobs.Sitting(TINY, (), tmp_path / "rows.jsonl", tmp_path), 2)
    assert list(tmp_path.iterdir())


def test_a_process_whose_parent_was_ended_measures_nothing_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(jobs, "SETS", {"fib25": small_set})
    monkeypatch.setattr(jobs, "measure", lambda *given: pytest.fail("nobody waits for it"))
    monkeypatch.setattr(jobs.multiprocessing, "parent_process", lambda: SimpleNamespace(is_alive=lambda: False))
    cell = Cell("fib25", RANDOM, 0.1, 0)
    jobs.work(jobs.Sitting(TINY, (cell,), tmp_path / "rows.jsonl", tmp_path), None)


def test_the_command_writes_tables_and_computes_nothing_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    preset, budget = tmp_path / "tiny.yaml", tmp_path / "budget.yaml"
    shape = EncoderShape(channels=(4, 8), blocks=(1, 1))
    tiny = load_gtgm_preset("label-efficiency").model_copy(update={"encoder": shape})
    preset.write_text(yaml.safe_dump(tiny.model_dump(mode="json")))
    budget.write_text(yaml.safe_dump(TINY.model_copy(update={"preset": str(preset)}).model_dump(mode="json")))
    pretrained: list[str] = []

    def pretrain(run: PretrainingRun, sources: object) -> None:
        pretrained.append(run.preset.name)
        run.folder.mkdir(parents=True)
        save_encoder(new_encoder(shape), {}, run.encoder)

    monkeypatch.setattr(PretrainingRun, "pretrain", pretrain)
    monkeypatch.setattr(sets, "SETS", {"fib25": small_set})
    for module in (command, cells, jobs):
        monkeypatch.setattr(module, "SETS", {"fib25": small_set})
    bundle = tmp_path / "bundle"
    bundle.mkdir()
    arguments = [
        *("--budget", str(budget), "--rows", str(tmp_path / "rows.jsonl"), "--cache", str(tmp_path / "cache")),
        *("--out", str(tmp_path / "out"), "--doc", str(tmp_path / "doc.md"), "--bundle", str(bundle)),
        *("--processes", "1", "--share", "0.1", "--seeds", "1", "--arm", RANDOM, "--arm", GTGM),
    ]

    def run(*more: str) -> str:
        return CliRunner().invoke(command.main, [*arguments, *more], catch_exceptions=False).output

    assert f"This set is {NOT_MEASURED} yet." in run("--minutes", "0")
    run()
    table = json.loads((tmp_path / "out" / "label_efficiency.json").read_text())["tables"][0]
    assert table["measures"]["dice"][GTGM]["0.1"]["value"]["volumes"] == 4
    assert "### cubes" in (bundle / "label_efficiency.md").read_text()
    assert "# What pretraining is worth" in (tmp_path / "doc.md").read_text()
    assert len(pretrained) == 1
    kept = (tmp_path / "rows.jsonl").read_text()
    assert len(kept.splitlines()) == 2
    monkeypatch.setattr(cells, "fit", lambda *given: pytest.fail("it was computed again"))
    assert "| GTGM | –" not in run()
    assert (tmp_path / "rows.jsonl").read_text() == kept


def test_every_arm_has_a_pretraining_on_every_grid(tmp_path: Path):
    pretraining = Pretraining(TINY, tmp_path)
    data = small_set(Sizes(), tmp_path)
    for settings in filter(None, ARMS.values()):
        preset = pretraining.preset_for(data, settings)
        assert (preset.training.steps, preset.training.batch) == (5, 4)
        assert preset.views.spacing_mm == {Modality.CT: (3.0, 3.0, 3.0)}
        assert min(preset.views.crop_voxels) >= arms.SMALLEST_CROP
    assert pretraining.run_of(RANDOM, data) is None


def write_fib25(folder: Path) -> None:
    raw = np.zeros((250, 250, 250), np.uint8)
    labels = np.ones(raw.shape, np.uint16)
    np.savez(folder / FIB25[0], raw=raw[:125])
    np.savez(folder / FIB25[1], raw=raw, labels=labels)


def test_the_em_volume_is_never_pretrained_on_where_it_is_tested(tmp_path: Path):
    write_fib25(tmp_path)
    data = sets.fib25(Sizes(), tmp_path, tmp_path)
    (source,) = data.unlabelled
    assert len(source) == 100
    assert source.volume(len(source) - 1).values.shape == (48, 48, 48)
    assert all(first[0] + 48 <= sets.FIB25_CUT[0] for _, first in source.places)
    assert [one.labels.shape for one in data.test()] == [Sizes().em_test_voxels] * 4
    assert data.outputs == 3


def test_pseudo_labels_are_taken_from_two_parts_of_one_scan(tmp_path: Path):
    labels = np.zeros((20, 20, 30), np.uint8)
    labels[:, :, :10], labels[:, :, 20:], labels[0] = 5, 52, 117
    for name, voxels in (("example_ct_sm", labels.astype(np.int16)), ("example_seg", labels)):
        nibabel.save(nibabel.Nifti1Image(voxels, np.diag([3.0, 3.0, 3.0, 1.0])), tmp_path / f"{name}.nii.gz")
    data = sets.totalsegmentator_ct(Sizes(), tmp_path, tmp_path)
    (learned,) = data.labelled(1.0, 0)
    assert set(np.unique(learned.labels)) == {0, 1 + list(TOTALSEG_CT).index(5)}
    assert set(np.unique(np.concatenate([one.labels.ravel() for one in data.test()]))) == {0, len(TOTALSEG_CT)}


@pytest.mark.parametrize("make", [sets.fib25, sets.totalsegmentator_ct, sets.totalsegmentator_mr])
def test_a_set_whose_files_are_not_there_is_named(make, tmp_path: Path):
    with pytest.raises(SetMissing, match="not there"):
        make(Sizes(), tmp_path, tmp_path).check()


def test_phantoms_of_a_smaller_share_are_among_those_of_a_larger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    made: list[str] = []
    monkeypatch.setattr(sets, "kept_example", lambda name, make, cache: made.append(name) or example())
    data = sets.thorax_phantoms(Sizes(unlabelled=2, labelled=20, test=2), tmp_path)
    counts, names = [], []
    for share in (0.01, 0.1, 1.0):
        made.clear()
        counts.append(len(data.labelled(share, 1)))
        names.append(set(made))
    assert counts == [1, 2, 20]
    assert names[0] < names[1] < names[2]


def test_a_pelvis_phantom_is_made_once_and_has_its_structures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(pelvis, "VOXEL_MM", 4.0)
    made = pelvis.kept_pelvis(3, tmp_path)
    assert made.modality is Modality.MR
    assert made.values.shape == made.labels.shape
    assert {1, 2, 3, 4} <= set(np.unique(made.labels)) <= set(range(len(pelvis.NAMES)))
    again = pelvis.kept_pelvis(3, tmp_path, lambda seed: pytest.fail("it was made again"))
    assert (again.labels == made.labels).all()


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
