"""Which stacks of CT are reconstructions of one scan, and which of them suits soft tissue best."""

from pacs_agent.imaging.acquisition.cover import is_same_place
from pacs_agent.imaging.acquisition.stack import Stack
from pacs_agent.imaging.acquisition.terms import Component, Contrast
from pacs_agent.imaging.kernel import Sharpness, sharpness_of


def is_same_scan(stack: Stack, other: Stack) -> bool:
    """Whether two parallel stacks of CT show one place in one phase: by other kernels, in other thicknesses."""
    if not stack.modality == other.modality == "CT" or _told(stack) != _told(other):
        return False
    return is_same_place(stack, other)


def _told(stack: Stack) -> tuple[int, Contrast]:
    phase = stack.phase.value
    return phase.number if phase else 0, stack.contrast.value


def reconstruction_order(stack: Stack) -> tuple[bool, Sharpness, float, int, int, str]:
    """Orders the reconstructions of a scan for a model of soft tissue, the first one first.

    Originals before reformats, soft before sharp kernels, thin before thick slices, many before few.
    """
    is_reformat = stack.component.value is Component.REFORMAT
    apart_mm = round(stack.gaps_mm[1], 2) if stack.gaps_mm else 0.0
    sharpness = sharpness_of(stack.kernel)
    return is_reformat, sharpness, apart_mm, -len(stack.frames), stack.series_number, stack.series_instance_uid
