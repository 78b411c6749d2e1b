"""What a model says of the series it can read; the manifest of a bundle carries it."""

from pydantic import BaseModel, ConfigDict, Field

from pacs_agent.imaging.series import Plane


class AcceptedInput(BaseModel):
    """Which series the model can read. Lengths in mm."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    modalities: tuple[str, ...]
    body_parts: tuple[str, ...]
    """BodyPartExamined values taken; a series that names none is judged by its description and geometry."""
    planes: tuple[Plane, ...]
    min_slices: int = Field(ge=1)
    max_slices: int
    min_thickness_mm: float
    max_thickness_mm: float
    min_coverage_mm: float
