"""Whether a bundle reads the images: the mean area of its items must fall when they are another patient's or nothing's.

As `models.evaluation.grounding` of the chest model, on items instead of a report's findings.
"""

from models.evaluation.metrics import Figure

MARGIN = 0.10
"""By how much of the mean area the right study must lead a wrong one."""


def reasons(right: Figure, shuffled: Figure, blanked: Figure) -> tuple[str, ...]:
    """Why a bundle is not accepted; empty when it reads the images. A figure that is missing counts as failed."""
    area, *controls = (float("nan") if one["value"] is None else one["value"] for one in (right, shuffled, blanked))
    named = zip(("another patient's study", "blank tokens"), controls, strict=True)
    return tuple(
        f"the mean area {area:.2f} does not exceed the {control:.2f} with {name} by {MARGIN:.2f}"
        for name, control in named
        if not area - control >= MARGIN
    )
