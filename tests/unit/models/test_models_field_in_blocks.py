"""The pre-processing for the CPU gives what the plain definition gives, whatever the size and spacing of slices."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch")
from models.msvlm.field_in_blocks import field_in_blocks  # noqa: E402
from models.msvlm.preprocess import AIR_HU, field_of_body  # noqa: E402

pytestmark = pytest.mark.train

ROUNDING_HU = 2e-3
"""Sums of some hundred products of up to 4096 HU in fp32, in another order."""
SPACING_MM = st.floats(0.02, 6.0)


@settings(deadline=None)
@given(
    st.integers(0, 2**31),
    st.integers(4, 90),
    st.integers(4, 90),
    SPACING_MM,
    SPACING_MM,
    st.sampled_from([0.7, 1.4, 3]),
)
def test_blocks_give_the_field_of_the_plain_definition(seed, rows, columns, row_mm, column_mm, pixel_mm):
    generator = torch.Generator().manual_seed(seed)
    hu = torch.randint(-1024, 3071, (2, rows, columns), generator=generator).to(torch.float32)
    spacing_mm = torch.tensor([[row_mm, column_mm], [column_mm, row_mm]])
    plain, plain_centre = field_of_body(hu, spacing_mm, (48, 40), pixel_mm)
    blocks, centre = field_in_blocks(hu, spacing_mm, (48, 40), pixel_mm)
    assert torch.equal(centre, plain_centre)
    assert (blocks - plain).abs().max() < ROUNDING_HU


def test_outside_the_image_is_air():
    field, _ = field_in_blocks(torch.full((1, 50, 60), 40.0), torch.ones(1, 2), (96, 128), 1.0)
    assert torch.allclose(field[0, 40:60, 50:70], torch.tensor(40.0), atol=1e-3)
    assert torch.allclose(field[0, 0], torch.tensor(AIR_HU))
