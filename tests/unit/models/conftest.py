"""The shipped bundle, as several tests read it."""

from pathlib import Path

import pytest

from models.msvlm.runtime import BundleRuntime
from tests import shipped


@pytest.fixture(scope="session")
def bundle() -> Path:
    """The newest bundle of a model that reads studies."""
    return shipped.reader()


@pytest.fixture(scope="session")
def runtime(bundle: Path) -> BundleRuntime:
    return BundleRuntime.open(bundle, threads=1)
