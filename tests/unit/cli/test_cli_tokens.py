"""`pacs-agent token` as an administrator types it."""

import json
from pathlib import Path

from click.testing import CliRunner, Result

from pacs_agent.accounts import token_used
from pacs_agent.cli import main
from pacs_agent.db import Database


def test_a_token_is_made_listed_and_revoked(tmp_path: Path, database: Database) -> None:
    config = tmp_path / "agent.yaml"
    config.write_text(f"data_dir: {tmp_path / 'data'}\ndatabase_url: {database.url}\n")

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(main, ["--config", str(config), "token", *arguments])

    given = run("add", "RIS", "--role", "viewer", "--days", "30").output.strip()
    assert token_used(database, given) is not None
    (row,) = json.loads(run("list", "--json").output)
    assert (row["name"], row["roles"], row["created_by"]) == ("RIS", ["viewer"], "command line")
    assert given not in run("list", "--json").output
    assert run("add", "RIS", "--role", "viewer").exit_code == 1
    assert run("revoke", str(row["id"])).exit_code == 0
    assert token_used(database, given) is None
    assert run("revoke", str(row["id"])).exit_code == 1
