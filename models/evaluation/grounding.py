"""Whether a bundle reads the image: its figures must fall when the image is another's or nothing's.

The sensitivity rule of the evaluation. A model that has learned what reports usually say keeps its F1 under shuffling;
it must not be activated, however good the figure looks.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

MARGIN = 0.10
"""By how much the report's F1 must exceed that of the wrong study and of the blank one."""


@dataclass(frozen=True)
class Grounded:
    """The F1 of the reports of the right studies and of the controls; `reasons` why it is not accepted."""

    correct: float
    shuffled: float
    blanked: float
    margin: float = MARGIN

    @property
    def reasons(self) -> tuple[str, ...]:
        """Empty when the model reads the image."""
        controls = {"another patient's study": self.shuffled, "tokens without content": self.blanked}
        return tuple(
            f"report F1 {self.correct:.3f} does not exceed the {value:.3f} with {name} by {self.margin:.2f}"
            for name, value in controls.items()
            if not self.correct - value >= self.margin
        )


def grounded(evaluation: Mapping[str, Any]) -> Grounded:
    """The figures of evaluation.json on which the rule rests; one that is missing counts as failed."""
    names = ("report_macro_f1", "report_macro_f1_shuffled", "report_macro_f1_blanked")
    values = [evaluation.get(name, {}).get("value") for name in names]
    correct, shuffled, blanked = (float("nan") if value is None else float(value) for value in values)
    return Grounded(correct, shuffled, blanked)


def reads_the_image(evaluation: Mapping[str, Any]) -> bool:
    """Whether the report's F1 falls under shuffling and under blanking, by at least MARGIN."""
    return not grounded(evaluation).reasons
