import pytest
from held_out_study import held_out

from models.evaluation.heldout import HeldOutStudy


@pytest.fixture
def study() -> HeldOutStudy:
    return held_out()
