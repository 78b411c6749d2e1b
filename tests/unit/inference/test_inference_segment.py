import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pacs_agent.inference.segment import Windows, body_of, probabilities_of

edges = st.tuples(*[st.integers(1, 9)] * 3)


def of_sign(patches):
    """Two classes by each voxel's own value: what a network without surroundings would say."""
    positive = (patches > 0).astype(np.float32)
    return np.concatenate((1 - positive, positive), axis=1)


@settings(deadline=None, max_examples=30)
@given(shape=st.tuples(*[st.integers(1, 14)] * 3), patch=edges, overlap=st.floats(0, 0.7), batch=st.integers(1, 5))
def test_every_voxel_is_answered_for_in_its_place(shape, patch, overlap, batch) -> None:
    values = np.random.default_rng(sum(shape)).normal(size=shape).astype(np.float32)
    found = probabilities_of(values, of_sign, 2, Windows(patch, overlap, batch))
    assert found.shape == (2, *shape)
    assert found[1] == pytest.approx((values > 0).astype(float), abs=1e-3)
    assert found.sum(axis=0) == pytest.approx(1, abs=2e-3)


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 10_000), share=st.sampled_from([0.001, 0.02, 0.3]))
def test_where_nothing_is_touched_there_is_background_and_elsewhere_the_same(seed: int, share: float) -> None:
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(30, 14, 17)).astype(np.float32)
    where = rng.random(values.shape) < share
    found = probabilities_of(values, of_sign, 2, Windows((4, 5, 6), 0.5, 3), where)
    assert found[1][where] == pytest.approx((values > 0)[where].astype(float), abs=1e-3)
    assert not (found[1] > 0.5)[values <= 0].any()


def test_nothing_of_a_volume_of_air() -> None:
    values = np.full((8, 8, 8), -1000, np.float32)
    found = probabilities_of(values, _never, 3, Windows((4, 4, 4)), body_of(values))
    assert (found[0] == 1).all()
    assert not found[1:].any()


def _never(patches):
    raise AssertionError("air was computed")


def test_lungs_belong_to_the_body() -> None:
    values = np.full((3, 20, 20), -1000, np.float32)
    values[:, 3:17, 3:17] = 30
    values[:, 6:12, 6:12] = -850
    assert body_of(values).sum() == 3 * 14 * 14


def test_overlapping_answers_count_less_towards_their_edges() -> None:
    values = np.zeros((4, 4, 12), np.float32)

    def first_then_second(patches, calls=[]):  # noqa: B006
        calls.append(1)
        answer = np.zeros((len(patches), 2, *patches.shape[2:]), np.float32)
        answer[:, len(calls) - 1] = 1
        return answer

    found = probabilities_of(values, first_then_second, 2, Windows((4, 4, 8), 0.5))
    along = found[1, 2, 2].astype(float)
    assert (along[:4] == 0).all()
    assert (along[8:] == 1).all()
    assert (np.diff(along[4:8]) > 0).all()
    assert along[5] + along[6] == pytest.approx(1, abs=1e-3)


def test_progress_is_told_and_may_stop() -> None:
    told: list[tuple[int, int]] = []
    values = np.ones((8, 8, 8), np.float32)
    probabilities_of(values, of_sign, 2, Windows((4, 4, 4), 0, 3), progress=lambda *at: told.append(at))
    assert told == [(3, 8), (6, 8), (8, 8)]

    def stop(done: int, total: int) -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        probabilities_of(values, of_sign, 2, Windows((4, 4, 4), 0), progress=stop)
