"""What the demo shows at its end: findings beside the truth, evidence beside the true slices, report, objects."""

from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from pacs_agent.cli.context import Agent
from pacs_agent.db import Job, JobStep, ResultObject
from pacs_agent.inference import FindingReading, Presence, StudyReading

BLOCKS = "·▁▂▃▄▅▆▇█"
STRIP_CELLS = 24
SAID = {Presence.PRESENT: "[yellow]present[/]", Presence.UNCERTAIN: "uncertain", Presence.ABSENT: "[dim]absent[/]"}


def print_report(out: Console, agent: Agent, job_id: str, truth: dict[str, Any], *, seconds: float) -> None:
    """Prints what the model says beside the phantom's truth, and where the objects are."""
    with agent.database.reading() as session:
        job = session.get_one(Job, job_id)
        results = list(job.results)
        print_ending(out, job, seconds)
    if job.reading is None:
        return
    reading = StudyReading.model_validate(job.reading)
    _print_findings(out, reading, truth)
    _print_measurements(out, reading, truth)
    if job.lacks:
        out.print(f"   [yellow]{escape(job.lacks)}[/]")
    _print_text(out, reading, truth)
    out.print("\n[bold]6  Written into the archive[/] as DICOM objects")
    print_objects(out, agent, results, truth["study_instance_uid"])


def print_ending(out: Console, job: Job, seconds: float) -> None:
    """Prints how a job ended, after how long, and where the time went. Within the session of `job`."""
    out.print(f"   {job.state}: {seconds:.1f} s from the last image to the report in the archive")
    out.print("   " + _step_times(job.steps), style="dim")
    if job.reading is None:
        out.print(f"   {escape(job.error)}")


def _step_times(steps: list[JobStep]) -> str:
    timed = [(step.name, (step.finished_at - step.started_at).total_seconds()) for step in steps if step.finished_at]
    return " · ".join(f"{name} {seconds:.2f} s" for name, seconds in timed)


def _print_findings(out: Console, reading: StudyReading, truth: dict[str, Any]) -> None:
    title = "4  What the model says, beside the truth"
    table = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False)
    for column in ("finding", "truth", "model", "probability"):
        table.add_column(column, justify="right" if column == "probability" else "left")
    table.add_column("evidence, feet → head\n(truth below)", no_wrap=True, min_width=STRIP_CELLS)
    for finding in reading.findings:
        _add_finding(table, finding, truth, len(reading.series.slices))
    out.print()
    out.print(table)


def _add_finding(table: Table, finding: FindingReading, truth: dict[str, Any], slices: int) -> None:
    present = bool(truth["labels"].get(finding.label.key))
    first, last = _true_range(finding.label.key, truth)
    right = mark(is_right=present == (finding.presence is Presence.PRESENT), presence=finding.presence)
    shown = "[yellow]present[/]" if present else "[dim]absent[/]"
    strip = _strip(finding.slice_weights) if finding.presence is not Presence.ABSENT else ""
    table.add_row(finding.label.name, shown, f"{right} {SAID[finding.presence]}", f"{finding.probability:.2f}", strip)
    if present:
        table.add_row("", "", "", "", f"[green]{_truth_strip(range(first, last + 1), slices)}[/]")


def _strip(weights: tuple[float, ...]) -> str:
    """Weights of all slices as a strip of block characters, the maximum of each stretch."""
    cells = min(STRIP_CELLS, len(weights))
    stretches = [weights[i * len(weights) // cells : (i + 1) * len(weights) // cells] for i in range(cells)]
    return "".join(BLOCKS[round(max(stretch) * (len(BLOCKS) - 1))] for stretch in stretches)


def mark(*, is_right: bool, presence: Presence) -> str:
    """Right, wrong, or left open."""
    if presence is Presence.UNCERTAIN:
        return "?"
    return "[green]✓[/]" if is_right else "[red]✗[/]"


def _true_range(key: str, truth: dict[str, Any]) -> tuple[int, int]:
    """First and last slice of a finding; an empty range where it is absent or lies between two slices."""
    return next(
        ((row["first_slice"], row["last_slice"]) for row in truth["findings"] if row["finding"] == key), (0, -1)
    )


def _truth_strip(true_slices: range, slices: int) -> str:
    return _strip(tuple(float(i in true_slices) for i in range(slices))).replace("█", "▔")


def _print_measurements(out: Console, reading: StudyReading, truth: dict[str, Any]) -> None:
    """What was outlined; of findings beside what the phantom has. Nothing where no segmenter looked."""
    if reading.measurements is None:
        return
    model = reading.measurements.model
    table = Table(box=None, pad_edge=False)
    for column in ("structure", "truth", "volume", "mean density"):
        table.add_column(column, justify="left" if column == "structure" else "right")
    true_ml = {key: dict(sides) for key, sides in truth["volumes_ml"].items()}
    for region in reading.measurements.regions:
        known = true_ml.get(region.finding or "", {}).pop(region.side, None)  # beside the largest region of a side
        density = region.measured.mean_hu
        table.add_row(
            f"{region.name}{f', {region.side}' if region.side else ''}",
            f"{known:.0f} mL" if known is not None else "",
            f"{region.measured.volume_ml:.0f} mL",
            f"{density:.0f} HU" if density is not None else "",
        )
    out.print(f"\n   [bold]Outlined and measured[/] by {escape(model.name)} {model.version}")
    out.print(table)


def _print_text(out: Console, reading: StudyReading, truth: dict[str, Any]) -> None:
    out.print(f"\n[bold]5  The draft report[/] of {reading.bundle.name} {reading.bundle.version}", end="")
    out.print(" [red]– demo model, learned from phantoms, not for clinical use[/]" if reading.bundle.demo else "")
    out.print(escape("   " + " ".join(sentence.text for sentence in reading.sentences)))
    out.print(escape("   Impression: " + " ".join(sentence.text for sentence in reading.impression)))
    out.print(f"[dim]   The phantom's own report: {escape(' '.join(truth['report']))}[/]")


def print_objects(out: Console, agent: Agent, results: list[ResultObject], study_instance_uid: str) -> None:
    """Prints where the objects of a study lie in the archive."""
    out.print(f"   http://{agent.settings.web.host}:{agent.settings.web.port}/dicom-web/studies/{study_instance_uid}")
    for result in results:
        out.print(f"     {result.kind.replace('_', ' '):<13} /series/{result.series_instance_uid}/metadata")
