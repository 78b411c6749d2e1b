"""`backup` and `restore`: the agent's data in a folder, and back."""

from datetime import datetime
from pathlib import Path

import click
from rich import filesize

from pacs_agent.cli.context import Agent, console, pass_agent
from pacs_agent.ops.backup import BackupFailed, make_backup, restore_backup

folder_argument = click.argument("folder", type=click.Path(path_type=Path, file_okay=False))


@click.command()
@folder_argument
@click.option("--with-secrets", is_flag=True, help="Also passwords, keys and tokens; keep such a backup locked away.")
@click.option("--dated", is_flag=True, help="Make a folder below, named by the time.")
@pass_agent
def backup(agent: Agent, folder: Path, with_secrets: bool, dated: bool) -> None:
    """Back up database, archive and settings into a new folder, while the agent works."""
    folder = folder / datetime.now().astimezone().strftime("%Y-%m-%d-%H%M%S") if dated else folder
    file = agent.config or Path("agent.yaml")
    try:
        made = make_backup(agent.settings, agent.database, folder, with_secrets=with_secrets, settings_file=file)
    except BackupFailed as error:
        raise click.ClickException(str(error)) from error
    secrets = "with" if with_secrets else "without"
    console().print(f"{folder}: {len(made.files)} files, {filesize.decimal(made.size_bytes)}, {secrets} secrets")


@click.command()
@folder_argument
@pass_agent
def restore(agent: Agent, folder: Path) -> None:
    """Check a backup and restore it into the empty data_dir of the settings. Stop the agent before."""
    try:
        restored = restore_backup(agent.settings, folder)
    except BackupFailed as error:
        raise click.ClickException(str(error)) from error
    found = f"{restored.rows.get('studies', 0)} studies, {len(restored.files)} files, made at {restored.made_at}"
    console().print(f"{agent.settings.data_dir}: {found}; all digests and counts are those of the backup")
    _ = agent.database  # brought to this version
    if not restored.with_secrets:
        console().print("The backup has no secrets: set those of destinations and notifications again.")


COMMANDS = (backup, restore)
