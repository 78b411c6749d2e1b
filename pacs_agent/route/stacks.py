"""A condition about stacks of slices: what a series holds by its images, whatever it is called.

It is asked of what a rule expects alone: it reads the headers of all images of a study that the rule matches.
"""

from collections.abc import Iterator, Sequence
from typing import Protocol, runtime_checkable

from pydantic import BaseModel, ConfigDict, model_validator

from pacs_agent.imaging import BolusPhase, Component, Contrast, Nulling, Plane, Stack, Weighting
from pacs_agent.route.limits import Limits

TERMS = ("plane", "weighting", "nulling", "contrast", "bolus_phase", "component")


@runtime_checkable
class WithStacks(Protocol):
    """Attributes that know the stacks of their images."""

    @property
    def stacks(self) -> Sequence[Stack]:
        """In the order of the study."""


class WantedStack(BaseModel):
    """A stack that a rule asks for; what is left out does not matter."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    plane: Plane | None = None
    weighting: Weighting | None = None
    nulling: Nulling | None = None
    contrast: Contrast | None = None
    bolus_phase: BolusPhase | None = None
    """Of CT alone."""
    component: Component | None = None
    b_value: Limits | None = None
    """In s/mm²."""
    phase: Limits | None = None
    """Its number among the acquisitions of one place, from 1; a place that was taken once has none."""
    slices: Limits | None = None

    @model_validator(mode="after")
    def _asks_something(self) -> "WantedStack":
        if not self.model_fields_set:
            raise ValueError(f"say what the stack is: {', '.join(type(self).model_fields)}")
        return self

    def is_met_by(self, stack: Stack) -> bool:
        """Whether a stack is what is asked for."""
        terms = all(getattr(self, term) in (None, getattr(stack, term).value) for term in TERMS)
        return terms and all(limits.holds(found) for limits, found in self._measured(stack) if limits is not None)

    def _measured(self, stack: Stack) -> Iterator[tuple[Limits | None, float | None]]:
        phase = stack.phase.value
        yield self.b_value, stack.b_value.value
        yield self.phase, phase.number if phase is not None else None
        yield self.slices, len(stack.frames)

    def in_words(self) -> str:
        """All of it, such as `weighting DWI, b-value at least 600`."""
        terms = [f"{term.replace('_', '-')} {value}" for term in TERMS if (value := getattr(self, term)) is not None]
        limits = (("b-value", self.b_value), ("phase", self.phase), ("slices", self.slices))
        return ", ".join([*terms, *(f"{name} {one.in_words()}" for name, one in limits if one is not None)])
