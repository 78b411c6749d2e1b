"""What people say of images that tell it wrongly, or not at all: it stands before all that the images say."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from pacs_agent.imaging.acquisition.terms import Answer, BolusPhase, Component, Contrast, Nulling, Weighting
from pacs_agent.imaging.series import Plane

T = TypeVar("T")


@dataclass(frozen=True)
class Correction:
    """What is said of an image; of what is None its own attributes are asked."""

    name: str
    plane: Plane | None = None
    weighting: Weighting | None = None
    nulling: Nulling | None = None
    contrast: Contrast | None = None
    bolus_phase: BolusPhase | None = None
    component: Component | None = None
    b_value: float | None = None
    """In s/mm²; it counts for diffusion-weighted images alone."""


Values = Callable[[str], tuple[str, ...]]
"""The values of an attribute of one image or frame, by its keyword."""
Corrections = Callable[[Values], Sequence[Correction]]
"""Those that are about an image, in their order: of each answer the first that gives it counts."""


def no_corrections(_values: Values) -> Sequence[Correction]:
    """Every image is what it says itself."""
    return ()


def corrected(answer: Answer[T], corrections: Sequence[Correction], what: str) -> Answer[T]:
    """The answer of the first correction that gives one, and what the image says itself; else the answer as it is."""
    for one in corrections:
        if (value := getattr(one, what)) is not None:
            reason = f"correction “{one.name}” of the rules says so; by itself: {answer.value}, {answer.reason}"
            return Answer(value, reason, one.name)
    return answer
