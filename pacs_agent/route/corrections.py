"""What an administrator says of series whose images tell it wrongly, or not at all: plane, weighting, b-value, …

A correction is asked of every image by itself, as it is grouped into stacks; of each answer the first counts.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator
from pydicom.datadict import dictionary_VR

from pacs_agent.imaging import BolusPhase, Component, Contrast, Correction, Nulling, Plane, Values, Weighting
from pacs_agent.route.conditions import Attributes, Condition, Value, about_images, number
from pacs_agent.route.explanation import Explanation
from pacs_agent.route.keywords import NUMERIC_VRS

LARGEST_B_VALUE = 100_000
MOST_REMEMBERED = 10_000


class Said(BaseModel):
    """What images are; of what is left out, their own attributes are asked."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    plane: Plane | None = None
    weighting: Weighting | None = None
    nulling: Nulling | None = None
    contrast: Contrast | None = None
    bolus_phase: BolusPhase | None = None
    component: Component | None = None
    b_value: float | None = Field(None, ge=0, lt=LARGEST_B_VALUE, allow_inf_nan=False)

    @model_validator(mode="after")
    def _says_something(self) -> "Said":
        if not self.model_fields_set:
            raise ValueError(f"say what the images are: {', '.join(type(self).model_fields)}")
        if self.b_value is not None and self.weighting not in (None, Weighting.DIFFUSION):
            raise ValueError(f"images of weighting {self.weighting} have no b_value: only those of weighting DWI have")
        return self

    def in_words(self) -> str:
        """All of it, such as `weighting T2, plane axial`."""
        said = self.model_dump(exclude_none=True, mode="json")
        return ", ".join(
            f"{name.replace('_', '-')} {f'{value:g}' if isinstance(value, float) else value}"
            for name, value in said.items()
        )


class SeriesCorrection(BaseModel):
    """What images that fulfil a condition are, whatever they say themselves."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    name: Annotated[str, Field(min_length=1, max_length=64)]
    when: Annotated[Condition, AfterValidator(about_images)]
    is_: Said = Field(alias="is")
    enabled: bool = True

    def explain(self, attributes: Attributes) -> Explanation:
        """Whether it is about an image with these attributes, and why."""
        if not self.enabled:
            return Explanation(condition="not asked: the correction is not enabled", held=False)
        return self.when.explain(attributes)

    def for_imaging(self) -> Correction:
        """The same as imaging takes it."""
        return Correction(self.name, **self.is_.model_dump())


class Corrector:
    """The corrections of a book of rules, as imaging asks them of each image. Alike images are asked about once."""

    def __init__(self, corrections: Sequence[SeriesCorrection]) -> None:
        self._asked = [(one, one.for_imaging()) for one in corrections if one.enabled]
        self._keywords = sorted(frozenset().union(*(one.when.keywords() for one, _ in self._asked)))
        self._known: dict[tuple[tuple[str, ...], ...], tuple[Correction, ...]] = {}

    def __call__(self, values: Values) -> Sequence[Correction]:
        """Those that are about the image with these values."""
        if not self._asked:
            return ()
        key = tuple(values(keyword) for keyword in self._keywords)
        if key not in self._known:
            if len(self._known) >= MOST_REMEMBERED:
                self._known.clear()
            self._known[key] = self._about(dict(zip(self._keywords, key, strict=True)))
        return self._known[key]

    def _about(self, texts: Mapping[str, tuple[str, ...]]) -> tuple[Correction, ...]:
        attributes = {keyword: _as_rules_see(keyword, values) for keyword, values in texts.items()}
        return tuple(correction for one, correction in self._asked if one.explain(attributes).held)


def _as_rules_see(keyword: str, texts: Sequence[str]) -> tuple[Value, ...]:
    """The values of an image as conditions compare them: numbers where the attribute is one."""
    if dictionary_VR(keyword) not in NUMERIC_VRS:
        return tuple(text for text in texts if text)
    numbers = (number(text) for text in texts)
    return tuple(one for one in numbers if one is not None)
