"""What is wrong with the agent right now, in words for an administrator, without patient data."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from pacs_agent.config import Settings
from pacs_agent.db import (
    AuditEvent,
    Database,
    Delivery,
    DeliveryState,
    Destination,
    Job,
    JobState,
    ModelRecall,
    ResultObject,
    Upkeep,
)
from pacs_agent.ops.audit_chain import verify
from pacs_agent.ops.dicom_tls import certificate_ends_at, revocations_end_at
from pacs_agent.ops.runtime import GIGABYTE, Notifications, Watermark, runtime_settings
from pacs_agent.ops.upkeep import claim, remember
from pacs_agent.ops.watermark import disk_state

RECENT = timedelta(hours=1)
"""What happens at one moment, such as the loss of a worker, holds as a condition for this time."""
AUDITOR_TOLD = timedelta(hours=24)
AUDITOR_ACTS = {
    "auditor.made": "was made an auditor",
    "auditor.enabled": "is an auditor and was enabled again",
    "auditor.password": "is an auditor and was given a password",
}
LOGIN_WINDOW = timedelta(minutes=15)
FAILED_LOGINS = 10
CHAIN_TASK = "audit-chain"
CHAIN_EVERY_S = 86400.0


@dataclass(frozen=True)
class Found:
    """One thing that is wrong: its kind, which one, and in words what to do."""

    event: str
    subject: str
    words: str
    amount: int = 0


@dataclass(frozen=True)
class Looked:
    """What the looks below are made with."""

    session: Session
    settings: Settings
    notifications: Notifications
    now: datetime


def conditions_now(session: Session, settings: Settings, now: datetime) -> list[Found]:
    """All that is wrong now, each kind and subject once."""
    looked = Looked(session, settings, runtime_settings(session, Notifications), now)
    return [found for look in LOOKS for found in look(looked)]


def check_chain(database: Database) -> None:
    """Looks once a day whether the audit trail is whole; what it finds is remembered for `conditions_now`."""
    if claim(database, CHAIN_TASK, CHAIN_EVERY_S):
        remember(database, CHAIN_TASK, fault=verify(database).fault)


def _dead_letters(looked: Looked) -> Iterator[Found]:
    count = looked.session.scalar(select(func.count(Job.id)).where(Job.state == JobState.FAILED)) or 0
    if count:
        what = "1 job is a dead letter" if count == 1 else f"{count} jobs are dead letters"
        yield Found("dead-letters", "", f"{what}: find the cause on the page Queue, then retry", count)


def _unreachable(looked: Looked) -> Iterator[Found]:
    minutes = looked.notifications.unreachable_minutes
    waiting = (
        select(Delivery.destination, func.count(Delivery.id))
        .join(Delivery.result_object)
        .where(Delivery.state == DeliveryState.RETRYING)
        .where(ResultObject.created_at < looked.now - timedelta(minutes=minutes))
        .group_by(Delivery.destination)
    )
    for name, count in looked.session.execute(waiting):
        words = f"destination {name} has taken nothing for {minutes} minutes or longer, {count} objects wait for it"
        yield Found("destination-unreachable", name, f"{words}; test it on the page Peers", count)


def _disk(looked: Looked) -> Iterator[Found]:
    watermark = runtime_settings(looked.session, Watermark)
    folder = looked.settings.data_dir
    try:
        state = disk_state(folder, watermark)
    except OSError as error:
        yield Found("disk-full", "archive", f"the disk of the archive cannot be asked: {error.strerror}")
        return
    free = f"{state.free_bytes / GIGABYTE:.1f} GB are free on the disk of the archive"
    if state.refuses:
        yield Found("disk-full", "archive", f"{free}; images are refused (0xA700) until there is room")
    elif state.warns:
        yield Found("disk-low", "archive", f"{free}; make room, or set a rule of retention on the page Settings")


def _lost_workers(looked: Looked) -> Iterator[Found]:
    count = _recent(looked, "worker.buried", RECENT)
    if count:
        what = "a worker was lost" if count == 1 else f"{count} workers were lost"
        yield Found("worker-lost", "", f"{what} within the hour; others took the jobs over, see the page Logs", count)


def _refused_models(looked: Looked) -> Iterator[Found]:
    query = select(AuditEvent.subject).where(AuditEvent.action == "model.refused")
    query = query.where(AuditEvent.at > looked.now - RECENT).distinct().order_by(AuditEvent.subject)
    for subject in looked.session.scalars(query):
        yield Found("model-refused", subject, f"model bundle {subject} was refused; the page Models says why")


def _recalled_models(looked: Looked) -> Iterator[Found]:
    for row in looked.session.scalars(select(ModelRecall).where(ModelRecall.lifted_at.is_(None))):
        subject = f"{row.name} {row.version}"
        yield Found("model-recalled", subject[:128], f"model {subject} is recalled: do not rely on its results")


def _audit_chain(looked: Looked) -> Iterator[Found]:
    row = looked.session.get(Upkeep, CHAIN_TASK)
    if row is not None and row.state.get("fault"):
        words = "the audit trail was changed from outside; `pacs-agent audit verify` says where"
        yield Found("audit-chain-broken", "", words)


def _changed_auditors(looked: Looked) -> Iterator[Found]:
    """Who opened an auditor's account to somebody: an administrator may have done so for himself."""
    for act, words in AUDITOR_ACTS.items():
        query = select(AuditEvent.subject, AuditEvent.actor).where(AuditEvent.action == act)
        for login, actor in looked.session.execute(query.where(AuditEvent.at > looked.now - AUDITOR_TOLD)):
            told = f"{login} {words} by {actor}; ask whether that was meant, the page Audit shows it"
            yield Found("auditor-changed", login, told)


def _throttled_logins(looked: Looked) -> Iterator[Found]:
    count = _recent(looked, "login.failed", LOGIN_WINDOW)
    if count >= FAILED_LOGINS:
        words = f"{count} logins failed within 15 minutes; the page Audit names their addresses"
        yield Found("login-throttled", "", words, count)


def _certificates(looked: Looked) -> Iterator[Found]:
    within = timedelta(days=looked.notifications.certificate_days)
    for name, path in _certificate_files(looked):
        expires = certificate_ends_at(path)
        if expires is not None and expires < looked.now + within:
            verb = "expired" if expires < looked.now else "expires"
            yield Found(
                "certificate-expires", name, f"the certificate of {name} {verb} on {expires:%Y-%m-%d}; renew it"
            )


def _revocations(looked: Looked) -> Iterator[Found]:
    """Lists of revoked certificates are renewed day by day: one is told when it has ended."""
    tls = looked.settings.dimse.tls
    if tls is None or tls.crl_file is None:
        return
    ended = revocations_end_at(tls.crl_file)
    if ended is not None and ended < looked.now:
        words = f"the list of revoked certificates ended on {ended:%Y-%m-%d %H:%M} UTC: nobody is let in over TLS"
        yield Found("certificate-expires", "dimse.tls.crl_file", f"{words}; put a new one in its place")


def _certificate_files(looked: Looked) -> Iterator[tuple[str, Path]]:
    """Certificates that the settings name: of DICOM over TLS, of the viewer's PACS, and of destinations."""
    if (tls := looked.settings.dimse.tls) is not None:
        yield "dimse.tls", tls.certificate
        yield "dimse.tls.ca_file", tls.ca_file
    pacs = looked.settings.web.pacs
    if pacs is not None and pacs.ca_file is not None:
        yield "web.pacs", pacs.ca_file
    for row in looked.session.scalars(select(Destination).where(Destination.enabled)):
        for key in ("ca_file", "certificate_file", "cert_file"):
            if isinstance(path := row.settings.get(key), str):
                yield f"destination {row.name}", Path(path)


def _recent(looked: Looked, action: str, window: timedelta) -> int:
    query = select(func.count(AuditEvent.id)).where(AuditEvent.action == action, AuditEvent.at > looked.now - window)
    return looked.session.scalar(query) or 0


LOOKS: tuple[Callable[[Looked], Iterator[Found]], ...] = (
    _dead_letters,
    _unreachable,
    _disk,
    _lost_workers,
    _refused_models,
    _recalled_models,
    _audit_chain,
    _changed_auditors,
    _throttled_logins,
    _certificates,
    _revocations,
)
