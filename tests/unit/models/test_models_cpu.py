"""Arithmetic that every CPU can do."""

import subprocess
import sys

import pytest

BFLOAT16 = """
import models
import torch

layer = torch.nn.Linear(64, 192)
with torch.autocast("cpu", torch.bfloat16):
    print(layer(torch.zeros(8, 64)).dtype)
"""


@pytest.mark.slow
@pytest.mark.train
def test_products_in_bfloat16_are_instructions_that_this_cpu_has() -> None:
    """One that is not ends a process, so it is tried in another."""
    pytest.importorskip("torch")
    done = subprocess.run([sys.executable, "-c", BFLOAT16], capture_output=True, text=True)
    assert (done.returncode, done.stdout.strip()) == (0, "torch.bfloat16"), done.stderr
