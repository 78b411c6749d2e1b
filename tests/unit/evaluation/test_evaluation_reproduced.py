import json

import pytest
from click.testing import CliRunner

from models.evaluation.reproduced import NothingToCompare, both, main, repeated


def figure(value, low=0.0, high=1.0):
    return {"value": value, "low": low, "high": high, "n": 10}


def test_a_value_outside_the_old_interval_is_said():
    rows = {row.key: row.verdict for row in repeated(BEFORE, AGAIN)}
    assert rows["macro_auroc"] == "outside its interval"
    assert rows["ece"] == "within its interval"
    assert rows["worst_auroc"] == "the same"
    assert rows["evidence_pointing"] == "not measured"


BEFORE = {"macro_auroc": figure(0.95, 0.93, 0.97), "ece": figure(0.04, 0.03, 0.06), "worst_auroc": figure(0.9)}
AGAIN = {"macro_auroc": figure(0.90), "ece": figure(0.05), "worst_auroc": figure(0.9), "evidence_pointing": figure(0.9)}


def test_folders_without_a_common_bundle_are_refused(tmp_path):
    with pytest.raises(NothingToCompare, match=r"evaluation\.json"):
        both(tmp_path, tmp_path)


def test_the_command_prints_a_table(tmp_path):
    for folder, figures in (("shipped", BEFORE), ("new", AGAIN)):
        (tmp_path / folder / "demo-1").mkdir(parents=True)
        (tmp_path / folder / "demo-1" / "evaluation.json").write_text(json.dumps(figures))
    result = CliRunner().invoke(main, [str(tmp_path / "shipped"), str(tmp_path / "new")])
    assert result.exit_code == 0
    assert "outside its interval" in result.output
