"""`model`: the bundles installed here."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
from rich.markdown import Markdown

from pacs_agent import inference
from pacs_agent.cli.context import Agent, console, json_option, pass_agent, print_json, print_rows


@click.group()
def model() -> None:
    """Model bundles."""


@model.command("list")
@json_option
@pass_agent
def model_list(agent: Agent, as_json: bool) -> None:
    """List the bundles installed, also those that are refused, with the reason."""
    folder = agent.settings.inference.bundles_dir
    print_rows(
        [_bundle_row(path) for path in inference.bundle_folders(folder)],
        as_json=as_json,
        columns=("name", "version", "state", "modalities", "findings", "demo"),
        empty=f"No bundle in {folder}. Train the demo one: make train",
    )


def _bundle_row(folder: Path) -> dict[str, Any]:
    try:
        manifest = inference.load_bundle(folder).manifest
    except inference.BundleRefused as refusal:
        refused: dict[str, Any] = dict.fromkeys(("version", "modalities", "findings", "demo"))
        return {"name": folder.name, "state": f"refused: {refusal}", "folder": folder, **refused}
    return {
        "name": manifest.name,
        "version": manifest.version,
        "state": "ready",
        "modalities": manifest.accepts.modalities,
        "findings": len(manifest.findings),
        "demo": manifest.demo,
        "folder": folder,
    }


@model.command("show")
@click.argument("name")
@json_option
@pass_agent
def model_show(agent: Agent, name: str, as_json: bool) -> None:
    """Show a bundle's manifest, its self-test now, and its card."""
    bundle = _bundle(agent, name)
    report = inference.self_test(bundle, agent.settings.inference)
    if as_json:
        print_json(
            {
                "manifest": bundle.manifest.model_dump(mode="json"),
                "self_test": {**asdict(report), "passed": report.passed},
            }
        )
        return
    out = console()
    out.print(f"self-test: {'passed' if report.passed else 'FAILED'} on {report.provider}: {report.summary}")
    out.print(Markdown((bundle.folder / "MODEL_CARD.md").read_text(encoding="utf-8")))


def _bundle(agent: Agent, name: str) -> inference.Bundle:
    installed = inference.bundle_folders(agent.settings.inference.bundles_dir)
    folders = [path for path in installed if path.name.startswith(name)]
    if not folders:
        raise click.ClickException(f"no bundle {name!r}; `pacs-agent model list` shows those installed")
    try:
        return inference.load_bundle(folders[-1])
    except inference.BundleRefused as refusal:
        raise click.ClickException(f"{folders[-1].name} is refused: {refusal}") from refusal


COMMANDS = (model,)
