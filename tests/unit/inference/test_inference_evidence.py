"""Slice evidence by each method, with readers that can be reckoned by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from pacs_agent.inference import EvidenceMethod
from pacs_agent.inference.evidence import EVIDENCE, MAX_WINDOWS, WINDOW_MM, ReadStudy, strongest
from pacs_agent.inference.read import StudyTokens, read_study


class MaxReader:
    """Logit of finding f: the largest token[f] of the slices that are there."""

    name = "study_reader"

    def __init__(self) -> None:
        self.passes = 0

    def run(self, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        self.passes += len(inputs["tokens"])
        mask = inputs["mask"][:, None, :]
        tokens = np.where(mask, inputs["tokens"].transpose(0, 2, 1), -1e3).astype(np.float32)
        weights = np.where(mask, 1 / (1 + np.exp(-tokens.clip(-50, 50))), 0).astype(np.float32)
        share = np.exp(tokens - tokens.max(axis=2, keepdims=True))
        b, f, _ = tokens.shape
        return {
            "finding_logits": tokens.max(axis=2),
            "slice_weights": weights,
            "slice_attention": (share / share.sum(axis=2, keepdims=True)).astype(np.float32),
            "attribute_logits": np.zeros((b, f, 3), np.float32),
            "visual_tokens": np.zeros((b, 2, 3), np.float32),
        }


def a_study(tokens: np.ndarray, z_mm: np.ndarray, blank: np.ndarray | None = None) -> ReadStudy:
    reader, study = MaxReader(), StudyTokens(tokens.astype(np.float32), z_mm.astype(np.float32), 0)
    return ReadStudy(reader, study, read_study(reader, study), blank)


@st.composite
def studies(draw: st.DrawFn) -> ReadStudy:
    length, findings = draw(st.integers(1, 40)), draw(st.integers(1, 3))
    tokens = draw(arrays.arrays(np.float32, (length, findings), elements=st.floats(-9, 9, width=32)))
    steps = draw(arrays.arrays(np.float32, length, elements=st.floats(0.5, 8, width=32)))
    blank = draw(st.sampled_from([None, np.full(findings, -9, np.float32)]))
    return a_study(tokens, np.cumsum(steps), blank)


@given(studies(), st.sampled_from(EvidenceMethod))
def test_every_method_gives_a_share_for_each_finding_and_slice(study: ReadStudy, method: EvidenceMethod) -> None:
    weights = EVIDENCE[method](study)
    assert weights.shape == study.outputs.slice_weights.shape
    assert ((weights >= 0) & (weights <= 1)).all()
    assert np.isfinite(weights).all()


@given(studies())
def test_without_the_slice_that_decides_the_score_falls(study: ReadStudy) -> None:
    """With a reader of maxima only windows that hold the largest slice can lower the score."""
    weights = EVIDENCE[EvidenceMethod.LEAVE_SLICES_OUT](study)
    z_mm, tokens = study.tokens.z_mm, study.tokens.tokens
    for finding, row in enumerate(weights):
        top = np.flatnonzero(tokens[:, finding] == tokens[:, finding].max())
        far = np.abs(z_mm[:, None] - z_mm[top][None, :]).max(axis=1)
        assert not row[far > WINDOW_MM / 2 + 1e-2].any()


@given(st.integers(0, 895), st.floats(0.3, 2.0))
def test_what_is_smaller_than_a_window_is_always_found(first: int, step_mm: float) -> None:
    tokens = np.full((900, 1), -5.0)
    tokens[first : first + 5] = 4.0
    (row,) = EVIDENCE[EvidenceMethod.LEAVE_SLICES_OUT](a_study(tokens, np.arange(900) * step_mm))
    assert abs(strongest(row)[0] - (first + 2)) * step_mm <= max(WINDOW_MM, 2 * 900 * step_mm / MAX_WINDOWS)


def test_a_lesion_over_some_slices_is_found_in_each_of_them() -> None:
    tokens = np.full((60, 1), -5.0)
    tokens[30:33] = 4.0
    for method in EvidenceMethod:
        (row,) = EVIDENCE[method](a_study(tokens, np.arange(60) * 3.0))
        assert set(strongest(row)) <= {30, 31, 32}, method


def test_long_studies_cost_no_more_than_so_many_passes() -> None:
    tokens = np.full((900, 2), -5.0)
    tokens[400:405, 1] = 4.0
    study = a_study(tokens, np.arange(900) * 0.6)
    weights = EVIDENCE[EvidenceMethod.LEAVE_SLICES_OUT](study)
    assert study.reader.passes == MAX_WINDOWS + 1
    assert not weights[0].any()
    assert 395 <= strongest(weights[1])[0] <= 425


@pytest.mark.parametrize("count", [2, 3, 4])
def test_short_studies_have_evidence(count: int) -> None:
    tokens = np.zeros((count, 1))
    tokens[-1] = 2.0
    (row,) = EVIDENCE[EvidenceMethod.LEAVE_SLICES_OUT](a_study(tokens, np.arange(count) * 1.0))
    assert strongest(row)[0] == count - 1


def test_a_blank_token_stands_in_for_what_is_left_out() -> None:
    """A blank that itself looks like the finding lowers nothing."""
    tokens = np.zeros((20, 1))
    tokens[7] = 4.0
    z_mm = np.arange(20) * 5.0
    (row,) = EVIDENCE[EvidenceMethod.LEAVE_SLICES_OUT](a_study(tokens, z_mm, np.array([-9.0], np.float32)))
    assert strongest(row)[0] in (6, 7, 8)
    (none,) = EVIDENCE[EvidenceMethod.LEAVE_SLICES_OUT](a_study(tokens, z_mm, np.array([4.0], np.float32)))
    assert not none.any()


def test_the_strongest_slices_come_first_and_none_without_weight() -> None:
    assert strongest([0.0, 0.5, 0.9, 0.5, 0.2]) == [2, 1, 3]
    assert strongest([0.0, 0.0]) == []
    assert strongest([0.0, 0.1]) == [1]


def test_a_slice_with_next_to_no_weight_is_no_evidence() -> None:
    assert strongest([1e-14, 0.02, 1.0]) == [2, 1]
    assert strongest([2e-4, 1e-4]) == [0, 1]
