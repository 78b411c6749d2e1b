"""The bundles in the repository, by what they are for."""

import json
from pathlib import Path

from pacs_agent.config import REPOSITORY_BUNDLES
from pacs_agent.inference import bundle_folders, version_key


def readers() -> list[Path]:
    """The folders of those that read studies, the oldest version first."""
    return _of_task("report")


def segmenters() -> list[Path]:
    """The folders of those that segment, the oldest version first."""
    return _of_task("segment")


def staging() -> list[Path]:
    """The folders of those that read all series of a study together, the oldest version first."""
    return _of_task("staging")


def every() -> list[Path]:
    """The folders of all of them."""
    return [*readers(), *segmenters(), *staging()]


def reader() -> Path:
    """The newest of those that read studies."""
    return readers()[-1]


def _of_task(task: str) -> list[Path]:
    of_task = [folder for folder in bundle_folders(REPOSITORY_BUNDLES) if _task(folder) == task]
    return sorted(of_task, key=lambda folder: version_key(folder.name))


def _task(folder: Path) -> str:
    """Manifests of readers need not name theirs."""
    return str(json.loads((folder / "manifest.json").read_text(encoding="utf-8")).get("task", "report"))
