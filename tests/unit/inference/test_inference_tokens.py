"""The token cache: what comes out is what went in, or nothing."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pacs_agent.imaging import Slice
from pacs_agent.inference.tokens import SliceToken, TokenCache, slice_token, token_key

KEY = "ab" + "0" * 62


def a_token(seed: int = 0) -> SliceToken:
    random = np.random.default_rng(seed)
    token, grid, centre = random.normal(size=4), random.normal(size=(2, 3, 5)), random.normal(size=2)
    return slice_token(token.astype(np.float32), grid.astype(np.float32), centre.astype(np.float32))


def cache_in(root: Path) -> TokenCache:
    return TokenCache(root, "digest", 4, (2, 3, 5))


def a_slice(**changes: object) -> Slice:
    facts = {
        "path": Path("a.dcm"),
        "sop_instance_uid": "1.2",
        "sop_class_uid": "1.3",
        "frame_number": None,
        "z_mm": 1.0,
        "position_mm": (0.0, 0.0, 1.0),
        "orientation": (1.0, 0.0, 0.0, 0.0, 1.0, 0.0),
        "rows": 2,
        "columns": 3,
        "spacing_mm": (0.5, 0.7),
        "slope": 1.0,
        "intercept": -1024.0,
    }
    return Slice.model_validate(facts | changes)


def test_the_token_comes_back_exactly(tmp_path: Path) -> None:
    cache, token = cache_in(tmp_path), a_token()
    assert cache.load(KEY) is None
    cache.store(KEY, token)
    found = cache_in(tmp_path).load(KEY)
    assert found is not None
    np.testing.assert_array_equal(found.token, token.token)
    np.testing.assert_array_equal(found.patch_grid, token.patch_grid)
    np.testing.assert_array_equal(found.field_centre_px, token.field_centre_px)
    assert [path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.*")] == [f"digest/ab/{KEY}.npz"]


def test_each_model_has_its_own_tokens(tmp_path: Path) -> None:
    cache_in(tmp_path).store(KEY, a_token())
    assert TokenCache(tmp_path, "other", 4, (2, 3, 5)).load(KEY) is None


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.data())
def test_a_damaged_file_is_no_token_or_the_token(tmp_path: Path, data: st.DataObject) -> None:
    cache, token = cache_in(tmp_path), a_token()
    cache.store(KEY, token)
    path = next(tmp_path.rglob("*.npz"))
    content = bytearray(path.read_bytes())
    at = data.draw(st.integers(0, len(content) - 1))
    content[at] ^= data.draw(st.integers(1, 255))
    path.write_bytes(content[: data.draw(st.integers(0, len(content)))] if data.draw(st.booleans()) else content)
    found = cache.load(KEY)
    if found is not None:
        np.testing.assert_array_equal(found.token, token.token)
        np.testing.assert_array_equal(found.patch_grid, token.patch_grid)
        np.testing.assert_array_equal(found.field_centre_px, token.field_centre_px)


def test_a_token_of_other_shape_or_without_meaning_is_none(tmp_path: Path) -> None:
    cache_in(tmp_path).store(KEY, a_token())
    assert TokenCache(tmp_path, "digest", 5, (2, 3, 5)).load(KEY) is None
    assert TokenCache(tmp_path, "digest", 4, (2, 5, 3)).load(KEY) is None
    whole = a_token()
    nothing = np.full(4, np.nan, np.float32)
    for broken in (replace(whole, token=nothing), replace(whole, field_centre_px=nothing[:2])):
        cache_in(tmp_path).store(KEY, broken)
        assert cache_in(tmp_path).load(KEY) is None


def test_a_token_of_an_older_version_is_none(tmp_path: Path) -> None:
    """It was kept without the place of its field: the slice is encoded again."""
    cache, token = cache_in(tmp_path), a_token()
    cache.store(KEY, token)
    np.savez(next(tmp_path.rglob("*.npz")), token=token.token, patch_grid=token.patch_grid)
    assert cache.load(KEY) is None


def test_large_logits_are_clipped_not_infinite() -> None:
    large = np.full((2, 3, 3), -1e9, np.float32)
    assert np.isfinite(slice_token(np.zeros(4, np.float32), large, np.zeros(2, np.float32)).patch_grid).all()


PIXELS = np.arange(6, dtype=np.int16).reshape(2, 3)


@pytest.mark.parametrize(
    ("pixels", "changes"),
    [
        (PIXELS + 1, {}),
        (PIXELS.reshape(3, 2), {}),
        (PIXELS, {"slope": 2.0}),
        (PIXELS, {"intercept": 0.0}),
        (PIXELS, {"spacing_mm": (0.7, 0.5)}),
    ],
)
def test_the_key_follows_all_that_the_encoder_sees(pixels: np.ndarray, changes: dict) -> None:
    assert token_key(pixels.astype(np.int16), a_slice(**changes)) != token_key(PIXELS, a_slice())


def test_the_key_does_not_follow_where_the_pixels_came_from() -> None:
    other = a_slice(path=Path("b.dcm"), sop_instance_uid="9.9", z_mm=7.0)
    assert token_key(np.asfortranarray(PIXELS), other) == token_key(PIXELS, a_slice())
