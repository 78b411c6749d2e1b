"""`serve` runs the whole agent; `db upgrade` prepares its database."""

import click

from pacs_agent.accounts import accounts_exist
from pacs_agent.cli.context import Agent, console, pass_agent
from pacs_agent.console import is_open
from pacs_agent.ops import configure_log
from pacs_agent.ops.supervise import StartFailed, Supervisor

PROCESSES = ("receive", "work", "web", "bring-in")


@click.command()
@pass_agent
def serve(agent: Agent) -> None:
    """Run the whole agent: listener, worker, web server and transfers, each in a process of its own."""
    configure_log(agent.settings.log_level, keep_in=agent.settings.data_dir, role="serve")
    _ = agent.database  # brought to this version before anything starts
    supervisor = Supervisor(PROCESSES, config_arguments(agent))
    supervisor.start()
    print_addresses(agent)
    try:
        supervisor.run()
    except StartFailed as error:
        raise click.ClickException(f"{error}. Its message is above; `pacs-agent doctor` checks the rest.") from error


def config_arguments(agent: Agent) -> tuple[str, ...]:
    """The arguments that make a child process read the same settings file."""
    return ("--config", str(agent.config)) if agent.config else ()


def print_addresses(agent: Agent) -> None:
    """Says where the agent listens."""
    dimse, http = agent.settings.dimse, agent.settings.web
    if dimse.tls is None or not dimse.tls.only:
        console().print(f"DICOM     {dimse.ae_title} at {dimse.host}:{dimse.port}")
    if dimse.tls is not None:
        console().print(f"DICOM TLS {dimse.ae_title} at {dimse.host}:{dimse.tls.port}")
    console().print(f"Viewer    http://{http.host}:{http.port}/")
    console().print(f"DICOMweb  http://{http.host}:{http.port}/dicom-web")
    console().print(f"Console   http://{http.host}:{http.port}/console")
    console().print(f"Health    http://{http.host}:{http.port}/readyz")
    with agent.database.reading() as session:
        first = not accounts_exist(session) and is_open(http)
    if first:
        console().print(f"First     http://{http.host}:{http.port}/console/first creates the administrator")


@click.group()
def db() -> None:
    """The database."""


@db.command("upgrade")
@pass_agent
def db_upgrade(agent: Agent) -> None:
    """Create the tables, or bring them to this version. `serve` does it by itself."""
    _ = agent.database
    console().print(f"{agent.database.engine.url.render_as_string(hide_password=True)} is at this version")


COMMANDS = (serve, db)
