"""Where the bolus was when CT images were taken: by the attribute that says so, else by the description."""

from pacs_agent.imaging.acquisition.elements import FrameElements
from pacs_agent.imaging.acquisition.terms import Answer, BolusPhase
from pacs_agent.imaging.acquisition.words import Description
from pacs_agent.imaging.acquisition.words_of_ct import any_word

_TERMS = {one.name: one for one in BolusPhase}
"""Contrast/Bolus Agent Phase (0018,9344); its other terms, such as DYNAMIC, name no place. PS3.3 C.7.6.16.2.12."""
_BOWEL = any_word(r"oral\w*", r"re[ck]tal\w*", r"p\.? ?o\.?", r"per ?os", r"enteral\w*")
_VESSEL = any_word(r"i\.? ?v\.?", r"intra ?-?ven\w*")


def bolus_phase_of(frame: FrameElements, description: Description) -> Answer[BolusPhase | None]:
    """Where the bolus was, with what decided; None where nothing says so."""
    term = frame.text("ContrastBolusAgentPhase").upper()
    if term in _TERMS:
        return Answer(_TERMS[term], f"ContrastBolusAgentPhase is {term}")
    if description.bolus_phase is not None:
        return Answer(description.bolus_phase, "the description says so")
    return Answer(None, "neither attributes nor description say where the bolus was")


def is_for_the_bowel(frame: FrameElements, agent: str) -> bool:
    """Whether an agent was swallowed or given by the rectum alone, so that no vessel has it. PS3.3 C.7.6.4."""
    said = f"{agent} {frame.text('ContrastBolusRoute')}".lower()
    return _BOWEL.search(said) is not None and _VESSEL.search(said) is None
