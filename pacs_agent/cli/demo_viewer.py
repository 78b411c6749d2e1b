"""What the demo offers at its end: its studies in the viewer, and an account to review them with."""

import secrets
from collections.abc import Sequence

from rich.console import Console

from pacs_agent import accounts
from pacs_agent.cli.context import Agent
from pacs_agent.console.viewer import ViewerMissing, find_viewer, study_address

LOGIN = "demo"
NAME = "Dr. Demo Radiologist"
PERSON_NAME = "Radiologist^Demo^^Dr."


def offer_viewer(out: Console, agent: Agent, study_instance_uids: Sequence[str], chapter: int) -> None:
    """Adds an account with a password of its own for every run, and says where to open the studies."""
    password = secrets.token_urlsafe(12)
    with agent.database.writing() as session:
        accounts.add_account(
            session,
            actor="demo",
            login=LOGIN,
            name=NAME,
            person_name=PERSON_NAME,
            roles=[accounts.Role.REVIEWER],
            password=password,
        )
    out.print(f"\n[bold]{chapter}  In the viewer[/], with the reading beside the images and its review")
    for uid in study_instance_uids:
        out.print(f"   {study_address(agent.settings.web, uid)}", soft_wrap=True)
    out.print(f"   log in as [bold]{LOGIN}[/] with the password [bold]{password}[/] (new in every run)")
    try:
        find_viewer(agent.settings.web.viewer_dir)
    except ViewerMissing as missing:
        out.print(f"   [yellow]not yet: {missing}[/]", soft_wrap=True)
