"""The JSON of the models' pages."""

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from pacs_agent.console.frame import Asked, Page
from pacs_agent.inference import Comparison, Evaluated

NO_NULL = r"^[^\x00]*$"
"""Postgres keeps no text with a null character."""


class _Told(BaseModel):
    model_config = ConfigDict(use_attribute_docstrings=True)


class CheckDone(_Told):
    """One thing checked of a bundle."""

    name: str
    outcome: str
    """passed, failed or skipped"""
    found: str


class CheckNow(_Told):
    """The newest verification that somebody asked for."""

    state: str
    """running, passed, failed, or broken off"""
    started_at: datetime
    started_by: str
    finished_at: datetime | None
    expected: int
    """About how many checks there are."""
    checks: tuple[CheckDone, ...]


class RecallNow(_Told):
    """A recall that stands."""

    name: str
    version: str
    reason: str
    recalled_at: datetime
    recalled_by: str


class BundleShown(_Told):
    """One bundle in the folder of bundles."""

    folder: str
    name: str
    version: str
    use: str
    """in use, in shadow, installed, recalled, refused"""
    why: str
    """Why it is refused or recalled; else empty."""
    signed_by: str
    demo: bool
    task: str
    """report, segment; empty when it is refused"""
    findings: int
    """How many findings it reports."""
    structures: int
    """How many structures it outlines."""
    check: CheckNow | None


class ShadowShown(_Told):
    """A time in which a model read in the shadow."""

    id: int
    model: str
    started_at: datetime
    started_by: str
    ended_at: datetime | None
    ended_by: str


class ModelsPage(_Told):
    """All models."""

    bundles: tuple[BundleShown, ...]
    folder: str
    shadows: tuple[ShadowShown, ...]
    """Newest first."""
    recalls: tuple[RecallNow, ...]


class Activated(_Told):
    """A version that was put in use."""

    version: str
    activated_at: datetime
    activated_by: str


class StructureShown(_Told):
    """A structure that a segmenter outlines."""

    name: str
    kind: str
    """organ or lesion"""
    colour: tuple[int, int, int]
    """Red, green, blue, 0 to 255."""
    smallest_ml: float
    """Smaller parts are left out."""
    finding: str | None
    """Key of the finding that it measures."""


class BundlePage(_Told):
    """One bundle."""

    bundle: BundleShown
    digest: str
    key_id: str
    intended_use: str
    training_data: str
    manufacturer: str
    accepts: dict[str, str]
    """Which series it reads, in words."""
    structures: tuple[StructureShown, ...]
    """What it outlines; none for a bundle of task report."""
    evaluation: Evaluated | None
    card: str
    """The card, Markdown; empty without one."""
    pictures: tuple[str, ...]
    """Those that the card may show, by their paths in the bundle."""
    activations: tuple[Activated, ...]
    """Of all versions of this name, newest first."""
    results: int
    """How many results it has made, or measured for, counted up to 1000."""


Word = Annotated[str, Field(min_length=1, max_length=64, pattern=NO_NULL)]


class OfModel(_Told):
    """A model by its name."""

    name: Word


class OfVersion(OfModel):
    """A version of a model."""

    version: Word


class ToRecall(OfVersion):
    """A version whose results are not to be relied on, and why."""

    reason: str = Field(min_length=1, max_length=2000, pattern=NO_NULL)


class ResultsAsked(Asked, OfVersion):
    """The results of a version."""


class ResultShown(_Told):
    """One result."""

    job_id: str
    study_instance_uid: str
    created_at: datetime
    read_again: bool
    """A later job takes its place."""


class ResultList(Page[ResultShown]):
    """The results that a version of a model made, or measured for."""

    name: str
    version: str
    recall: RecallNow | None


class ShadowPage(_Told):
    """A shadow and how it compares with the model in use."""

    shadow: ShadowShown
    comparison: Comparison
