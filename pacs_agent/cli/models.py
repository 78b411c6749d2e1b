"""`model`: the bundles installed here, what is wrong with them, and which of them read studies."""

from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
from rich.markdown import Markdown
from rich.markup import escape
from rich.table import Table

from pacs_agent import inference
from pacs_agent.cli.context import Agent, console, json_option, pass_agent, print_json, print_rows

ACTOR = "command line"
_COLOURS = {"passed": "green", "failed": "red", "skipped": "yellow"}


@click.group()
def model() -> None:
    """Model bundles."""


@model.command("list")
@json_option
@pass_agent
def model_list(agent: Agent, as_json: bool) -> None:
    """List the bundles installed, which of them are in use, and which are refused, with the reason."""
    folder = agent.settings.inference.bundles_dir
    with agent.database.reading() as session:
        activated = inference.activated_digests(session)
    print_rows(
        [_bundle_row(agent, path, activated) for path in inference.bundle_folders(folder)],
        as_json=as_json,
        columns=("name", "version", "task", "state", "signed_by", "modalities", "findings", "structures", "demo"),
        empty=f"No bundle in {folder}. Copy a signed one there, or train and sign one (docs/models.md)",
    )


def _bundle_row(agent: Agent, folder: Path, activated: Iterable[str]) -> dict[str, Any]:
    try:
        bundle = inference.load_any(folder, agent.settings.inference.trusted_keys)
    except inference.BundleRefused as refusal:
        unknown = dict.fromkeys(("version", "task", "signed_by", "modalities", "findings", "structures", "demo"))
        return {"name": folder.name, "state": f"refused: {refusal}", "folder": folder, **unknown}
    manifest = bundle.manifest
    return {
        "name": manifest.name,
        "version": manifest.version,
        "task": manifest.task,
        "state": "activated" if bundle.digest in activated else "ready",
        "signed_by": bundle.signer.name,
        "modalities": manifest.accepts.modalities,
        "findings": None if isinstance(bundle, inference.SegmenterBundle) else len(bundle.labels),
        "structures": len(bundle.manifest.structures) if isinstance(bundle, inference.SegmenterBundle) else None,
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
    report = inference.self_test_of(bundle, agent.settings.inference)
    if as_json:
        print_json(
            {
                "manifest": bundle.manifest.model_dump(mode="json"),
                "signed_by": asdict(bundle.signer),
                "self_test": {**asdict(report), "passed": report.passed},
            }
        )
        return
    out = console()
    where = f"{report.provider} in {report.precision}"
    out.print(f"self-test: {'passed' if report.passed else 'FAILED'} on {where}: {report.summary}")
    out.print(f"signed by: {bundle.signer.name}, key {bundle.signer.key_id}")
    if any(document.file == "MODEL_CARD.md" for document in bundle.manifest.documents):
        out.print(Markdown((bundle.folder / "MODEL_CARD.md").read_text(encoding="utf-8")))


@model.command("verify")
@click.argument("name_or_folder", required=False)
@json_option
@pass_agent
def model_verify(agent: Agent, name_or_folder: str | None, as_json: bool) -> None:
    """Check one bundle or all: signature, digests, self-tests, grounding test. Exit code 1 when something failed."""
    settings = agent.settings.inference
    folders = [_folder(agent, name_or_folder)] if name_or_folder else inference.bundle_folders(settings.bundles_dir)
    if not folders:
        raise click.ClickException(f"no bundle in {settings.bundles_dir}")
    found = [inference.verify(folder, settings) for folder in folders]
    if as_json:
        print_json([{**asdict(one), "passed": one.passed} for one in found])
    else:
        _print_verifications(found)
    if not all(one.passed for one in found):
        raise click.exceptions.Exit(1)


def _print_verifications(found: Iterable[inference.Verification]) -> None:
    out = console()
    for one in found:
        out.print(f"[bold]{escape(one.bundle)}[/]: {'may run here' if one.passed else '[red]must not run[/]'}")
        table = Table(box=None, pad_edge=False, show_header=False)
        for check in one.checks:
            colour = _COLOURS[check.outcome]
            table.add_row(f"  {check.name}", f"[{colour}]{check.outcome}[/]", escape(check.found))
        out.print(table)


@model.command("activate")
@click.argument("name_or_folder")
@pass_agent
def model_activate(agent: Agent, name_or_folder: str) -> None:
    """Verify an installed bundle and let it read or segment studies in the place of other versions of its name."""
    folder = _folder(agent, name_or_folder)
    bundles_dir = agent.settings.inference.bundles_dir
    if folder.resolve().parent != bundles_dir.resolve():
        raise click.ClickException(f"{folder} is not installed: copy it into {bundles_dir} first")
    try:
        bundle = inference.activate(folder, agent.settings, agent.database, actor=ACTOR)
    except inference.BundleRefused as refusal:
        raise click.ClickException(f"not activated. {refusal}") from refusal
    console().print(
        f"{bundle.manifest.name} {bundle.manifest.version} {inference.verb_of(bundle)} from the next study on"
    )


@model.command("rollback")
@click.argument("name")
@pass_agent
def model_rollback(agent: Agent, name: str) -> None:
    """Let the version of a model read that was activated before the present one."""
    try:
        bundle = inference.roll_back(name, agent.settings, agent.database, actor=ACTOR)
    except (inference.BundleRefused, inference.NothingToRollBack) as error:
        raise click.ClickException(f"not rolled back. {error}") from error
    console().print(
        f"{bundle.manifest.name} {bundle.manifest.version} {inference.verb_of(bundle)} from the next study on"
    )


@model.command("install")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@pass_agent
def model_install(agent: Agent, file: Path) -> None:
    """Install a bundle from a ZIP, tar or tar.gz. It reads nothing until it is activated."""
    try:
        with file.open("rb") as packed:
            bundle = inference.install(packed, agent.settings, agent.database, actor=ACTOR)
    except inference.BundleRefused as refusal:
        raise click.ClickException(f"not installed. {refusal}") from refusal
    console().print(
        f"{inference.name_of(bundle)} is installed; `pacs-agent model activate {bundle.folder.name}` uses it"
    )


@model.command("shadow")
@click.argument("name_or_folder")
@pass_agent
def model_shadow(agent: Agent, name_or_folder: str) -> None:
    """Let an installed bundle read every study after the one in use. Nobody is told what it says."""
    try:
        bundle = inference.start_shadow(_folder(agent, name_or_folder), agent.settings, agent.database, actor=ACTOR)
    except (inference.BundleRefused, inference.ShadowRefused) as error:
        raise click.ClickException(f"no shadow. {error}") from error
    console().print(f"{inference.name_of(bundle)} reads in the shadow; `pacs-agent model compare` shows what it says")


@model.command("unshadow")
@pass_agent
def model_unshadow(agent: Agent) -> None:
    """End the shadow. What it said stays."""
    try:
        row = inference.end_shadow(agent.database, actor=ACTOR)
    except inference.ShadowRefused as error:
        raise click.ClickException(str(error)) from error
    console().print(f"{row.name} {row.version} reads in the shadow no more")


@model.command("compare")
@json_option
@pass_agent
def model_compare(agent: Agent, as_json: bool) -> None:
    """Compare the model in shadow, or the last that was, with the one in use, finding by finding."""
    with agent.database.reading() as session:
        shadow = inference.newest_shadow(session)
        if shadow is None:
            raise click.ClickException("no model has read in the shadow; `pacs-agent model shadow NAME` begins")
        compared = inference.compare(session, shadow)
    rows = [one.model_dump() for one in compared.findings]
    columns = ("name", "studies", "mean_active", "mean_shadow", "gained", "lost", "agreement")
    print_rows(rows, as_json=as_json, columns=columns, empty=f"{compared.model} has read no study yet")


@model.command("recall")
@click.argument("name")
@click.argument("version")
@click.option("--reason", required=True, help="Why; everybody who sees one of its results will read it.")
@click.option(
    "--read-again", is_flag=True, help="Also queue its studies to be read by the model in use, 500 at a time."
)
@pass_agent
def model_recall(agent: Agent, name: str, version: str, reason: str, read_again: bool) -> None:
    """Mark all results of a version as not to be relied on. Nothing is deleted; the version reads no more."""
    try:
        with agent.database.writing() as session:
            inference.recall(session, name, version, reason=reason, actor=ACTOR)
    except inference.RecallRefused as error:
        raise click.ClickException(str(error)) from error
    console().print(f"{name} {version} is recalled")
    if read_again:
        from pacs_agent import pipeline  # the workflow engine; no other command of models waits for it

        queued, left = pipeline.read_again(agent.database, f"{name} {version}", actor=ACTOR)
        console().print(f"{queued} studies are queued to be read again, {left} are left")


@model.command("lift-recall")
@click.argument("name")
@click.argument("version")
@pass_agent
def model_lift_recall(agent: Agent, name: str, version: str) -> None:
    """End the recall of a version."""
    try:
        with agent.database.writing() as session:
            inference.lift_recall(session, name, version, actor=ACTOR)
    except inference.RecallRefused as error:
        raise click.ClickException(str(error)) from error
    console().print(f"the recall of {name} {version} is lifted")


def _bundle(agent: Agent, name: str) -> inference.AnyBundle:
    folder = _folder(agent, name)
    try:
        return inference.load_any(folder, agent.settings.inference.trusted_keys)
    except inference.BundleRefused as refusal:
        raise click.ClickException(f"{folder.name} is refused: {refusal}") from refusal


def _folder(agent: Agent, name_or_folder: str) -> Path:
    """The folder itself, or of the installed bundles whose folder's name begins so the last version."""
    if (Path(name_or_folder) / "manifest.json").is_file():
        return Path(name_or_folder)
    installed = inference.bundle_folders(agent.settings.inference.bundles_dir)
    folders = [path for path in installed if path.name.startswith(name_or_folder)]
    if not folders:
        raise click.ClickException(f"no bundle {name_or_folder!r}; `pacs-agent model list` shows those installed")
    return max(folders, key=lambda path: inference.version_key(path.name))


COMMANDS = (model,)
