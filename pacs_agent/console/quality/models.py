"""The JSON of the page of quality."""

from pydantic import BaseModel, ConfigDict, Field

from pacs_agent.inference import ModelDrift, Share


class _Told(BaseModel):
    model_config = ConfigDict(use_attribute_docstrings=True)


class QualityAsked(BaseModel):
    """Which weeks and which model."""

    weeks: int = Field(12, ge=1, le=104, description="weeks up to now")
    model: str = Field("", max_length=129, description="name and version, with a space between; empty for all")


class Handled(_Told):
    """What reviewers made of one finding of one version, over all weeks asked for."""

    model: str
    """Name and version."""
    finding: str
    """Its key."""
    name: str
    accepted: Share
    edited: Share
    rejected: Share
    """Of all that the model had said and a reviewer handled."""
    added: int
    """How often a reviewer added it where the model had said nothing."""
    weeks: tuple[tuple[int, int, int, int], ...]
    """Accepted, edited, rejected and added in each week."""


class QualityPage(_Told):
    """Reviews and drift."""

    weeks: tuple[str, ...]
    """Mondays, oldest first; the last week is the present one."""
    models: tuple[str, ...]
    """Name and version of each model that read or was reviewed in these weeks."""
    handled: tuple[Handled, ...]
    drift: tuple[ModelDrift, ...]
