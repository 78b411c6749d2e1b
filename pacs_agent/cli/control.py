"""`force`, `rerun`, `cancel`: what an operator does to a study or a job."""

from collections.abc import Callable

import click
from rich.markup import escape

from pacs_agent import assemble, pipeline
from pacs_agent.cli.context import Agent, console, pass_agent

ACTOR = "command line"


@click.command()
@click.argument("study_instance_uid")
@pass_agent
def force(agent: Agent, study_instance_uid: str) -> None:
    """Take a study as complete now, without waiting for its quiet time."""
    try:
        completion = assemble.force(agent.database, agent.archive, study_instance_uid, actor=ACTOR)
    except assemble.UnknownStudy as error:
        raise click.ClickException(str(error)) from error
    console().print(f"{study_instance_uid}: {escape(completion.summary)}")


@click.command()
@click.argument("job_id")
@pass_agent
def rerun(agent: Agent, job_id: str) -> None:
    """Run a failed or canceled job again. What it has made already stays; what is delivered is not sent twice."""
    _act(pipeline.rerun, agent, job_id, "queued again")


@click.command()
@click.argument("job_id")
@pass_agent
def cancel(agent: Agent, job_id: str) -> None:
    """Cancel a job that is queued or running. Nothing more of it is delivered."""
    _act(pipeline.cancel, agent, job_id, "canceled")


def _act(act: Callable[..., None], agent: Agent, job_id: str, done: str) -> None:
    try:
        act(agent.database, job_id, actor=ACTOR)
    except pipeline.JobStateError as error:
        raise click.ClickException(str(error)) from error
    console().print(f"{job_id}: {done}")


COMMANDS = (force, rerun, cancel)
