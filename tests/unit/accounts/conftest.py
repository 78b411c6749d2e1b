"""Fixtures of the accounts's tests."""

import pytest
from argon2 import PasswordHasher

from pacs_agent.accounts import passwords


@pytest.fixture(autouse=True)
def quick_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hashes that take no time: what is tested here is not how hard they are to guess."""
    monkeypatch.setattr(passwords, "HASHER", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
