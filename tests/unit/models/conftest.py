"""The shipped bundle, as several tests read it."""

from pathlib import Path

import pytest

from models.msvlm.runtime import BundleRuntime
from pacs_agent.config import REPOSITORY_BUNDLES
from pacs_agent.inference import bundle_folders, version_key


@pytest.fixture(scope="session")
def bundle() -> Path:
    """The newest bundle in the repository."""
    return max(bundle_folders(REPOSITORY_BUNDLES), key=lambda folder: version_key(folder.name))


@pytest.fixture(scope="session")
def runtime(bundle: Path) -> BundleRuntime:
    return BundleRuntime.open(bundle, threads=1)
