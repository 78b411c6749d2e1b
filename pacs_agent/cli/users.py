"""`user`: the accounts of the people who use the viewer."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

import click
from sqlalchemy.orm import Session

from pacs_agent import accounts
from pacs_agent.accounts import AccountRefused, Role
from pacs_agent.cli.context import Agent, console, json_option, pass_agent, print_rows

ACTOR = "command line"
ROLE = click.Choice([role.value for role in Role])

password_option = click.option(
    "--password-file",
    type=click.File(encoding="utf-8"),
    help="File with the password in its first line, - for standard input; without it you are asked.",
)
person_name_option = click.option(
    "--person-name", default="", help="As DICOM writes it: 'Lovelace^Ada^^Dr.'; without it, derived from --name."
)


@click.group()
def user() -> None:
    """Accounts of people. A login ends when its account is disabled or gets another password."""


@user.command("add")
@click.argument("login")
@click.option("--name", required=True, help="As colleagues read it: 'Dr. Ada Lovelace'.")
@person_name_option
@click.option(
    "--role",
    "roles",
    type=ROLE,
    multiple=True,
    required=True,
    help="May be given several times. A reviewer is also a viewer.",
)
@password_option
@pass_agent
def user_add(
    agent: Agent, login: str, name: str, person_name: str, roles: tuple[str, ...], password_file: TextIO | None
) -> None:
    """Add an account. Without --password-file the password is asked for."""
    password = _password(password_file)
    with _changing(agent) as session:
        added = accounts.add_account(
            session,
            actor=ACTOR,
            login=login,
            name=name,
            person_name=person_name,
            roles=[Role(role) for role in roles],
            password=password,
        )
    console().print(f"{added.login} may log in as {', '.join(added.roles)}; documents name {added.person_name}")


@user.command("change")
@click.argument("login")
@click.option("--name", default="", help="As colleagues read it.")
@person_name_option
@click.option(
    "--role", "roles", type=click.Choice([role.value for role in Role]), multiple=True, help="All roles anew."
)
@pass_agent
def user_change(agent: Agent, login: str, name: str, person_name: str, roles: tuple[str, ...]) -> None:
    """Change the name or the roles of an account. Other roles end its logins."""
    with _changing(agent) as session:
        changed = accounts.change_account(
            session,
            login,
            actor=ACTOR,
            name=name,
            person_name=person_name,
            roles=[Role(role) for role in roles],
        )
    console().print(f"{login} may log in as {', '.join(changed.roles)}; documents name {changed.person_name}")


@user.command("list")
@json_option
@pass_agent
def user_list(agent: Agent, as_json: bool) -> None:
    """List the accounts."""
    fields = ("login", "name", "person_name", "roles", "enabled", "created_at", "last_login_at")
    with agent.database.reading() as session:
        rows = [{field: getattr(each, field) for field in fields} for each in accounts.all_accounts(session)]
    empty = "No account yet. Add one: pacs-agent user add LOGIN --name 'Dr. Ada Lovelace' --role reviewer"
    print_rows(rows, as_json=as_json, columns=fields, empty=empty)


@user.command("disable")
@click.argument("login")
@pass_agent
def user_disable(agent: Agent, login: str) -> None:
    """Disable an account and end its logins. Accounts are not removed: documents and the audit trail name them."""
    _set_enabled(agent, login, enabled=False)


@user.command("enable")
@click.argument("login")
@pass_agent
def user_enable(agent: Agent, login: str) -> None:
    """Let a disabled account log in again."""
    _set_enabled(agent, login, enabled=True)


@user.command("password")
@click.argument("login")
@password_option
@pass_agent
def user_password(agent: Agent, login: str, password_file: TextIO | None) -> None:
    """Give an account another password and end its logins."""
    password = _password(password_file)
    with _changing(agent) as session:
        accounts.set_password(session, login, password, actor=ACTOR)
    console().print(f"{login} has another password; what was logged in is logged out")


@contextmanager
def _changing(agent: Agent) -> Iterator[Session]:
    """A transaction; what is refused in it ends the command in words."""
    try:
        with agent.database.writing() as session:
            yield session
    except AccountRefused as error:
        raise click.ClickException(str(error)) from error


def _set_enabled(agent: Agent, login: str, *, enabled: bool) -> None:
    with _changing(agent) as session:
        accounts.set_enabled(session, login, enabled=enabled, actor=ACTOR)
    console().print(f"{login} may log in" if enabled else f"{login} may not log in any more, and is logged out")


def _password(file: TextIO | None) -> str:
    if file is not None:
        return str(file.readline()).rstrip("\r\n")
    return str(click.prompt("Password", hide_input=True, confirmation_prompt=True))


COMMANDS = (user,)
