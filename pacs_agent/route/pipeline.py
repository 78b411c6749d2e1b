"""What a rule may call a pipeline: by its name, or with the model that alone is to read: `msvlm:rectal-mr`."""

from typing import Annotated, NamedTuple, TypeAlias

from pydantic import AfterValidator, Field

from pacs_agent.db import OWN_PIPELINES

NAME = r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}"


class PipelineAsked(NamedTuple):
    """A pipeline, and the name of the model that is to read; empty for any of those in use."""

    pipeline: str
    model: str


def pipeline_asked(text: str) -> PipelineAsked:
    """What a rule or a job says of its pipeline, taken apart."""
    pipeline, _, model = text.partition(":")
    return PipelineAsked(pipeline, model)


def _not_our_own(text: str) -> str:
    if (pipeline := pipeline_asked(text).pipeline) in OWN_PIPELINES:
        raise ValueError(f"the pipeline {pipeline} is the agent's own; name one that reads studies")
    return text


Pipeline: TypeAlias = Annotated[str, Field(pattern=f"^{NAME}(:{NAME})?$", max_length=64), AfterValidator(_not_our_own)]
