"""`force`, `rerun`, `cancel` and the like: what an operator does to a study, a job or the whole queue."""

from collections.abc import Callable

import click
from rich.markup import escape

from pacs_agent import assemble
from pacs_agent import pipeline as control
from pacs_agent.archive import NotArchived, StudyInUse, remove_study
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
    _act(control.rerun, agent, job_id, "queued again")


@click.command("rerun-all")
@click.option("--pipeline", default="", help="Only jobs of this pipeline.")
@click.option("--destination", default="", help="Only jobs that did not reach this destination.")
@click.option("--error", default="", help="Only jobs whose reason has this in it.")
@pass_agent
def rerun_all(agent: Agent, pipeline: str, destination: str, error: str) -> None:
    """Run all failed jobs again, or those that the options name."""
    which = control.DeadLetters(pipeline=pipeline, destination=destination, error=error)
    queued = control.rerun_all(agent.database, which, actor=ACTOR)
    more = "; there may be more: run this again" if queued == control.RERUN_AT_ONCE else ""
    console().print(f"{queued} jobs queued again{more}")


@click.command()
@click.argument("job_id")
@pass_agent
def resend(agent: Agent, job_id: str) -> None:
    """Send the objects of a job that is done to all its destinations once more. Nothing is read again."""
    _act(control.send_again, agent, job_id, "queued, its objects are sent again")


@click.command()
@click.argument("job_id")
@click.argument("priority", type=int)
@pass_agent
def reprioritise(agent: Agent, job_id: str, priority: int) -> None:
    """Give a waiting job another priority; the lowest number is read first."""
    _act(control.reprioritise, agent, job_id, f"now of priority {priority}", priority=priority)


@click.command()
@click.option("--reason", default="", help="Shown to everybody while the work is suspended.")
@pass_agent
def suspend(agent: Agent, reason: str) -> None:
    """Let no worker begin a job until `resume`, also after a restart. What has begun goes on to its end."""
    done = control.suspend(agent.database, actor=ACTOR, reason=reason)
    console().print("The work is suspended." if done else "The work was suspended already.")


@click.command()
@pass_agent
def resume(agent: Agent) -> None:
    """Let the workers begin jobs again."""
    done = control.resume(agent.database, actor=ACTOR)
    console().print("The work goes on." if done else "Nothing was suspended.")


@click.command("delete-study")
@click.argument("study_instance_uid")
@click.option("--even-undelivered", is_flag=True, help="Also when a destination does not have all of its results.")
@click.confirmation_option(prompt="Its images, results, jobs and reviews are removed for good. Delete it?")
@pass_agent
def delete_study(agent: Agent, study_instance_uid: str, even_undelivered: bool) -> None:
    """Delete a study from the archive and the index: files, rows, slice tokens. Not while a job of it runs."""
    try:
        removed = remove_study(agent.archive, study_instance_uid, actor=ACTOR, even_undelivered=even_undelivered)
    except (NotArchived, StudyInUse) as error:
        raise click.ClickException(str(error)) from error
    console().print(f"{study_instance_uid}: deleted, {removed.instances} instances")


@click.command()
@click.argument("job_id")
@pass_agent
def cancel(agent: Agent, job_id: str) -> None:
    """Cancel a job that is queued or running. Nothing more of it is delivered."""
    _act(control.cancel, agent, job_id, "canceled")


def _act(act: Callable[..., None], agent: Agent, job_id: str, done: str, **how: int) -> None:
    try:
        act(agent.database, job_id, actor=ACTOR, **how)
    except control.JobStateError as error:
        raise click.ClickException(str(error)) from error
    console().print(f"{job_id}: {done}")


COMMANDS = (force, rerun, rerun_all, resend, cancel, reprioritise, suspend, resume, delete_study)
