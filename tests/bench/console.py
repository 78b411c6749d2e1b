"""The console's pages and lists with a million jobs and a hundred thousand studies, through the real web server.

Timed by the client, over one kept connection: the answer is complete when its last byte is read. Searches ask for
another name, patient, accession number or day each time.
"""

import random
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from statistics import median
from typing import Any

import pgserver
import requests
import yaml

from pacs_agent.db import Database, Job, JobState, Patient, Study
from tests.bench.console_seed import FAMILIES, LOGIN, PASSWORD, Size, seed
from tests.bench.report import Report, Row
from tests.peers.running import RunningProcess, free_port

FULL = Size(studies=100_000, jobs=1_000_000)
QUICK = Size(studies=2_000, jobs=20_000)
GOAL_MS = 150.0
WARM_UP = 2
DEEP_PAGES = 10
PAGES = (
    *("/console", "/console/studies", "/console/queue", "/console/jobs", "/console/dead-letters", "/console/bring-in"),
    *("/console/peers", "/console/rules", "/console/models", "/console/quality", "/console/audit", "/console/people"),
    *("/console/settings", "/console/logs"),
)
_LEFT_OUT = ("/api/v1/openapi.json", "/api/v1/session")

Paths = Callable[[int], str]


@dataclass
class Facts:
    """What the searches look for: some of each kind, as they are in the database."""

    newest: datetime
    studies: list[str]
    accessions: list[str]
    patients: list[str]
    jobs: list[str]
    failed: list[str]


@dataclass
class Figures:
    """Milliseconds of each page, by what it is."""

    times_ms: dict[str, list[float]] = field(default_factory=dict)
    cpu_ms: dict[str, float] = field(default_factory=dict)


def run(report: Report, size: Size, asks: int, folder: Path, say: Callable[[str], None]) -> None:
    """Takes the figures on SQLite and on Postgres, one after the other."""
    for kind, opened in (("SQLite", _sqlite), ("Postgres", _postgres)):
        place = folder / kind.lower()
        place.mkdir(parents=True)
        with opened(place) as url:
            _one_database(report, kind, url, size, asks, place, say)
        shutil.rmtree(place, ignore_errors=True)


def _one_database(
    report: Report, kind: str, url: str, size: Size, asks: int, folder: Path, say: Callable[[str], None]
) -> None:
    started_s = time.monotonic()
    database = Database(url)
    newest = seed(database, size)
    facts = _facts(database, newest)
    database.close()
    say(f"console: {kind} seeded in {time.monotonic() - started_s:.0f} s")
    with _served(url, folder) as (address, process), requests.Session() as browser:
        answer = browser.post(f"{address}/api/v1/session", json={"login": LOGIN, "password": PASSWORD}, timeout=60)
        answer.raise_for_status()
        figures = _measured(browser, address, facts, asks, process, say)
    for what, times_ms in figures.times_ms.items():
        report.rows.append(_row(kind, what, times_ms))
    slow = [what for what, times_ms in figures.times_ms.items() if _p95(times_ms) >= GOAL_MS]
    cpu = ", ".join(f"{what} {ms:.0f}" for what, ms in sorted(figures.cpu_ms.items(), key=lambda one: -one[1])[:8])
    report.notes.append(f"{kind}: p95 of {GOAL_MS:g} ms or more: {', '.join(slow) or 'none'}")
    report.notes.append(f"{kind}: most CPU time of the server in ms, mean of an answer: {cpu}")


def _measured(
    browser: requests.Session,
    address: str,
    facts: Facts,
    asks: int,
    process: RunningProcess,
    say: Callable[[str], None],
) -> Figures:
    figures = Figures()
    for what, paths in _asked(browser, address, facts):
        status = browser.get(address + paths(0), timeout=120).status_code
        if status != requests.codes.ok:
            say(f"console: {what} left out: it answers {status}")
            continue
        for number in range(WARM_UP):
            browser.get(address + paths(number), timeout=120)
        before_s = process.cpu_s()
        figures.times_ms[what] = [_one_ms(browser, address + paths(number)) for number in range(asks)]
        figures.cpu_ms[what] = 1000 * (process.cpu_s() - before_s) / asks
        say(f"console: {what}: p50 {median(figures.times_ms[what]):.0f} ms, p95 {_p95(figures.times_ms[what]):.0f} ms")
    return figures


def _asked(browser: requests.Session, address: str, facts: Facts) -> Iterator[tuple[str, Paths]]:
    """Every page, every list of the API that needs nothing to be known, searches, and pages far down."""
    yield from ((page, lambda _number, page=page: page) for page in PAGES)  # type: ignore[misc]
    described = browser.get(f"{address}/api/v1/openapi.json", timeout=60).json()["paths"]
    for path in sorted(described):
        if _is_list(described[path]) and "{" not in path and path not in _LEFT_OUT:
            yield path, lambda _number, path=path: path  # type: ignore[misc]
    yield "/metrics", lambda _number: "/metrics"
    yield from _searches(facts)
    yield from _trail_searches(facts)
    for path in ("/console/studies", "/console/jobs", "/console/jobs?state=done", "/console/audit"):
        if deep := _deep(browser, address, path):
            yield f"{path}, far down", lambda _number, deep=deep: deep  # type: ignore[misc]


def _is_list(operations: dict[str, Any]) -> bool:
    """Whether a path of the OpenAPI document gives JSON; downloads of the whole are no lists."""
    return "application/json" in operations.get("get", {}).get("responses", {}).get("200", {}).get("content", {})


def _searches(facts: Facts) -> Iterator[tuple[str, Paths]]:
    studies = "/console/studies"
    chance = random.Random(4)
    days = [f"{facts.newest - timedelta(days=chance.randrange(1400)):%Y-%m-%d}" for _ in range(100)]

    def of(values: list[str], form: str) -> Paths:
        return lambda number: form.format(values[number % len(values)])

    yield "study", of(facts.studies, studies + "/{}")
    yield "search: whole name", of([f"{name.lower()}, a" for name in FAMILIES], studies + "?name={}")
    yield "search: first letters of a name", of(["m", "sch", "we", "d", "x", "krug"], studies + "?name={}")
    yield "search: part of a name", of(["*hannes", "*mann", "*zz"], studies + "?name={}")
    yield "search: Patient ID", of(facts.patients, studies + "?patient_id={}")
    yield "search: accession number", of(facts.accessions, studies + "?accession={}")
    yield "search: a day", of(days, studies + "?since={0}&until={0}")
    yield "search: a day and a name", of(days, studies + "?since={0}&until={0}&name=m")
    yield "search: modality", of(["CT", "MR", "XA"], studies + "?modality={}")
    yield "search: state", of(["complete", "ignored", "receiving"], studies + "?state={}")
    yield "search: newest reading", of([state.value for state in JobState], studies + "?job={}")
    yield "job", of(facts.jobs, "/console/jobs/{}")
    yield "jobs of a state", of([state.value for state in JobState], "/console/jobs?state={}")
    yield "dead letters of a destination", of(["pacs", "nowhere"], "/console/dead-letters?destination={}")
    yield "dead letters of a reason", of(["10.0.0.3", "nothing like it"], "/console/dead-letters?error={}")


def _trail_searches(facts: Facts) -> Iterator[tuple[str, Paths]]:
    audit = "/console/audit"
    days = [facts.newest - timedelta(days=number) for number in range(1, 1000, 37)]
    yield "audit: of a study", lambda number: f"{audit}?subject={facts.studies[number % len(facts.studies)]}"
    yield "audit: of an actor", lambda number: f"{audit}?actor={('agent', 'bench', 'nobody')[number % 3]}"
    yield "audit: of an act", lambda number: f"{audit}?action={('study.', 'login', 'result.delivered')[number % 3]}"
    yield "audit: failures", lambda _number: f"{audit}?outcome=serious-failure"
    yield "audit: an actor's act", lambda number: f"{audit}?actor=agent&action={('study.', 'login')[number % 2]}"
    yield "audit: until a day", lambda number: f"{audit}?until={days[number % len(days)]:%Y-%m-%dT00:00}"


def _deep(browser: requests.Session, address: str, path: str) -> str:
    """The page of a list after thousands of rows; empty where the list ends before."""
    api, _, query = path.replace("/console", "/api/v1").partition("?")
    cursor = ""
    for _ in range(DEEP_PAGES):
        answer = browser.get(f"{address}{api}?{query}&limit=500&cursor={cursor}", timeout=120)
        page = answer.json() if answer.ok else {}
        cursor = page.get("lines", page).get("next", "")
        if not cursor:
            return ""
    return f"{path}{'&' if query else '?'}cursor={cursor}"


def _one_ms(browser: requests.Session, address: str) -> float:
    started_s = time.perf_counter()
    answer = browser.get(address, timeout=120)
    took_ms = 1000 * (time.perf_counter() - started_s)
    answer.raise_for_status()
    return took_ms


def _facts(database: Database, newest: datetime) -> Facts:
    with database.reading() as session:
        studies = session.query(Study).order_by(Study.id.desc()).limit(30).all()
        studies += session.query(Study).filter(Study.id % 997 == 1).limit(30).all()
        patients = session.query(Patient).filter(Patient.id % 613 == 1).limit(50).all()
        jobs = session.query(Job.id).order_by(Job.created_at.desc()).limit(800).all()
        failed = session.query(Job.id).where(Job.state == JobState.FAILED).limit(50).all()
        return Facts(
            newest=newest,
            studies=[one.study_instance_uid for one in studies],
            accessions=[one.accession_number for one in studies],
            patients=[one.patient_id for one in patients],
            jobs=[one.id for one in jobs[::16]],
            failed=[one.id for one in failed],
        )


@contextmanager
def _served(url: str, folder: Path) -> Iterator[tuple[str, RunningProcess]]:
    """`pacs-agent web` of this database, until the end."""
    port, config = free_port(), folder / "agent.yaml"
    settings = {"data_dir": str(folder / "data"), "database_url": url, "web": {"port": port}}
    config.write_text(yaml.safe_dump(settings))
    command = [sys.executable, "-m", "pacs_agent", "--config", config, "web"]
    process = RunningProcess("pacs-agent web", command, folder / "web.log")
    address = f"http://127.0.0.1:{port}"
    try:
        process.wait_until(lambda: _answers(address), timeout_s=180)
        yield address, process
    finally:
        process.stop()


def _answers(address: str) -> bool:
    try:
        return requests.get(f"{address}/healthz", timeout=5).ok
    except requests.RequestException:
        return False


@contextmanager
def _sqlite(folder: Path) -> Iterator[str]:
    yield f"sqlite:///{folder / 'pacs-agent.sqlite'}"


@contextmanager
def _postgres(folder: Path) -> Iterator[str]:
    server = pgserver.get_server(folder / "postgres")
    try:
        yield server.get_uri()
    finally:
        server.cleanup()


_numbers = count(1)


def _row(kind: str, what: str, times_ms: list[float]) -> Row:
    """The 95th percentile; the median and all times are in its rounds."""
    return Row(
        id=f"console_{kind.lower()}_{next(_numbers)}",
        label=f"{kind}: {what} (p50 {median(times_ms):.0f})",
        what="milliseconds from the request to the last byte of a page or list, by the client, 95th percentile",
        unit="ms",
        better="lower",
        ours=_p95(times_ms),
        peer="",
        peer_value=None,
        ceiling=GOAL_MS,
        rounds={"ours": times_ms},
    )


def _p95(times_ms: list[float]) -> float:
    ordered = sorted(times_ms)
    return ordered[min(len(ordered) - 1, int(0.95 * len(ordered)))]
