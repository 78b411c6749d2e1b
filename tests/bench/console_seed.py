"""A database as after years of work: studies, jobs with all their steps, objects and deliveries, and the audit trail.

What people list is spread as it would be: names repeat, a patient has one study or several, a study is read again and
reviewed, most jobs are done, one in seventy is a dead letter, and the newest wait or are at work. Instances are few
(two images a study, 300 in each of the newest hundred) and readings are kept for the newest five hundred only: both are
looked up by study, never scanned.
"""

import itertools
import json
import random
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, event, insert, text

from pacs_agent.accounts import Role, add_account
from pacs_agent.db import (
    AuditEvent,
    Base,
    Database,
    Delivery,
    Instance,
    Job,
    JobState,
    JobStep,
    Patient,
    ResultObject,
    Series,
    Study,
    StudyState,
    Worker,
    upgrade,
)

LOGIN, PASSWORD = "bench", "a sentence of the benchmark"
ROWS_AT_ONCE = 5000
DAYS = 1500
FULL_STUDIES = 100
IMAGES_OF_A_FULL_STUDY = 300
WITH_READING = 500
READING = Path(__file__).parents[1] / "unit" / "console" / "reading.json"
FAMILIES = (
    *("Müller", "Schmidt", "Schneider", "Fischer", "Weber", "Meyer", "Wagner", "Becker", "Schulz", "Hoffmann"),
    *("Koch", "Richter", "Klein", "Wolf", "Neumann", "Schwarz", "Braun", "Krüger", "Hartmann", "Lange", "Doe"),
)
GIVEN = ("Anna", "Ben", "Clara", "David", "Emma", "Felix", "Greta", "Hannes", "Ida", "Jonas", "Änne", "Łukasz")
READING_STEPS = ("select_series", "encode_missing", "read_study", "weigh_evidence", "compose")
DELIVERY_STEPS = ("deliver:pacs", "confirm:pacs")
WAITING, RUNNING, DELIVERING = 300, 8, 40
"""The newest jobs: so many of them wait, are read and are delivered."""


@dataclass(frozen=True)
class Size:
    """How much there is."""

    studies: int
    jobs: int


def seed(database: Database, size: Size) -> datetime:
    """Fills an empty database; returns the time of its newest study."""
    if database.engine.dialect.name == "sqlite":
        event.listen(database.engine, "connect", _make_hasty)
    upgrade(database)
    now = datetime.now(UTC)
    with database.engine.begin() as connection, _without_indexes(connection):
        _insert(connection, Patient, _patients(size))
        _insert(connection, Study, _studies(size, now))
        _insert(connection, Series, _series(size))
        _insert(connection, Instance, _instances(size, now))
        _insert(connection, Job, _jobs(size, now))
        for statement in (*_steps(), *_objects(), *_trail()):
            connection.execute(text(statement))
        _insert(connection, Worker, [{"executor_id": "w1", "host": "reader-1/4026531836", "pid": 17}])
    with database.engine.begin() as connection:
        _count_on(connection)
    with database.writing() as session:
        add_account(
            session, actor="bench", login=LOGIN, name="Bench", person_name="Bench", roles=list(Role), password=PASSWORD
        )
    return now


def _make_hasty(connection: Any, _record: object) -> None:
    """What is filled here need not survive a power cut."""
    for pragma in ("synchronous=OFF", "cache_size=-1000000"):
        connection.execute(f"PRAGMA {pragma}")


@contextmanager
def _without_indexes(connection: Connection) -> Iterator[None]:
    """The indexes are made at the end, each in one go: many times faster than a row at a time."""
    tables = (Patient, Study, Series, Instance, Job, JobStep, ResultObject, Delivery, AuditEvent)
    indexes = [index for table in tables for index in table.__table__.indexes]  # type: ignore[attr-defined]
    for index in indexes:
        index.drop(connection)
    yield
    for index in indexes:
        index.create(connection)


def _insert(connection: Connection, table: type[Base], rows: Iterable[Mapping[str, Any]]) -> None:
    waiting = iter(rows)
    while some := list(itertools.islice(waiting, ROWS_AT_ONCE)):
        connection.execute(insert(table), some)


def _patients(size: Size) -> Iterator[dict[str, Any]]:
    chance = random.Random(1)
    for number in range(1, _patient_count(size) + 1):
        family, given = chance.choice(FAMILIES), chance.choice(GIVEN)
        name = f"{family}{chance.choice(('', 'in', 'mann', 'er', ''))}^{given}"
        yield {"id": number, "patient_id": f"{chance.randrange(10**8):08}-{number}", "name": name, "sex": "F"}


def _patient_count(size: Size) -> int:
    return max(1, size.studies * 7 // 10)


def _studies(size: Size, now: datetime) -> Iterator[dict[str, Any]]:
    chance = random.Random(2)
    for number in range(1, size.studies + 1):
        at = now - timedelta(days=DAYS * (1 - number / size.studies))
        newest = number > size.studies - 20
        state = (
            StudyState.RECEIVING if newest else chance.choices((StudyState.COMPLETE, StudyState.IGNORED), (96, 4))[0]
        )
        yield {
            "id": number,
            "patient_pk": chance.randrange(_patient_count(size)) + 1,
            "study_instance_uid": f"1.2.826.0.7.{number}",
            "study_date": f"{at:%Y%m%d}",
            "study_time": f"{at:%H%M%S}",
            "accession_number": f"A{chance.randrange(10**9):09}",
            "description": chance.choice(("CT Thorax", "CT Thorax KM", "CT Abdomen", "MR Kopf", "CT Chest low dose")),
            "state": StudyState.RECEIVING if number > size.studies - 20 else state,
            "state_reason": "ct → msvlm → pacs",
            "first_received_at": at - timedelta(seconds=40),
            "last_received_at": at,
            "complete_at": at + timedelta(seconds=30),
        }


def _series(size: Size) -> Iterator[dict[str, Any]]:
    for number in range(1, size.studies + 1):
        modality = "MR" if number % 25 == 0 else "CT"
        uid = f"1.2.826.0.7.{number}"
        yield {"id": 2 * number, "study_pk": number, "series_instance_uid": f"{uid}.1", "modality": modality}
        yield {"id": 2 * number + 1, "study_pk": number, "series_instance_uid": f"{uid}.2", "modality": "SR"}


def _instances(size: Size, now: datetime) -> Iterator[dict[str, Any]]:
    for number in range(1, size.studies + 1):
        at = now - timedelta(days=DAYS * (1 - number / size.studies))
        full = number > size.studies - FULL_STUDIES
        for image in range(IMAGES_OF_A_FULL_STUDY if full else 2):
            yield {
                "series_pk": 2 * number,
                "sop_instance_uid": f"1.2.826.0.7.{number}.1.{image}",
                "sop_class_uid": "1.2.840.10008.5.1.4.1.1.2",
                "transfer_syntax_uid": "1.2.840.10008.1.2.4.70",
                "digest": f"{number:032x}{image:032x}",
                "size_bytes": 260_000,
                "source": f"CT{number % 4}@10.0.0.{number % 4}",
                "received_at": at - timedelta(milliseconds=130 * image),
            }


def _jobs(size: Size, now: datetime) -> Iterator[dict[str, Any]]:
    """Jobs in the order of time: readings and reviews of a study follow one another, a few studies have very many."""
    chance = random.Random(3)
    reading = json.loads(READING.read_text(encoding="utf-8"))
    for number in range(1, size.jobs + 1):
        age = size.jobs - number
        study = max(1, min(size.studies, round(number / size.jobs * size.studies - chance.expovariate(0.01))))
        created = now - timedelta(days=DAYS * age / size.jobs)
        state = _state(age, chance)
        has_begun, has_ended = state != JobState.QUEUED, age >= WAITING + RUNNING + DELIVERING
        yield {
            "id": f"{number:08x}-0000-4000-8000-{number * 2654435761 % 2**48:012x}",
            "study_pk": study,
            "rule": "ct",
            "pipeline": "review" if has_ended and number % 2 else "msvlm",
            "priority": 100 if number % 50 else 10,
            "destinations": ["pacs"],
            "input_digest": f"{number:064x}",
            "state": state,
            "error": f"deliver:pacs: given up after 300 attempts: no answer from 10.0.0.{number % 9}"
            if state == JobState.FAILED
            else "",
            "progress": 0.4 if state == JobState.RUNNING else 1.0 if has_ended else 0.0,
            "bundle": "msvlm-thorax-demo 0.2.0" if has_begun else "",
            "reading": reading if has_ended and age < WAITING + RUNNING + DELIVERING + WITH_READING else None,
            "created_at": created,
            "started_at": created + timedelta(seconds=2) if has_begun else None,
            "finished_at": created + timedelta(seconds=5 + chance.expovariate(0.1)) if has_ended else None,
        }


def _state(age: int, chance: random.Random) -> JobState:
    """Of a job after which `age` others were made."""
    for state, upto in (
        (JobState.QUEUED, WAITING),
        (JobState.RUNNING, WAITING + RUNNING),
        (JobState.DELIVERING, WAITING + RUNNING + DELIVERING),
    ):
        if age < upto:
            return state
    kinds = (JobState.DONE, JobState.NO_RESULT, JobState.CANCELED, JobState.FAILED)
    return chance.choices(kinds, (905, 50, 30, 15))[0]


def _steps() -> Iterator[str]:
    """Steps of every job that has begun, in the database itself: millions of them take a minute so."""
    columns = "job_id, name, state, attempts, detail, worker, started_at, finished_at"
    for name in (*READING_STEPS, *DELIVERY_STEPS):
        pipelines = "'msvlm', 'review'" if name in ("compose", *DELIVERY_STEPS) else "'msvlm'"
        states = "CASE WHEN state = 'failed' THEN 'failed' ELSE 'done' END" if ":" in name else "'done'"
        ended = "state NOT IN ('queued', 'running', 'delivering')"
        # the names hold a colon, which would be a parameter
        yield (
            f"INSERT INTO job_steps ({columns}) SELECT id, '{name.replace(':', chr(92) + ':')}', {states}, 1, "
            f"'2 objects stored', 'w1', started_at, finished_at FROM jobs WHERE pipeline IN ({pipelines}) AND {ended}"
        )
    yield (
        f"INSERT INTO job_steps ({columns}) SELECT id, 'encode_missing', 'running', 1, '', 'w1', started_at, NULL "
        "FROM jobs WHERE state = 'running'"
    )


def _objects() -> Iterator[str]:
    columns = "job_id, kind, sop_instance_uid, sop_class_uid, series_instance_uid, digest, created_at"
    ended = "state NOT IN ('queued', 'running')"
    for kind, sop_class, root in (("ai_result", "34", "1"), ("draft_report", "11", "2")):
        yield (
            f"INSERT INTO result_objects ({columns}) SELECT id, '{kind}', '2.25.{root}.' || ltrim(input_digest, '0'), "
            f"'1.2.840.10008.5.1.4.1.1.88.{sop_class}', '1.2.3', input_digest, started_at FROM jobs WHERE {ended}"
        )
    state = (
        "CASE jobs.state WHEN 'failed' THEN 'unreachable' WHEN 'delivering' THEN 'retrying' "
        "WHEN 'canceled' THEN 'pending' ELSE 'confirmed' END"
    )
    yield (
        "INSERT INTO deliveries (result_object_pk, destination, state, attempts, answer, changed_at) "
        f"SELECT result_objects.id, 'pacs', {state}, 1, '0x0000', result_objects.created_at "
        "FROM result_objects JOIN jobs ON jobs.id = result_objects.job_id"
    )


def _trail() -> Iterator[str]:
    """A line for each object delivered, and one for each study that became complete.

    They have places in the chain, but not its digests, which would take minutes: `audit verify` refuses them.
    """
    columns = "at, actor, action, outcome, subject, detail, position, digest"
    yield (
        f"INSERT INTO audit_events ({columns}) SELECT created_at, 'agent', 'result.delivered', 'success', "
        "sop_instance_uid, '{}', id, digest FROM result_objects"
    )
    yield (
        f"INSERT INTO audit_events ({columns}) SELECT complete_at, 'agent', 'study.complete', 'success', "
        "study_instance_uid, '{}', (SELECT max(id) FROM result_objects) + id, '' FROM studies"
    )


def _count_on(connection: Connection) -> None:
    """Postgres counts on from the keys that were given, and looks at the tables as it does by itself every so often."""
    if connection.dialect.name != "postgresql":
        return
    for table in ("patients", "studies", "series"):
        connection.execute(text(f"SELECT setval('{table}_id_seq', (SELECT max(id) FROM {table}))"))
    connection.execute(text("ANALYZE"))
