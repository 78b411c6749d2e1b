"""What the pixels of a frame show of the signal: magnitude, phase, a Dixon part, a subtraction or a projection."""

from pacs_agent.imaging.acquisition.elements import FrameElements
from pacs_agent.imaging.acquisition.terms import Answer, Component
from pacs_agent.imaging.acquisition.words import Description

_BY_IMAGE_TYPE: tuple[tuple[Component, frozenset[str]], ...] = (
    (Component.SUBTRACTION, frozenset({"SUBTRACTION", "SUBTRACT", "SUB"})),
    (Component.PROJECTION, frozenset({"MIP", "MINIP", "MAX_IP", "MIN_IP", "MAXIP", "MNIP", "PROJECTION IMAGE"})),
    (Component.WATER, frozenset({"WATER", "W"})),
    (Component.FAT, frozenset({"FAT", "F"})),
    (Component.IN_PHASE, frozenset({"IN_PHASE", "INPHASE", "IP"})),
    (Component.OPPOSED_PHASE, frozenset({"OUT_PHASE", "OPP_PHASE", "OPPOSED_PHASE", "OUT_OF_PHASE", "OP"})),
    (Component.PHASE, frozenset({"P", "PHASE", "PHASE MAP", "PHASE_MAP"})),
    (Component.REAL, frozenset({"R", "REAL"})),
    (Component.IMAGINARY, frozenset({"I", "IMAGINARY"})),
)
"""Values of Image Type as vendors write them."""
_BY_TERM = {one.name: one for one in (Component.PHASE, Component.REAL, Component.IMAGINARY)}


def component_of(frame: FrameElements, description: Description) -> Answer[Component]:
    """What the pixels show; magnitude unless something says otherwise. PS3.3 C.8.13.3.1.1."""
    term = frame.text("ComplexImageComponent").upper()
    if term in _BY_TERM:
        return Answer(_BY_TERM[term], f"ComplexImageComponent is {term}")
    frame_type = frame.frame_type
    for component, values in _BY_IMAGE_TYPE:
        if found := frame_type & values:
            return Answer(component, f"the image type holds {min(found)}")
    if description.component is not None:
        return Answer(description.component, "the description says so")
    return Answer(Component.MAGNITUDE, "nothing names another part of the signal")
