"""Checks what a working agent needs, each with advice when it is missing. Nothing is changed."""

import os
import socket
from collections.abc import Callable, Iterator
from enum import StrEnum
from pathlib import Path

from pydantic import BaseModel, ConfigDict
from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError

from pacs_agent import deliver, inference, route
from pacs_agent.config import Settings
from pacs_agent.db import Database, Destination, Job, JobState, Peer, Worker, utc_now
from pacs_agent.ops.dicom_tls import WrongTls, certificate_ends_at, server_context
from pacs_agent.ops.listening import answers_http, listener_answers, listener_port
from pacs_agent.ops.runtime import GIGABYTE, Watermark, runtime_settings
from pacs_agent.ops.watermark import disk_state

CERTIFICATE_DAYS = 30


class Grade(StrEnum):
    """How a check came out."""

    GOOD = "good"
    WARNING = "warning"
    BAD = "bad"


class Check(BaseModel):
    """One thing checked: what was found and, unless it is good, what to do."""

    model_config = ConfigDict(frozen=True)

    name: str
    grade: Grade
    found: str
    advice: str = ""


def examine(settings: Settings, database: Database) -> Iterator[Check]:
    """All checks, one after the other: disk, database, ports, models, peers, destinations, workers, dead letters."""
    checks: tuple[Callable[[Settings, Database], Iterator[Check]], ...] = (
        _disk,
        _database,
        _listener,
        _dicom_tls,
        _web,
        _models,
        _peers,
        _rules,
        _destinations,
        _workers,
        _dead_letters,
    )
    for check in checks:
        yield from check(settings, database)


def at_a_glance(settings: Settings, database: Database) -> Iterator[Check]:
    """The checks that take milliseconds, for pages: no model is run and no other system is asked."""
    for check in (_disk, _listener_answers, _dicom_tls, _bundles, _peers, _rules, _workers):
        yield from check(settings, database)


def _disk(settings: Settings, database: Database) -> Iterator[Check]:
    folder = settings.data_dir.resolve()
    nearest = next(path for path in (folder, *folder.parents) if path.is_dir())
    if not os.access(nearest, os.W_OK):
        advice = "change its owner, or data_dir"
        yield Check(name="disk", grade=Grade.BAD, found=f"{nearest} is not writable", advice=advice)
        return
    state = disk_state(nearest, _watermark(database))
    found = f"{state.free_bytes / GIGABYTE:.0f} GB free at {folder}"
    if state.refuses:
        found, advice = f"{found}, images are refused (0xA700)", "make room, or move data_dir to a larger disk"
        yield Check(name="disk", grade=Grade.BAD, found=found, advice=advice)
    elif state.warns:
        advice = "make room, set a rule of retention, or move data_dir to a larger disk"
        yield Check(name="disk", grade=Grade.WARNING, found=found, advice=advice)
    else:
        yield Check(name="disk", grade=Grade.GOOD, found=found)


def _watermark(database: Database) -> Watermark:
    """The limits that the receiver keeps; their defaults where the database does not answer."""
    try:
        with database.reading() as session:
            return runtime_settings(session, Watermark)
    except SQLAlchemyError:
        return Watermark()


def _database(_settings: Settings, database: Database) -> Iterator[Check]:
    shown = database.engine.url.render_as_string(hide_password=True)
    try:
        with database.reading() as session:
            jobs = session.scalar(select(func.count(Job.id)))
    except SQLAlchemyError as error:
        advice = "check database_url and the server"
        yield Check(name="database", grade=Grade.BAD, found=f"{shown}: {error}", advice=advice)
        return
    yield Check(name="database", grade=Grade.GOOD, found=f"{shown}, {jobs} jobs")


def _listener(settings: Settings, _database: Database) -> Iterator[Check]:
    dimse, port = settings.dimse, listener_port(settings.dimse)
    advice = "another program has it: change dimse.port, or dimse.tls.port"
    yield _port("listener", dimse.host, port, lambda _host, _port: listener_answers(dimse), advice)


def _listener_answers(settings: Settings, _database: Database) -> Iterator[Check]:
    """Unlike `_listener` without a look at who else may have the port: it may be about to be bound."""
    dimse = settings.dimse
    port = listener_port(dimse)
    where = f"{dimse.host}:{port}"
    if port == 0 or listener_answers(dimse):
        yield Check(name="listener", grade=Grade.GOOD, found=f"{dimse.ae_title} answers at {where}")
    else:
        advice = "no images can come in: start it with pacs-agent serve, or see its log"
        yield Check(name="listener", grade=Grade.BAD, found=f"nothing answers at {where}", advice=advice)


def _dicom_tls(settings: Settings, _database: Database) -> Iterator[Check]:
    """The certificate of DICOM over TLS, where it is set up."""
    if (tls := settings.dimse.tls) is None:
        return
    try:
        server_context(tls)
    except WrongTls as error:
        yield Check(
            name="DICOM TLS", grade=Grade.BAD, found=str(error), advice="see docs/operations.md, DICOM over TLS"
        )
        return
    ends_at = certificate_ends_at(tls.certificate) or utc_now()
    left_days = (ends_at - utc_now()).total_seconds() / 86400
    found = f"{tls.certificate} {'ends' if left_days > 0 else 'ended'} on {ends_at:%Y-%m-%d}"
    grade = Grade.GOOD if left_days > CERTIFICATE_DAYS else Grade.WARNING if left_days > 0 else Grade.BAD
    advice = "" if grade is Grade.GOOD else "put a new one and its key in their places; the agent reads them by itself"
    yield Check(name="DICOM TLS", grade=grade, found=found, advice=advice)


def _web(settings: Settings, _database: Database) -> Iterator[Check]:
    yield _port("web", settings.web.host, settings.web.port, answers_http, "another program has it: change web.port")


def _port(name: str, host: str, port: int, answers: Callable[[str, int], bool], advice: str) -> Check:
    where = f"{host}:{port}"
    if answers(host, port):
        return Check(name=name, grade=Grade.GOOD, found=f"answers at {where}")
    try:
        with socket.create_server((host, port)):
            return Check(name=name, grade=Grade.WARNING, found=f"{where} is free", advice="start it: pacs-agent serve")
    except OSError as error:
        return Check(name=name, grade=Grade.BAD, found=f"{where}: {error.strerror}", advice=advice)


def _bundles(settings: Settings, _database: Database) -> Iterator[Check]:
    folders = inference.bundle_folders(settings.inference.bundles_dir)
    if folders:
        yield Check(name="models", grade=Grade.GOOD, found=f"{len(folders)} installed")
    else:
        yield _no_bundle(settings)


def _models(settings: Settings, _database: Database) -> Iterator[Check]:
    folders = inference.bundle_folders(settings.inference.bundles_dir)
    if not folders:
        yield _no_bundle(settings)
    for folder in folders:
        yield _model(folder, settings)


def _no_bundle(settings: Settings) -> Check:
    advice = "copy a signed one there, or train and sign one (docs/models.md)"
    return Check(name="models", grade=Grade.BAD, found=f"none in {settings.inference.bundles_dir}", advice=advice)


def _model(folder: Path, settings: Settings) -> Check:
    try:
        bundle = inference.load_any(folder, settings.inference.trusted_keys)
        report = inference.self_test_of(bundle, settings.inference)
    except (inference.BundleRefused, inference.ProviderUnavailable) as refusal:
        return Check(name="model", grade=Grade.BAD, found=f"{folder.name}: {refusal}", advice="install it again")
    if not report.passed:
        return Check(name="model", grade=Grade.BAD, found=f"{folder.name}: {report.summary}", advice="do not use it")
    found = f"{folder.name} on {report.provider} in {report.precision}, self-test passed"
    return Check(name="model", grade=Grade.GOOD, found=found)


def _peers(_settings: Settings, database: Database) -> Iterator[Check]:
    with database.reading() as session:
        titles = list(session.scalars(select(Peer.ae_title).where(Peer.enabled)))
    if titles:
        yield Check(name="peers", grade=Grade.GOOD, found=", ".join(titles))
    else:
        advice = "nobody may send to us: pacs-agent peer add AE_TITLE --host IP"
        yield Check(name="peers", grade=Grade.WARNING, found="none", advice=advice)


def _rules(_settings: Settings, database: Database) -> Iterator[Check]:
    with database.reading() as session:
        book = route.rules_in_force(session)
        known = set(session.scalars(select(Destination.name).where(Destination.enabled)))
    if not book.rules:
        advice = "every study is ignored: pacs-agent rules put FILE"
        yield Check(name="rules", grade=Grade.WARNING, found="none", advice=advice)
        return
    missing = sorted({name for rule in book.rules for name in rule.destinations} - known)
    if missing:
        advice = "add it: pacs-agent destination add NAME …"
        yield Check(name="rules", grade=Grade.BAD, found=f"unknown destination {', '.join(missing)}", advice=advice)
    else:
        yield Check(name="rules", grade=Grade.GOOD, found=f"{len(book.rules)} in force")


def _destinations(settings: Settings, database: Database) -> Iterator[Check]:
    with database.reading() as session:
        rows = list(session.scalars(select(Destination).where(Destination.enabled)))
    for row in rows:
        try:
            answer = deliver.probe(row, settings)
        except deliver.DeliveryError as error:
            advice = "check its address, and that it knows our AE title"
            yield Check(name=f"destination {row.name}", grade=Grade.BAD, found=str(error), advice=advice)
        else:
            yield Check(name=f"destination {row.name}", grade=Grade.GOOD, found=answer)


def _workers(settings: Settings, database: Database) -> Iterator[Check]:
    with database.reading() as session:
        seen = list(session.scalars(select(Worker.seen_at).where(Worker.buried_at.is_(None))))
    alive = [at for at in seen if (utc_now() - at).total_seconds() < settings.work.takeover_s]
    if alive:
        yield Check(name="workers", grade=Grade.GOOD, found=f"{len(alive)} alive")
    else:
        yield Check(name="workers", grade=Grade.WARNING, found="none alive", advice="start one: pacs-agent serve")


def _dead_letters(_settings: Settings, database: Database) -> Iterator[Check]:
    with database.reading() as session:
        failed = session.scalar(select(func.count(Job.id)).where(Job.state == JobState.FAILED)) or 0
    if failed:
        advice = "pacs-agent jobs --state failed; then pacs-agent rerun ID"
        yield Check(name="dead letters", grade=Grade.WARNING, found=f"{failed} jobs", advice=advice)
    else:
        yield Check(name="dead letters", grade=Grade.GOOD, found="none")
