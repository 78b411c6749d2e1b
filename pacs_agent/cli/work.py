"""`work`: a worker as a process."""

import click

from pacs_agent.cli.context import Agent, pass_agent
from pacs_agent.ops import configure_log
from pacs_agent.pipeline import run_worker


@click.command()
@pass_agent
def work(agent: Agent) -> None:
    """Run one worker alone. Any number may run, on any number of hosts, against one Postgres."""
    configure_log(agent.settings.log_level, keep_in=agent.settings.data_dir, role="work")
    _ = agent.database  # at this version
    run_worker(agent.settings)


COMMANDS = (work,)
