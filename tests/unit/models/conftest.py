"""The shipped bundle, and phantoms that several tests share."""

from pathlib import Path

import pytest

from models.msvlm.runtime import BundleRuntime

ROOT = Path(__file__).parents[3]
BUNDLE = ROOT / "models" / "bundles" / "msvlm-thorax-demo-0.1.0"


@pytest.fixture(scope="session")
def bundle() -> Path:
    return BUNDLE


@pytest.fixture(scope="session")
def runtime(bundle: Path) -> BundleRuntime:
    return BundleRuntime.open(bundle, threads=1)
