"""The benchmark's figures of segmentation: rows from what was taken, and a bundle of a network that learned nothing."""

from pathlib import Path

import pytest

from tests.bench.segmentation import Segmented, pretraining_row, segmentation_rows, untrained


def test_rows_stand_beside_goal_and_peak() -> None:
    taken = [Segmented(30.0, 20.0, 40, 3), Segmented(50.0, 40.0, 40, 3), Segmented(40.0, 25.0, 40, 3)]
    study, network = segmentation_rows(taken, int(10e9), 100.0, 300, 2, "a bundle")
    assert (study.ours, study.peer_value, study.ceiling) == (40.0, 60.0, 4.0)
    assert study.ratio == pytest.approx(2 / 3)
    assert (network.ours, network.peer_value) == (1.6, 10.0)
    assert "40" in network.what
    assert "a bundle" in study.what
    assert pretraining_row([2.0, 4.0, 5.0], int(1e11), 100.0, 2).ratio == pytest.approx(0.25)


@pytest.mark.slow
@pytest.mark.train
def test_an_untrained_bundle_is_one_that_the_agent_loads(tmp_path: Path) -> None:
    pytest.importorskip("monai")
    bundle = untrained(tmp_path, "tiny", (16, 16, 16))
    assert bundle.manifest.grid.patch == (16, 16, 16)
    assert bundle.manifest.training_data == "Nothing."
