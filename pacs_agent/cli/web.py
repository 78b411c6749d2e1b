"""`web`: the web server as a process."""

import click

from pacs_agent.cli.context import Agent, pass_agent
from pacs_agent.cli.ports import port_to_bind
from pacs_agent.console import InsecureStart, run_web
from pacs_agent.ops import configure_log


@click.command()
@pass_agent
def web(agent: Agent) -> None:
    """Run the web server alone."""
    configure_log(agent.settings.log_level, keep_in=agent.settings.data_dir, role="web")
    _ = agent.database  # at this version
    try:
        with port_to_bind(agent.settings.web.host, agent.settings.web.port, "web"):
            run_web(agent.settings)
    except InsecureStart as error:
        raise click.UsageError(str(error)) from error


COMMANDS = (web,)
