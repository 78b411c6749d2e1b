"""`studies`, `jobs`, `job`: what came in and what became of it."""

from typing import Any

import click
from rich.markup import escape
from sqlalchemy import func, select
from sqlalchemy.orm import Session, selectinload

from pacs_agent.cli.context import (
    Agent,
    Row,
    console,
    json_option,
    local_time,
    pass_agent,
    print_json,
    print_rows,
)
from pacs_agent.db import (
    OWN_PIPELINES,
    Delivery,
    Instance,
    Job,
    JobState,
    JobStep,
    Origin,
    ResultObject,
    Series,
    Study,
    StudyState,
)
from pacs_agent.route import Expectation, expected_of

limit_option = click.option("--limit", default=50, show_default=True, help="Newest rows shown.")


@click.command()
@click.option("--state", type=click.Choice([state.value for state in StudyState]), help="Only studies in this state.")
@limit_option
@json_option
@pass_agent
def studies(agent: Agent, state: str | None, limit: int, as_json: bool) -> None:
    """List the studies received, newest first."""
    with agent.database.reading() as session:
        rows = _study_rows(session, state, limit)
    print_rows(
        rows,
        as_json=as_json,
        columns=("study_instance_uid", "modalities", "description", "came", "state", "last_received_at", "job_state"),
        empty="No study has come in yet. Point a PACS at the listener (pacs-agent doctor shows where), "
        "or try: pacs-agent send FOLDER",
    )


def _study_rows(session: Session, state: str | None, limit: int) -> list[Row]:
    query = select(Study).order_by(Study.last_received_at.desc(), Study.id.desc()).limit(limit)
    if state:
        query = query.where(Study.state == state)
    options = (selectinload(Study.series), selectinload(Study.jobs))
    return [_study_row(session, study) for study in session.scalars(query.options(*options))]


def _study_row(session: Session, study: Study) -> Row:
    images = select(func.count(Instance.id)).join(Series).where(Series.study_pk == study.id)
    readings = [job for job in study.jobs if job.pipeline not in OWN_PIPELINES]
    newest = max(readings, key=lambda job: job.created_at, default=None)
    received, expected = session.scalar(images.where(Instance.origin == Origin.RECEIVED)) or 0, study.expected_instances
    return {
        "study_instance_uid": study.study_instance_uid,
        "accession_number": study.accession_number,
        "modalities": sorted({series.modality for series in study.series if series.modality}),
        "description": study.description,
        "images": received,
        "came": f"{received} of {expected}" if expected and expected > received else received,
        "expected_instances": study.expected_instances,
        "expected_from": study.expected_from,
        "state": study.state,
        "state_reason": study.state_reason,
        "complete_by": study.complete_by,
        "first_received_at": study.first_received_at,
        "last_received_at": study.last_received_at,
        "job": newest.id if newest else None,
        "job_state": newest.state if newest else None,
    }


@click.command()
@click.option("--state", type=click.Choice([state.value for state in JobState]), help="Only jobs in this state.")
@limit_option
@json_option
@pass_agent
def jobs(agent: Agent, state: str | None, limit: int, as_json: bool) -> None:
    """List the jobs, newest first. State `failed` is the dead letters."""
    query = select(Job).order_by(Job.created_at.desc()).limit(limit).options(selectinload(Job.study))
    if state:
        query = query.where(Job.state == state)
    with agent.database.reading() as session:
        rows = [_job_row(job) for job in session.scalars(query)]
    print_rows(
        rows,
        as_json=as_json,
        columns=("id", "state", "percent", "pipeline", "bundle", "created_at", "seconds", "error"),
        empty="No job yet: a job is made when a study is complete and a rule matches it.",
    )


def _job_row(job: Job) -> dict[str, Any]:
    return {
        "id": job.id,
        "study_instance_uid": job.study.study_instance_uid,
        "state": job.state,
        "percent": round(100 * job.progress),
        "rule": job.rule,
        "pipeline": job.pipeline,
        "bundle": job.bundle,
        "segmenter": job.segmenter,
        "priority": job.priority,
        "destinations": job.destinations,
        "supersedes": job.supersedes_id,
        "created_at": job.created_at,
        "started_at": job.started_at,
        "finished_at": job.finished_at,
        "seconds": _seconds(job.started_at, job.finished_at),
        "error": job.error,
        "lacks": job.lacks,
    }


def _seconds(start: Any, end: Any) -> float | None:
    return round((end - start).total_seconds(), 3) if start and end else None


@click.command()
@click.argument("job_id")
@json_option
@pass_agent
def job(agent: Agent, job_id: str, as_json: bool) -> None:
    """Show one job: its steps with their times, what it says, and where its objects went."""
    with agent.database.reading() as session:
        found = session.get(Job, job_id) or _by_prefix(session, job_id)
        facts = _job_facts(found)
    if as_json:
        print_json(facts)
    else:
        _print_job(facts)


def _by_prefix(session: Session, prefix: str) -> Job:
    matches = session.scalars(select(Job).where(Job.id.startswith(prefix, autoescape=True)).limit(2)).all()
    if len(matches) != 1:
        raise click.ClickException(f"{'several jobs begin' if matches else 'no job begins'} with {prefix!r}")
    return matches[0]


def _job_facts(job: Job) -> dict[str, Any]:
    return {
        **_job_row(job),
        "steps": [_step_row(step) for step in job.steps],
        "objects": [_object_row(result) for result in job.results],
        "expected": job.expected,
        "series_choice": job.series_choice,
        "reading": job.reading,
    }


def _step_row(step: JobStep) -> Row:
    return {
        "name": step.name,
        "state": step.state,
        "attempts": step.attempts,
        "seconds": _seconds(step.started_at, step.finished_at),
        "started_at": step.started_at,
        "detail": step.detail,
    }


def _object_row(result: ResultObject) -> Row:
    return {
        "kind": result.kind,
        "sop_instance_uid": result.sop_instance_uid,
        "deliveries": [_delivery_row(delivery) for delivery in result.deliveries],
    }


def _delivery_row(delivery: Delivery) -> Row:
    return {
        "destination": delivery.destination,
        "state": delivery.state,
        "attempts": delivery.attempts,
        "answer": delivery.answer,
        "changed_at": delivery.changed_at,
    }


def _print_job(facts: dict[str, Any]) -> None:
    out = console()
    why = escape(facts["error"] or facts["lacks"])
    out.print(f"[bold]{facts['id']}[/]  {facts['state']}  {facts['percent']} %  {why}")
    out.print(f"study {facts['study_instance_uid']}, rule {escape(facts['rule'])}, model {facts['bundle'] or '–'}")
    out.print(f"created {local_time(facts['created_at'])}, took {facts['seconds'] or '–'} s\n")
    print_rows(facts["steps"], as_json=False, columns=("name", "state", "attempts", "seconds", "detail"), empty="")
    expected = expected_of(facts["expected"])
    for one in expected.of if expected else ():
        out.print(f"  {'expected' if one.required else 'optional':<14} {escape(_met_in_words(one))}")
    for result in facts["objects"]:
        for delivery in result["deliveries"] or [{"destination": "own archive", "state": "stored", "answer": ""}]:
            where = f"{delivery['destination']}: {delivery['state']} {delivery['answer']}"
            out.print(f"  {result['kind']:<14} {result['sop_instance_uid']}  {escape(where)}")
    for sentence in (facts["reading"] or {}).get("sentences", ()):
        out.print(f"  {escape(sentence['text'])}")


def _met_in_words(expectation: Expectation) -> str:
    """What a rule expects, and what met it."""
    parts = (
        f"{part.description or part.series_instance_uid}{f' ({part.stack})' if part.stack else ''}"
        for part in expectation.met_by
    )
    return f"{expectation.words}, rule {expectation.rule}: {', '.join(parts) or 'has not come'}"


COMMANDS = (studies, jobs, job)
