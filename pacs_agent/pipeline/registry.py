"""The pipelines a rule may name. A further pipeline is one file with its stages and one line here."""

from pacs_agent.pipeline.msvlm import MsVlm
from pacs_agent.pipeline.stages import StagesFactory

PIPELINES: dict[str, StagesFactory] = {"msvlm": MsVlm}
