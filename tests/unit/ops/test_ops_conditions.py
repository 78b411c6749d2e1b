"""Everything that an administrator should be told of is found, and nothing when all is well."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from sqlalchemy import text
from sqlalchemy.orm import Session

from pacs_agent.accounts import Role, add_account
from pacs_agent.config import Settings
from pacs_agent.db import (
    AuditEvent,
    Database,
    Delivery,
    DeliveryState,
    Job,
    JobState,
    ModelRecall,
    Patient,
    ResultObject,
    Study,
    utc_now,
)
from pacs_agent.ops.audit_chain import seal_waiting
from pacs_agent.ops.conditions import check_chain, conditions_now
from pacs_agent.ops.runtime import Watermark, change_runtime_settings

NOW = utc_now()


def certificate(path: Path, days: int) -> Path:
    """A certificate that ends so many days from now."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "pacs")])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(NOW - timedelta(days=900))
    signed = builder.not_valid_after(NOW + timedelta(days=days)).sign(key, hashes.SHA256())
    path.write_bytes(signed.public_bytes(Encoding.PEM))
    return path


@pytest.fixture
def settings(tmp_path: Path, database: Database) -> Settings:
    with database.writing() as session:
        change_runtime_settings(session, Watermark(warn_free_gb=0, refuse_free_gb=0), actor="test")
    pacs = {"url": "https://pacs.example/dicom-web", "ca_file": certificate(tmp_path / "ca.pem", 400)}
    return Settings(data_dir=tmp_path, web={"pacs": pacs})


def found(settings: Settings, database: Database) -> list[tuple[str, str]]:
    with database.reading() as session:
        return [(one.event, one.subject) for one in conditions_now(session, settings, NOW)]


def add_job(session: Session, state: JobState, waiting_min: int = 0) -> None:
    study = Study(patient=Patient(patient_id="P", name="Doe^Jane"), study_instance_uid="1.2")
    job = Job(id="j", study=study, rule="r", pipeline="p", input_digest="", state=state)
    uids = {"sop_instance_uid": "1.9", "sop_class_uid": "1", "series_instance_uid": "1"}
    result = ResultObject(job=job, kind="k", digest="", created_at=NOW - timedelta(minutes=waiting_min), **uids)
    session.add(Delivery(result_object=result, destination="pacs", state=DeliveryState.RETRYING))


def add_lines(action: str, count: int = 1, subject: str = "") -> Callable[[Session], None]:
    def add(session: Session) -> None:
        session.add_all(
            AuditEvent(at=NOW, actor="a", action=action, outcome="x", subject=subject) for _ in range(count)
        )

    return add


def recall(session: Session) -> None:
    session.add(ModelRecall(name="msvlm", version="1", reason="wrong"))


def no_room(session: Session) -> None:
    change_runtime_settings(session, Watermark(warn_free_gb=1e9, refuse_free_gb=0), actor="test")


@pytest.mark.parametrize(
    ("happens", "expected"),
    [
        (lambda session: None, []),
        (lambda session: add_job(session, JobState.FAILED), [("dead-letters", "")]),
        (lambda session: add_job(session, JobState.DELIVERING, waiting_min=20), []),
        (lambda session: add_job(session, JobState.DELIVERING, waiting_min=40), [("destination-unreachable", "pacs")]),
        (no_room, [("disk-low", "archive")]),
        (add_lines("worker.buried", 2), [("worker-lost", "")]),
        (add_lines("model.refused", 2, "bundle"), [("model-refused", "bundle")]),
        (recall, [("model-recalled", "msvlm 1")]),
        (add_lines("login.failed", 9), []),
        (add_lines("login.failed", 10), [("login-throttled", "")]),
    ],
)
def test_what_is_wrong_is_found(
    settings: Settings, database: Database, happens: Callable[[Session], None], expected: list[tuple[str, str]]
) -> None:
    with database.writing() as session:
        happens(session)
    assert found(settings, database) == expected


def test_a_certificate_that_ends_soon_is_found(settings: Settings, database: Database, tmp_path: Path) -> None:
    certificate(tmp_path / "ca.pem", 5)
    assert found(settings, database) == [("certificate-expires", "web.pacs")]
    (tmp_path / "ca.pem").write_text("none")
    assert found(settings, database) == []


def test_an_auditor_whom_an_administrator_made_is_told_for_a_day(settings: Settings, database: Database) -> None:
    with database.writing() as session:
        roles = [Role.AUDITOR, Role.VIEWER]
        add_account(
            session, actor="boss@192.0.2.9", login="eve", name="Eve", roles=roles, password="a sentence of hers"
        )
    assert found(settings, database) == [("auditor-changed", "eve")]
    with database.reading() as session:
        (told,) = conditions_now(session, settings, utc_now())
        assert "eve was made an auditor by boss@192.0.2.9" in told.words
        assert conditions_now(session, settings, utc_now() + timedelta(hours=25)) == []


def test_a_change_of_the_audit_trail_is_found_within_a_day(settings: Settings, database: Database) -> None:
    seal_waiting(database)
    with database.engine.begin() as connection:
        connection.execute(text("DROP TRIGGER audit_events_unchanged"))
        connection.execute(text("UPDATE audit_events SET actor = 'nobody'"))
    check_chain(database)
    assert found(settings, database) == [("audit-chain-broken", "")]
