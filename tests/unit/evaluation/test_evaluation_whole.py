"""The whole evaluation of an untrained bundle: everything runs, every file is written, and it does not pass."""

import json
import shutil

import pytest

from models.evaluation import publish, realcases
from models.evaluation.grounding import reads_the_image
from models.evaluation.plan import Amounts
from models.msvlm.export import write_bundle
from models.msvlm.network import new_network, save_network
from models.msvlm.preset import load_preset

pytestmark = [pytest.mark.slow, pytest.mark.train, pytest.mark.timeout(1200)]
KEYS = {
    *("macro_auroc", "worst_auroc", "macro_f1", "report_macro_f1", "report_macro_f1_shuffled", "ece"),
    *("report_macro_f1_blanked", "report_macro_f1_random", "pooled_baseline_auroc", "subvolume_baseline_auroc"),
    *("evidence_pointing", "evidence_auprc", "evidence_random_auprc", "false_findings_per_normal"),
    "identical_reports",
}


def test_an_untrained_bundle_is_evaluated_and_does_not_read_the_image(tmp_path, monkeypatch):
    network = new_network(load_preset("tiny"))
    checkpoint = tmp_path / "cache" / network.preset.name / "model.pt"
    save_network(network.eval(), checkpoint)
    folder = write_bundle(network, tmp_path / "bundles")
    monkeypatch.setattr(realcases, "CASES", {})
    publish.evaluate_bundle(folder, checkpoint, Amounts(8, 8, 2, 1, 1, 0, 1), tmp_path / "out", tmp_path / "cache")

    figures = json.loads((tmp_path / "out" / "evaluation.json").read_text())
    assert all(set(figures[key]) == {"value", "low", "high", "n"} for key in KEYS)
    assert {"per_finding", "ablations", "real_cases", "data", "seeds", "commit"} <= set(figures)
    assert not reads_the_image(figures)
    card = (tmp_path / "out" / "MODEL_CARD.md").read_text()
    assert "must not be activated" in card and "Not for clinical use" in card
    assert "## Goals" in (tmp_path / "out" / "evaluation.md").read_text()
    written = [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in written) < 600 * 1024
    assert {path.suffix for path in written} == {".json", ".md", ".png"}

    shutil.copytree(tmp_path / "out", folder, dirs_exist_ok=True)
    row = {"level": "encoder", "macro_auroc": {"value": 0.7125, "low": 0.7, "high": 0.72, "n": 8}, "change": -0.0375}
    (checkpoint.parent / "ablations.json").write_text(json.dumps({"sub-volumes of eight slices": row}))
    publish.take_over(folder, checkpoint)
    card = (folder / "MODEL_CARD.md").read_text()
    assert "| sub-volumes of eight slices | encoder | 0.713 (0.700 to 0.720) | -0.037 |" in card
    assert "evaluation/reliability.png" in card
