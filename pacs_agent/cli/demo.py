"""`demo`: the main job on this machine, from nothing, beside the truth.

A phantom chest CT with known findings is sent by C-STORE to a freshly set up agent (SQLite, own archive, CPU), then a
phantom MR of the rectum, whose series are read together.
"""

import re
import shutil
import socket
import time
from dataclasses import dataclass
from pathlib import Path

import click
import yaml
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from sqlalchemy import select
from sqlalchemy.orm import selectinload

from pacs_agent import inference, route
from pacs_agent.cli import demo_phantoms
from pacs_agent.cli.context import Agent
from pacs_agent.cli.demo_phantoms import PhantomStudy
from pacs_agent.cli.demo_report import print_report
from pacs_agent.cli.demo_staging import print_staging
from pacs_agent.cli.send import send_files
from pacs_agent.cli.serve import PROCESSES, config_arguments, print_addresses
from pacs_agent.db import OWN_PIPELINES, Job, JobState, Peer, Study
from pacs_agent.deliver import ScuAddress
from pacs_agent.ops.listening import answers_dicom, answers_http
from pacs_agent.ops.supervise import StartFailed, Supervisor

PEER = "DEMO"
RULES = """
rules:
  - name: demo, every CT
    when: {attribute: Modality, equals: CT}
    pipeline: msvlm
    destinations: []
  - name: demo, every MR
    when: {attribute: Modality, equals: MR}
    pipeline: staging
    destinations: []
"""
ENDED = {JobState.DONE, JobState.NO_RESULT, JobState.FAILED, JobState.CANCELED}


class DemoFailed(click.ClickException):
    """The demo did not get its report."""


@click.command()
@click.option("--once", is_flag=True, help="End by itself instead of leaving the agent running.")
@click.option("--seed", default=7, show_default=True, help="Which phantom; another number is another patient.")
@click.option("--slices", default=90, show_default=True, help="Slices of the phantom.")
@click.option(
    "--findings",
    default="pleural_effusion,lung_nodule,coronary_artery_wall_calcification",
    show_default=True,
    help="Findings put into the phantom, by key; empty for none.",
)
@click.option("--mr/--no-mr", default=True, show_default=True, help="Also a phantom MR, read by all its series.")
@click.option("--folder", type=click.Path(path_type=Path), default=Path("var/demo"), show_default=True)
@click.option("--picture", type=click.Path(path_type=Path), help="Also save what is shown as an SVG picture.")
def demo(once: bool, seed: int, slices: int, findings: str, mr: bool, folder: Path, picture: Path | None) -> None:
    """Send phantoms, a chest CT and an MR, through a fresh agent and show the reports beside the truth."""
    out = Console(highlight=False, record=picture is not None, width=118 if picture else None)
    agent = _fresh_agent(folder)
    reads_mr = _verify_models(out, agent) and mr
    out.print(f"[bold]1  A phantom chest CT[/], {slices} slices of 512 × 512, seed {seed}, in {folder / 'phantom'}")
    chest = demo_phantoms.chest(folder / "phantom", seed, slices, findings)
    supervisor = Supervisor(PROCESSES, config_arguments(agent))
    supervisor.start()
    try:
        _wait_until_up(agent, supervisor)
        job_id, seconds = _read(out, agent, supervisor, chest, chapter=2)
        print_report(out, agent, job_id, chest.truth, seconds=seconds)
        pelvis = _staged(out, agent, supervisor, folder / "phantom-mr", seed) if reads_mr else None
        if picture:
            _save_picture(out, picture)
        if not once:
            from pacs_agent.cli.demo_viewer import offer_viewer  # the web part takes a second to load

            offer_viewer(out, agent, [study.uid for study in (chest, pelvis) if study], chapter=10 if pelvis else 7)
            _stay(out, agent, supervisor)
    except StartFailed as error:
        raise DemoFailed(str(error)) from error
    finally:
        supervisor.stop()


def _staged(out: Console, agent: Agent, supervisor: Supervisor, folder: Path, seed: int) -> PhantomStudy:
    """The second study: a phantom MR whose series are read together."""
    out.print(f"\n[bold]7  A phantom MR of the rectum[/] with a tumour in stage T3, seed {seed}, in {folder}")
    pelvis = demo_phantoms.pelvis(folder, seed)
    job_id, seconds = _read(out, agent, supervisor, pelvis, chapter=8)
    print_staging(out, agent, job_id, pelvis.truth, seconds=seconds)
    return pelvis


def _read(
    out: Console, agent: Agent, supervisor: Supervisor, study: PhantomStudy, *, chapter: int
) -> tuple[str, float]:
    """Sends a study and waits until it is read: the job's id, and how many seconds after the last image it ended."""
    _send(out, agent, study.files, chapter)
    last_image_s = time.monotonic()
    out.print(f"\n[bold]{chapter + 1}  The study is complete after a quiet time, then read[/]")
    job_id = _watch(out, agent, supervisor, study.uid)
    return job_id, time.monotonic() - last_image_s


def _fresh_agent(folder: Path) -> Agent:
    """An agent of its own in a folder: what an earlier demo left there is removed."""
    if (folder / "agent.yaml").exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)
    settings = {
        "data_dir": str(folder.resolve() / "data"),
        "dimse": {"port": _port(11112)},
        "web": {"port": _port(8080)},
        "assemble": {"quiet_s": 2, "poll_s": 0.2},
        "log_level": "warning",
    }
    (folder / "agent.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    agent = Agent(folder / "agent.yaml")
    with agent.database.writing() as session:
        session.add(Peer(ae_title=PEER, host="127.0.0.1"))
        route.put_rules(session, RULES, actor="demo")
    return agent


def _verify_models(out: Console, agent: Agent) -> bool:
    """Verifies the models that will be used, as a worker does before it uses one; whether one reads several series."""
    with out.status("the models are verified"):
        found = inference.bundles_in_use(agent.settings, agent.database)
    used: tuple[inference.AnyBundle, ...] = (*found.bundles, *found.segmenters, *found.staging)
    for bundle in used:
        manifest = bundle.manifest
        out.print(f"[dim]   model {manifest.name} {manifest.version}, signed by {bundle.signer.name}, verified[/]")
    if not found.bundles:
        raise DemoFailed("; ".join(map(str, found.refused)) or f"no model in {agent.settings.inference.bundles_dir}")
    return bool(found.staging)


def _port(preferred: int) -> int:
    """The usual port, or a free one where another program has it."""
    for port in (preferred, 0):
        try:
            with socket.create_server(("127.0.0.1", port)) as server:
                return int(server.getsockname()[1])
        except OSError:
            continue
    raise DemoFailed("no TCP port on 127.0.0.1 can be bound")


def _wait_until_up(agent: Agent, supervisor: Supervisor) -> None:
    dimse, http = agent.settings.dimse, agent.settings.web
    deadline = time.monotonic() + 60
    while not (answers_dicom(dimse.host, dimse.port) and answers_http(http.host, http.port)):
        supervisor.check()
        if time.monotonic() > deadline:
            raise DemoFailed("the agent did not come up within a minute; its messages are above")
        time.sleep(0.2)


def _send(out: Console, agent: Agent, files: list[Path], chapter: int) -> None:
    dimse = agent.settings.dimse
    out.print(f"\n[bold]{chapter}  C-STORE[/] from {PEER} to {dimse.ae_title} at {dimse.host}:{dimse.port}")
    started_s = time.monotonic()
    address = ScuAddress(host=dimse.host, port=dimse.port, called_ae=dimse.ae_title, calling_ae=PEER)
    refused = send_files(out, address, files)
    if refused:
        raise DemoFailed(f"{len(refused)} of {len(files)} images were not stored; the first: {refused[0]}")
    took_s = time.monotonic() - started_s
    out.print(f"   {len(files)} images acknowledged in {took_s:.1f} s, {len(files) / took_s:.0f} images/s")


@dataclass(frozen=True)
class _Stand:
    """How far the newest job of a study is."""

    job_id: str | None
    percent: float
    doing: str
    ended: bool


def _watch(out: Console, agent: Agent, supervisor: Supervisor, study_instance_uid: str) -> str:
    """Shows the job's progress until it has ended; its id."""
    deadline = time.monotonic() + 600
    columns = (TextColumn("   {task.description:<28}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %"))
    with Progress(*columns, TimeElapsedColumn(), console=out, transient=True) as progress:
        bar = progress.add_task("waiting for the quiet time", total=100)
        while time.monotonic() < deadline:
            supervisor.check()
            stand = _stand(agent, study_instance_uid)
            progress.update(bar, completed=stand.percent, description=stand.doing)
            if stand.job_id and stand.ended:
                return stand.job_id
            time.sleep(0.1)
    raise DemoFailed(f"no report within ten minutes; `pacs-agent --config {agent.config} jobs` shows how far it came")


def _stand(agent: Agent, study_instance_uid: str) -> _Stand:
    of_study = select(Job).join(Study).where(Study.study_instance_uid == study_instance_uid)
    query = of_study.where(Job.pipeline.not_in(OWN_PIPELINES))
    with agent.database.reading() as session:
        job = session.scalars(query.order_by(Job.created_at.desc()).options(selectinload(Job.steps))).first()
        if job is None:
            return _Stand(None, 0, "waiting for the quiet time", ended=False)
        doing = job.steps[-1].name if job.steps else "waiting for a worker"
        return _Stand(job.id, 100 * job.progress, doing, ended=job.state in ENDED)


def _save_picture(out: Console, picture: Path) -> None:
    """What was shown, as a picture that loads nothing from elsewhere: rich would name fonts on another host."""
    svg = out.export_svg(title="make demo")
    picture.write_text(re.sub(r"@font-face \{.*?\}", "", svg, flags=re.DOTALL), encoding="utf-8")


def _stay(out: Console, agent: Agent, supervisor: Supervisor) -> None:
    out.print("\n[bold]The agent keeps running[/]; Ctrl-C ends it. Send it more, or look around in another terminal:")
    print_addresses(agent)
    for command in ("studies", "jobs", "audit", "doctor"):
        out.print(f"   pacs-agent --config {agent.config} {command}")
    supervisor.run()


COMMANDS = (demo,)
