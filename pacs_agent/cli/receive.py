"""`receive`: the DICOM listener as a process."""

import click

from pacs_agent.cli.context import Agent, pass_agent
from pacs_agent.cli.ports import port_to_bind
from pacs_agent.ops import configure_log
from pacs_agent.ops.dicom_tls import WrongTls
from pacs_agent.receive import run_receive


@click.command()
@pass_agent
def receive(agent: Agent) -> None:
    """Run the DICOM listener alone."""
    settings = agent.settings

    def keep_log() -> None:
        """Each process keeps files of its own."""
        configure_log(settings.log_level, keep_in=settings.data_dir, role="receive")

    keep_log()
    agent.database.close()  # it is at this version now
    with port_to_bind(settings.dimse.host, settings.dimse.port, "dimse"):
        try:
            run_receive(settings, prepare_child=keep_log)
        except WrongTls as error:
            raise click.UsageError(str(error)) from error


COMMANDS = (receive,)
