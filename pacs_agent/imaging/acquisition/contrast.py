"""Whether a frame was taken before or after contrast agent was given, as far as the frame itself can tell."""

from pacs_agent.imaging.acquisition.bolus import is_for_the_bowel
from pacs_agent.imaging.acquisition.clock import acquired_at_s, bolus_start_s
from pacs_agent.imaging.acquisition.elements import FrameElements
from pacs_agent.imaging.acquisition.terms import Answer, Contrast
from pacs_agent.imaging.acquisition.words import Description

_NO_AGENT = frozenset({"", "0", "N", "NO", "NONE", "NEIN", "KEIN", "KEINES", "NO CONTRAST", "WITHOUT", "OHNE", "N/A"})


def contrast_of(frame: FrameElements, description: Description) -> Answer[Contrast]:
    """Before or after contrast, with the attribute that decided. PS3.3 C.7.6.4, C.7.6.16.2.12.

    Contrast/Bolus Agent names what the examination used, and many scanners write it in the images before the bolus
    too. So it is believed where nothing says `native` or `pre`, and it is UNCERTAIN: the study's other images decide.
    """
    agent_phase = frame.text("ContrastBolusAgentPhase").upper()
    if agent_phase:
        before = agent_phase == "PRE_CONTRAST"
        return Answer(Contrast.BEFORE if before else Contrast.AFTER, f"ContrastBolusAgentPhase is {agent_phase}")
    administered = frame.text("ContrastBolusAgentAdministered").upper()
    if administered in ("YES", "NO"):
        value = Contrast.AFTER if administered == "YES" else Contrast.BEFORE
        return Answer(value, f"ContrastBolusAgentAdministered is {administered}")
    agent = _agent(frame)
    if agent.upper() not in _NO_AGENT and not is_for_the_bowel(frame, agent):
        return _of_named_agent(frame, agent, description)
    if description.contrast is not None:
        return Answer(description.contrast, "the description says so, no agent is named")
    return Answer(Contrast.NONE_NAMED, "neither attributes nor description name contrast")


def _of_named_agent(frame: FrameElements, agent: str, description: Description) -> Answer[Contrast]:
    start_s, frame_s = bolus_start_s(frame), acquired_at_s(frame)
    if start_s is not None and frame_s.value is not None:
        before = frame_s.value < start_s
        order = "before" if before else "not before"
        reason = f"{frame_s.reason} is {order} ContrastBolusStartTime"
        return Answer(Contrast.BEFORE if before else Contrast.AFTER, reason)
    if description.contrast is Contrast.BEFORE:
        return Answer(Contrast.BEFORE, f"the description says so; ContrastBolusAgent {agent} does not say when")
    if description.contrast is Contrast.AFTER:
        return Answer(Contrast.AFTER, f"ContrastBolusAgent is {agent}, and the description says after contrast")
    return Answer(Contrast.UNCERTAIN, f"ContrastBolusAgent is {agent}")


def _agent(frame: FrameElements) -> str:
    """Contrast/Bolus Agent, or the meaning of its code."""
    if agent := frame.text("ContrastBolusAgent"):
        return agent
    coded = frame.item("ContrastBolusAgentSequence")
    return coded.text("CodeMeaning") if coded is not None else ""
