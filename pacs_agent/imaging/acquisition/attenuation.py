"""What CT images are: attenuation or images that nobody reads, original or computed, and by which reconstruction."""

import re

from pacs_agent.imaging.acquisition.elements import FrameElements
from pacs_agent.imaging.acquisition.terms import Answer, Component, Weighting
from pacs_agent.imaging.acquisition.words import Description
from pacs_agent.imaging.series import Plane

_LOCALIZER = re.compile(r"LOCALI[SZ]ER|SCOUT|SURVIEW|(?<![A-Z])TOP(?![A-Z])")
"""Image Type as PS3.3 C.8.2.1.1.1 has it, and `CT_SOM5 TOP`."""
_PAGE = re.compile(r"(?<![A-Z])PROT(?![A-Z])|DOSE|SCREEN ?SAVE")
"""`CT_SOM5 PROT` is the patient protocol, a page of text."""
_COMPUTED: tuple[tuple[Component, re.Pattern[str]], ...] = (
    (Component.SUBTRACTION, re.compile(r"SUBTRACT|(?<![A-Z])SUB(?![A-Z])")),
    (Component.PROJECTION, re.compile(r"(?<![A-Z])(?:MIP|MINIP|MAX_IP|MIN_IP|MAXIP|VRT|VOLREN)(?![A-Z])|PROJECTION")),
    (Component.REFORMAT, re.compile(r"(?<![A-Z])MPR(?![A-Z])|REFORMAT")),
)
"""Values of Image Type as vendors write them, among others `CT_SOM5 MPR`, `CSA MPR` and `REFORMATTED`."""


def weighting_of_ct(frame: FrameElements, description: Description) -> Answer[Weighting]:
    """Attenuation, but for localizers, the watching of a bolus, pages of text, and maps of iodine or perfusion."""
    for value in sorted(frame.frame_type):
        if _LOCALIZER.search(value):
            return Answer(Weighting.LOCALIZER, f"the image type holds {value}")
        if _PAGE.search(value):
            return Answer(Weighting.LOCALIZER, f"the image type holds {value}, a page and no slice")
    if description.weighting in (Weighting.LOCALIZER, Weighting.MAP):
        return Answer(description.weighting, f"SeriesDescription says {frame.text('SeriesDescription')}")
    return Answer(Weighting.ATTENUATION, "Modality is CT")


def component_of_ct(frame: FrameElements, description: Description, plane: Plane) -> Answer[Component]:
    """Whether slices are as reconstructed, or were computed from such. CT is acquired in axial slices."""
    for component, pattern in _COMPUTED:
        if found := sorted(value for value in frame.frame_type if pattern.search(value)):
            return Answer(component, f"the image type holds {found[0]}")
    if description.component in (Component.SUBTRACTION, Component.PROJECTION):
        return Answer(description.component, "the description says so")
    if description.is_reformat:
        return Answer(Component.REFORMAT, "the description says so")
    if "DERIVED" in frame.frame_type and plane is not Plane.AXIAL:
        return Answer(Component.REFORMAT, f"derived {plane.value} slices, and CT is acquired in axial ones")
    return Answer(Component.MAGNITUDE, "nothing says that it was computed from other slices")


def kernel_of(frame: FrameElements) -> str:
    """Convolution Kernel, its values joined by a backslash; empty where none is named. PS3.3 C.8.2.1, C.8.15.3.7."""
    return frame.text("ConvolutionKernel")
