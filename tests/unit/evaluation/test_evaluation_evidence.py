import numpy as np
import pytest
from held_out_study import GRID, NODULE, SLICES, held_out

from models.evaluation.evidence import (
    Weighed,
    best_method,
    by_finding,
    chance_figures,
    hits,
    in_slice_pointing,
    method_figures,
    pointing,
    slice_auprc,
)
from models.phantoms.findings import FINDINGS
from pacs_agent.inference.reading import EvidenceMethod


def weights(*heavy: int) -> np.ndarray:
    rows = np.zeros((len(FINDINGS), SLICES), np.float32)
    for rank, index in enumerate(heavy):
        rows[NODULE, index] = 1.0 - 0.1 * rank
    return rows


def test_evidence_on_the_finding_and_beside_it(study):
    assert pointing(study, weights(2, 3)) == 1.0 and pointing(study, weights(5)) == 0.0
    assert slice_auprc(study, weights(2, 3)) == 1.0
    assert slice_auprc(study, weights(0, 1, 2, 3)) == pytest.approx((1 / 3 + 2 / 4) / 2)
    assert in_slice_pointing(study, weights(3)) == 1.0 and in_slice_pointing(study, weights(0)) == 0.0


def test_the_heat_may_miss_by_one_patch(study):
    for place, hit in (((0, 3), True), ((2, 5), True), ((3, 4), False), ((1, 2), False)):
        study.peaks[2, NODULE] = place
        assert hits(study, NODULE, 2) == hit


def test_chance_is_the_share_of_slices_and_patches():
    studies = tuple(held_out(number) for number in range(4))
    weighed = Weighed(tuple(range(4)), studies, {"slice_weights": tuple(weights(2) for _ in studies)})
    chance = chance_figures(weighed)
    assert chance["pointing"]["value"] == pytest.approx(2 / SLICES, abs=1e-3)
    # One patch at (1, 4) of a 4 × 6 grid: nine patches are near enough, in two of six slices.
    assert chance["in_slice_pointing"]["value"] == pytest.approx(9 / (GRID[0] * GRID[1]) * 2 / SLICES, abs=1e-3)


def test_the_better_method_is_found_and_each_finding_has_its_row():
    studies = tuple(held_out(number) for number in range(4))
    methods = {"slice_weights": tuple(weights(2, 3) for _ in studies), "attention": tuple(weights(5) for _ in studies)}
    weighed = Weighed(tuple(range(4)), studies, methods)
    assert best_method(method_figures(weighed)) == "slice_weights"
    rows = by_finding(weighed, EvidenceMethod.ATTENTION)
    assert rows[NODULE]["pointing"] == 0.0
    assert all(not row for number, row in enumerate(rows) if number != NODULE)
