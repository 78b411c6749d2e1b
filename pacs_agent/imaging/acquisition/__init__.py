"""Which acquisitions a study holds: stacks of slices with their plane, weighting, b-value, contrast and phase.

In: headers of the files of one study. Out: an AcquiredStudy of Stacks, every answer with the attribute that decided it,
and what was left out with its reason. Nothing fails: what a header does not tell is said to be unknown.
"""

from pacs_agent.imaging.acquisition.correction import Correction, Corrections, Values, no_corrections
from pacs_agent.imaging.acquisition.frame import LeftOut
from pacs_agent.imaging.acquisition.reconstructions import is_same_scan, reconstruction_order
from pacs_agent.imaging.acquisition.stack import Phase, Stack, StackFrame
from pacs_agent.imaging.acquisition.study import AcquiredStudy, group_study
from pacs_agent.imaging.acquisition.terms import Answer, BolusPhase, Component, Contrast, Nulling, Weighting
from pacs_agent.imaging.acquisition.words import Description, described

__all__ = [
    "AcquiredStudy",
    "Answer",
    "BolusPhase",
    "Component",
    "Contrast",
    "Correction",
    "Corrections",
    "Description",
    "LeftOut",
    "Nulling",
    "Phase",
    "Stack",
    "StackFrame",
    "Values",
    "Weighting",
    "described",
    "group_study",
    "is_same_scan",
    "no_corrections",
    "reconstruction_order",
]
