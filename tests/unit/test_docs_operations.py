"""The runbook and the README say what the code does: settings, commands, ports, make targets, rules."""

import re
import socket
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import get_args

import click
from pydantic import BaseModel

from pacs_agent import route
from pacs_agent.cli import main
from pacs_agent.config import (
    PACKAGED_KEYS,
    REPOSITORY_BUNDLES,
    REPOSITORY_PLUGIN,
    REPOSITORY_VIEWER,
    DimseTlsSettings,
    Settings,
)
from pacs_agent.ops.dicom_tls import client_context, names_of, server_context

REPOSITORY = Path(__file__).resolve().parents[2]
RUNBOOK = (REPOSITORY / "docs" / "operations.md").read_text(encoding="utf-8")
README = (REPOSITORY / "README.md").read_text(encoding="utf-8")

DEFAULTS = {
    None: "none",
    (): "none",
    REPOSITORY_BUNDLES: "models/bundles",
    REPOSITORY_VIEWER: "ohif-extension/viewer",
    REPOSITORY_PLUGIN: "ohif-extension/dist",
    PACKAGED_KEYS: "pacs_agent/trusted_keys",
}


def section(text: str, title: str) -> str:
    return text.split(f"## {title}\n")[1].split("\n## ")[0]


def setting_rows(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    for name, field in model.model_fields.items():
        section = next((kind for kind in (field.annotation, *get_args(field.annotation)) if is_section(kind)), None)
        if section is None or not is_section(field.annotation):
            default = "needed" if field.is_required() else DEFAULTS.get(field.default, field.default)
            yield f"| `{prefix}{name}` | {default} | {field.description} |"
        if section is not None:
            yield from setting_rows(section, f"{prefix}{name}.")


def is_section(kind: object) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def commands_of(group: click.Group) -> dict[str, click.Command]:
    context = click.Context(group)
    found = {name: group.get_command(context, name) for name in sorted(group.list_commands(context))}
    return {name: command for name, command in found.items() if command is not None}


def command_rows(group: click.Group, prefix: str = "") -> Iterator[str]:
    for name, command in commands_of(group).items():
        if isinstance(command, click.Group):
            yield from command_rows(command, f"{prefix}{name} ")
            continue
        arguments = [p.make_metavar(click.Context(command)) for p in command.params if isinstance(p, click.Argument)]
        assert command.help, f"{name} has no help"
        first_line = command.help.split("\n")[0]
        yield f"| `{' '.join([prefix + name, *arguments])}` | {first_line} |"


def table(title: str) -> list[str]:
    return [line for line in section(RUNBOOK, title).splitlines() if line.startswith("| `")]


def test_settings_in_the_runbook_are_the_settings() -> None:
    assert table("Settings") == list(setting_rows(Settings))


def test_commands_in_the_runbook_are_the_commands() -> None:
    assert table("Commands") == list(command_rows(main))


def test_ports_in_the_runbook_are_the_defaults() -> None:
    settings = Settings()
    ports = section(RUNBOOK, "Ports")
    assert f"| {settings.dimse.port} | `dimse.port` |" in ports
    assert f"| {settings.web.port} | `web.port` |" in ports
    assert f"`{settings.dimse.ae_title}`" in ports
    assert f"`{settings.dimse.ae_title}`, port {settings.dimse.port}" in README


def test_commands_quoted_in_the_documents_exist() -> None:
    for text in (RUNBOOK, README):
        for words in re.findall(r"pacs-agent ([a-z][a-z -]*)", text):
            assert resolve(words.split()), f"no such command: pacs-agent {words}"


def resolve(words: list[str]) -> bool:
    command: click.Command = main
    for word in words:
        if not isinstance(command, click.Group) or word.startswith("-"):
            return True
        if word not in (known := commands_of(command)):
            return False
        command = known[word]
    return True


def test_make_targets_quoted_in_the_documents_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (REPOSITORY / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    quoted = set(
        re.findall(r"(?:`|^)make ([a-z-]+)", RUNBOOK + README + (REPOSITORY / "CHANGELOG.md").read_text(), re.M)
    )
    assert quoted
    assert quoted <= targets


def test_the_rules_in_the_runbook_and_the_shipped_rules_are_valid() -> None:
    example = re.search(r"```yaml\n(rules:.*?)```", RUNBOOK, re.DOTALL)
    assert example
    for text in (example[1], (REPOSITORY / "deploy" / "rules.yaml").read_text(encoding="utf-8")):
        assert route.RuleBook.parse(text).rules


def test_links_in_the_documents_lead_somewhere() -> None:
    for document in (REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").rglob("*.md"))):
        for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", document.read_text(encoding="utf-8")):
            assert (document.parent / link).exists(), f"{document.name} links to {link}"


def test_the_certificates_of_the_runbook_can_be_made_and_used(tmp_path: Path) -> None:
    commands = re.findall(r"```sh\n(.*?)```", section(RUNBOOK, "DICOM over TLS"), re.DOTALL)
    made = subprocess.run(
        ["bash", "-euc", "".join(commands)], cwd=tmp_path, capture_output=True, text=True, timeout=120
    )
    assert made.returncode == 0, made.stderr
    names = re.findall(r"/etc/pacs-agent/(\S+)", section(RUNBOOK, "DICOM over TLS"))
    certificate, key, authority = (tmp_path / name for name in names)
    tls = DimseTlsSettings(certificate=certificate, key=key, ca_file=authority)
    here, there = socket.socketpair()
    client = client_context(tls)
    with ThreadPoolExecutor(1) as pool:
        serving = pool.submit(server_context(tls).wrap_socket, here, server_side=True)
        with client.wrap_socket(there, server_hostname="192.0.2.20"), serving.result(30) as served:
            assert names_of(served.getpeercert() or {}) == {"pacs-agent.hospital.example"}
