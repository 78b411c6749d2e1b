"""`serve`, `receive`, `work`, `web` and `db upgrade`: the agent's processes."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager

import click

from pacs_agent import pipeline, receive, web
from pacs_agent.cli.context import Agent, console, pass_agent
from pacs_agent.ops import configure_log
from pacs_agent.ops.supervise import StartFailed, Supervisor


@click.command()
@pass_agent
def serve(agent: Agent) -> None:
    """Run the whole agent: listener, worker and web server, each in a process of its own."""
    configure_log(agent.settings.log_level)
    _ = agent.database  # brought to this version before anything starts
    supervisor = Supervisor(("receive", "work", "web"), config_arguments(agent))
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
    console().print(f"DICOM     {dimse.ae_title} at {dimse.host}:{dimse.port}")
    console().print(f"DICOMweb  http://{http.host}:{http.port}/dicom-web")
    console().print(f"Health    http://{http.host}:{http.port}/readyz")


@click.command("receive")
@pass_agent
def receive_(agent: Agent) -> None:
    """Run the DICOM listener alone."""
    configure_log(agent.settings.log_level)
    dimse = agent.settings.dimse
    with _port_to_bind(dimse.host, dimse.port, "dimse"):
        receive.run_receive(agent.settings)


@click.command()
@pass_agent
def work(agent: Agent) -> None:
    """Run one worker alone. Any number may run, on any number of hosts, against one Postgres."""
    configure_log(agent.settings.log_level)
    pipeline.run_worker(agent.settings)


@click.command("web")
@pass_agent
def web_(agent: Agent) -> None:
    """Run the web server alone."""
    configure_log(agent.settings.log_level)
    http = agent.settings.web
    try:
        with _port_to_bind(http.host, http.port, "web"):
            web.run_web(agent.settings)
    except web.InsecureStart as error:
        raise click.UsageError(str(error)) from error


@contextmanager
def _port_to_bind(host: str, port: int, section: str) -> Iterator[None]:
    """Says in words what is wrong with an address that cannot be bound; the process then ends with code 2."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.EADDRINUSE, errno.EADDRNOTAVAIL, errno.EACCES):
            raise
        advice = f"change {section}.host or {section}.port, or stop the other program"
        raise click.UsageError(f"{host}:{port} cannot be bound: {error.strerror}; {advice}") from error


@click.group()
def db() -> None:
    """The database."""


@db.command("upgrade")
@pass_agent
def db_upgrade(agent: Agent) -> None:
    """Create the tables, or bring them to this version. `serve` does it by itself."""
    _ = agent.database
    console().print(f"{agent.database.engine.url.render_as_string(hide_password=True)} is at this version")


COMMANDS = (serve, receive_, work, web_, db)
