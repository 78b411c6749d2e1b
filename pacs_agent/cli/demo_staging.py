"""What the demo shows of its second study: items of rectal staging beside the truth, and the slices they rest on."""

from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from pacs_agent.cli.context import Agent
from pacs_agent.cli.demo_report import mark, print_ending, print_objects
from pacs_agent.db import Job
from pacs_agent.inference import FindingReading, Presence, StudyReading

SLICES_SHOWN = 2
ABSENCES = frozenset({"absent", "free", "clear", "not suspicious"})
"""The words for the lowest level of an item that may be absent."""


def print_staging(out: Console, agent: Agent, job_id: str, truth: dict[str, Any], *, seconds: float) -> None:
    """Prints what the model says of each item beside the truth, distances, text, and where the objects are."""
    with agent.database.reading() as session:
        job = session.get_one(Job, job_id)
        results = list(job.results)
        print_ending(out, job, seconds)
    if job.reading is None:
        return
    reading = StudyReading.model_validate(job.reading)
    named = ", ".join(f"{one.description} {len(one.slices)}" for one in reading.all_series)
    out.print(f"   [dim]read together, with their slices: {escape(named)}[/]")
    _print_items(out, reading, truth["levels"])
    _print_distances(out, reading, truth["tumour"])
    out.print(f"\n   [bold]The draft report[/] of {reading.bundle.name} {reading.bundle.version}", end="")
    out.print(" [red]– demo model, learned from phantoms, not for clinical use[/]" if reading.bundle.demo else "")
    out.print(escape("   " + " ".join(sentence.text for sentence in reading.sentences)))
    out.print(f"[dim]   The phantom's own report: {escape(' '.join(one['text'] for one in truth['report']))}[/]")
    print_objects(out, agent, results, truth["study_instance_uid"])


def _print_items(out: Console, reading: StudyReading, true_levels: dict[str, str]) -> None:
    table = Table(box=None, pad_edge=False)
    for column in ("item", "truth", "model", "probability", "rests on"):
        table.add_column(column, justify="right" if column == "probability" else "left")
    for finding in reading.findings:
        name, truth = finding.label.name, true_levels.get(finding.label.name, "")
        said = _level(finding, truth)
        right = mark(is_right=said == truth, presence=finding.presence)
        table.add_row(name, truth, f"{right} {said}", f"{finding.probability:.2f}", _rests_on(finding, reading))
    out.print()
    out.print(table)


def _level(finding: FindingReading, truth: str) -> str:
    """The level that is said, in the words of the truth where these say the same."""
    if finding.presence is Presence.UNCERTAIN:
        return "uncertain"
    if finding.grade:
        return finding.grade
    is_absence = truth in ABSENCES
    return truth if is_absence == (finding.presence is Presence.ABSENT) else finding.presence.value


def _rests_on(finding: FindingReading, reading: StudyReading) -> str:
    """The strongest slices, each by its series and its number there."""
    places = [(one.description, number) for one in reading.all_series for number in range(1, len(one.slices) + 1)]
    shown = [places[one.index] for one in finding.evidence[:SLICES_SHOWN]]
    return escape(", ".join(f"{series} {number}" for series, number in shown))


def _print_distances(out: Console, reading: StudyReading, tumour: dict[str, Any]) -> None:
    true_mm = {"crm": tumour["fascia_mm"], "tumour": tumour["length_mm"]}
    for one in reading.distances:
        out.print(f"   {escape(one.name)}: {one.value_mm:.0f} mm, in the phantom {true_mm[one.finding]:.0f} mm")
