"""`receive`: the DICOM listener as a process."""

import click

from pacs_agent.cli.context import Agent, pass_agent
from pacs_agent.cli.ports import port_to_bind
from pacs_agent.ops import configure_log
from pacs_agent.receive import run_receive


@click.command()
@pass_agent
def receive(agent: Agent) -> None:
    """Run the DICOM listener alone."""
    configure_log(agent.settings.log_level, keep_in=agent.settings.data_dir, role="receive")
    _ = agent.database  # at this version
    with port_to_bind(agent.settings.dimse.host, agent.settings.dimse.port, "dimse"):
        run_receive(agent.settings)


COMMANDS = (receive,)
