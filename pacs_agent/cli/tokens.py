"""`token`: the tokens of programs."""

import click

from pacs_agent.accounts import TOKEN_ROLES, Role, TokenRefused, all_tokens, make_token, revoke_token
from pacs_agent.cli.context import Agent, console, json_option, pass_agent, print_json, print_rows

ACTOR = "command line"
FIELDS = ("id", "name", "roles", "created_by", "created_at", "expires_at", "last_used_at", "revoked_at")


@click.group()
def token() -> None:
    """Tokens of programs, which send them as `Authorization: Bearer`."""


@token.command("add")
@click.argument("name")
@click.option(
    "--role",
    "roles",
    type=click.Choice([role.value for role in TOKEN_ROLES]),
    multiple=True,
    required=True,
    help="May be given several times.",
)
@click.option("--days", type=int, default=365, show_default=True, help="It expires after this time.")
@json_option
@pass_agent
def token_add(agent: Agent, name: str, roles: tuple[str, ...], days: int, as_json: bool) -> None:
    """Make a token and print it, this once."""
    wanted = [Role(role) for role in roles]
    try:
        with agent.database.writing() as session:
            made, given = make_token(session, actor=ACTOR, own=Role, name=name, roles=wanted, days=days)
    except TokenRefused as error:
        raise click.ClickException(str(error)) from error
    if as_json:
        print_json({"id": made.id, "name": made.name, "expires_at": made.expires_at, "token": given})
    else:
        click.echo(given)


@token.command("list")
@json_option
@pass_agent
def token_list(agent: Agent, as_json: bool) -> None:
    """List the tokens, without the tokens themselves."""
    with agent.database.reading() as session:
        rows = [{field: getattr(each, field) for field in FIELDS} for each in all_tokens(session)]
    print_rows(rows, as_json=as_json, columns=FIELDS, empty="No program has a token: pacs-agent token add NAME")


@token.command("revoke")
@click.argument("token_id", type=int)
@pass_agent
def token_revoke(agent: Agent, token_id: int) -> None:
    """End a token at once; `token list` has its number."""
    try:
        with agent.database.writing() as session:
            name = revoke_token(session, token_id, actor=ACTOR).name
    except TokenRefused as error:
        raise click.ClickException(str(error)) from error
    console().print(f"{name} is worth nothing any more", markup=False)


COMMANDS = (token,)
