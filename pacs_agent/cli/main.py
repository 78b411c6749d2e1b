"""The group of all commands; each subject is a file beside this one."""

from pathlib import Path

import click

from pacs_agent import __version__
from pacs_agent.cli import demo, doctor, models, peers, rules, send, serve, studies
from pacs_agent.cli.context import Agent


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="pacs-agent")
@click.option(
    "--config",
    type=click.Path(path_type=Path, dir_okay=False),
    envvar="PACS_AGENT_CONFIG",
    help="Settings file; default is agent.yaml in this folder, if there is one.",
)
@click.pass_context
def main(context: click.Context, config: Path | None) -> None:
    """AI reading of CT and MR studies inside a hospital's own PACS."""
    context.obj = Agent(config)


for subject in (serve, demo, send, studies, peers, rules, models, doctor):
    for command in subject.COMMANDS:
        main.add_command(command)
