"""Draws a case: who the person is, which findings there are, where, and what is true of each.

In: a seed, and the findings asked for. Out: a `Case` of shapes in mm, and of truths that a report may state. Nothing
here knows a pixel grid.
"""

from models.phantoms.plan.case import Case, Truth
from models.phantoms.plan.cases import NORMAL_SHARE, PREVALENCE, draw_case, draw_findings

__all__ = ["NORMAL_SHARE", "PREVALENCE", "Case", "Truth", "draw_case", "draw_findings"]
