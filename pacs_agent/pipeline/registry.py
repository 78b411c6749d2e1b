"""The pipelines a rule may name, and the agent's own of a shadow. A further one is one file and one line here."""

from pacs_agent.db import SHADOW_PIPELINE
from pacs_agent.pipeline.msvlm import MsVlm
from pacs_agent.pipeline.shadow import Shadow
from pacs_agent.pipeline.stages import StagesFactory
from pacs_agent.pipeline.staging import STAGING, Staging

PIPELINES: dict[str, StagesFactory] = {"msvlm": MsVlm, STAGING: Staging, SHADOW_PIPELINE: Shadow}
