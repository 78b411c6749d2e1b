"""Tables. Names are the standard's; times are UTC; digests are SHA-256 in hexadecimal.

The information model is PS3.3 7.3.1 (patient, study, series, instance); the rest is the agent's own state.
"""

from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, DateTime, Dialect, ForeignKey, Index, String, Text, TypeDecorator, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from pacs_agent.db.search import key_of, search_column


def utc_now() -> datetime:
    """The present time, aware, in UTC."""
    return datetime.now(UTC)


class UtcDateTime(TypeDecorator[datetime]):
    """An aware UTC time in every database; SQLite forgets the zone, so it is put back on the way out."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuses naive times: nobody knows what they mean."""
        if value is not None and value.tzinfo is None:
            raise ValueError("a time without a zone was given to the database")
        return value.astimezone(UTC) if value is not None else None

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Puts the zone back where the database dropped it, and UTC where Postgres has another."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Base(DeclarativeBase):
    """Base of all mapped classes."""

    type_annotation_map = {datetime: UtcDateTime, dict[str, Any]: JSON, list[str]: JSON}  # noqa: RUF012 (SQLAlchemy's form)


class Patient(Base):
    """A patient as the PACS names it: Patient ID within its issuer."""

    __tablename__ = "patients"
    __table_args__ = (UniqueConstraint("patient_id", "issuer"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    patient_id: Mapped[str] = mapped_column(String(64))
    issuer: Mapped[str] = mapped_column(String(64), default="")
    name: Mapped[str] = mapped_column(String(324), default="")
    birth_date: Mapped[str] = mapped_column(String(8), default="")
    sex: Mapped[str] = mapped_column(String(16), default="")
    name_key: Mapped[str] = mapped_column(search_column(324), default=key_of("name", 324), index=True)
    id_key: Mapped[str] = mapped_column(search_column(64), default=key_of("patient_id", 64), index=True)
    studies: Mapped[list["Study"]] = relationship(back_populates="patient")


class StudyState(StrEnum):
    """Where a study is on its way before it becomes jobs. `held`: something is missing, and an operator decides."""

    RECEIVING = "receiving"
    HELD = "held"
    COMPLETE = "complete"
    IGNORED = "ignored"


class Study(Base):
    """A study. `last_received_at` moves only when a new image of it is indexed, never on a re-send or for a result."""

    __tablename__ = "studies"
    __table_args__ = (
        Index("ix_studies_state_last", "state", "last_received_at", "id"),
        Index("ix_studies_last", "last_received_at", "id", "study_date"),
        Index("ix_studies_date", "study_date", "last_received_at", "id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    patient_pk: Mapped[int] = mapped_column(ForeignKey("patients.id"), index=True)
    study_instance_uid: Mapped[str] = mapped_column(String(64), unique=True)
    study_date: Mapped[str] = mapped_column(String(8), default="")
    study_time: Mapped[str] = mapped_column(String(16), default="")
    study_id: Mapped[str] = mapped_column(String(16), default="")
    accession_number: Mapped[str] = mapped_column(String(16), default="", index=True)
    accession_key: Mapped[str] = mapped_column(search_column(16), default=key_of("accession_number", 16), index=True)
    description: Mapped[str] = mapped_column(String(64), default="")
    referring_physician: Mapped[str] = mapped_column(String(324), default="")
    state: Mapped[StudyState] = mapped_column(String(16), default=StudyState.RECEIVING)
    state_reason: Mapped[str] = mapped_column(Text, default="")
    decision: Mapped[list[str] | None] = mapped_column(JSON)
    """What each rule said and why, a line each, when the rules were last asked."""
    first_received_at: Mapped[datetime] = mapped_column(default=utc_now)
    last_received_at: Mapped[datetime] = mapped_column(default=utc_now)
    complete_at: Mapped[datetime | None]
    commitment_asked_at: Mapped[datetime | None]
    """When its sender last asked for storage commitment of images of it, and all of them were committed."""
    expected_instances: Mapped[int | None]
    """As many as it has by a count that is known, whether they came or not."""
    expected_from: Mapped[str] = mapped_column(String(160), default="")
    """Who counted them, in words."""
    complete_by: Mapped[str] = mapped_column(Text, default="")
    """By which sign it was found complete the last time, in words."""
    patient: Mapped[Patient] = relationship(back_populates="studies")
    series: Mapped[list["Series"]] = relationship(back_populates="study")
    jobs: Mapped[list["Job"]] = relationship(back_populates="study")


class Series(Base):
    """A series of one study."""

    __tablename__ = "series"
    __table_args__ = (Index("ix_series_modality_study", "modality", "study_pk"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    study_pk: Mapped[int] = mapped_column(ForeignKey("studies.id"), index=True)
    series_instance_uid: Mapped[str] = mapped_column(String(64), unique=True)
    modality: Mapped[str] = mapped_column(String(16), default="")
    number: Mapped[int | None]
    description: Mapped[str] = mapped_column(String(64), default="")
    body_part: Mapped[str] = mapped_column(String(16), default="")
    study: Mapped[Study] = relationship(back_populates="series")
    instances: Mapped[list["Instance"]] = relationship(back_populates="series")


class Origin(StrEnum):
    """How an instance came into the archive."""

    RECEIVED = "received"
    RESULT = "result"


class Instance(Base):
    """An instance on disk. `digest` is over the data set as sent, without preamble and file meta information."""

    __tablename__ = "instances"
    __table_args__ = (Index("ix_instances_series_origin", "series_pk", "origin"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    series_pk: Mapped[int] = mapped_column(ForeignKey("series.id"))
    sop_instance_uid: Mapped[str] = mapped_column(String(64), unique=True)
    sop_class_uid: Mapped[str] = mapped_column(String(64))
    transfer_syntax_uid: Mapped[str] = mapped_column(String(64))
    number: Mapped[int | None]
    rows: Mapped[int | None]
    columns: Mapped[int | None]
    frames: Mapped[int] = mapped_column(default=1)
    digest: Mapped[str] = mapped_column(String(64), unique=True)
    size_bytes: Mapped[int]
    origin: Mapped[Origin] = mapped_column(String(16), default=Origin.RECEIVED)
    source: Mapped[str] = mapped_column(String(128), default="")
    received_at: Mapped[datetime] = mapped_column(default=utc_now)
    series: Mapped[Series] = relationship(back_populates="instances")


class QuarantinedInstance(Base):
    """An instance kept on disk but not in the archive: it contradicts what is known of its study."""

    __tablename__ = "quarantined_instances"

    id: Mapped[int] = mapped_column(primary_key=True)
    sop_instance_uid: Mapped[str] = mapped_column(String(64), index=True)
    study_instance_uid: Mapped[str] = mapped_column(String(64), index=True)
    digest: Mapped[str] = mapped_column(String(64), unique=True)
    reason: Mapped[str] = mapped_column(Text)
    source: Mapped[str] = mapped_column(String(128), default="")
    received_at: Mapped[datetime] = mapped_column(default=utc_now)


class JobState(StrEnum):
    """State of a job. `no_result` is a success that says in DICOM why nothing can be said."""

    QUEUED = "queued"
    RUNNING = "running"
    DELIVERING = "delivering"
    DONE = "done"
    NO_RESULT = "no_result"
    FAILED = "failed"
    CANCELED = "canceled"


class Job(Base):
    """One reading of one study: the durable workflow's own record, its id is the workflow's id.

    `reading` is the StudyReading as JSON; `input_digest` is over the digests of all images the study had when complete.
    `run` counts from 1; each time the job is put into the queue again is its next run.
    """

    __tablename__ = "jobs"
    __table_args__ = (
        Index("ix_jobs_created", "created_at", "id"),
        Index("ix_jobs_state_created", "state", "created_at", "id"),
        Index("ix_jobs_finished", "finished_at", "state"),
        Index("ix_jobs_state_priority", "state", "priority", "created_at"),
        Index("ix_jobs_study_created", "study_pk", "created_at", "pipeline", "state"),
        Index("ix_jobs_bundle_created", "bundle", "created_at", "id"),
        Index("ix_jobs_segmenter_created", "segmenter", "created_at", "id"),
    )

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    study_pk: Mapped[int] = mapped_column(ForeignKey("studies.id"))
    rule: Mapped[str] = mapped_column(String(64))
    pipeline: Mapped[str] = mapped_column(String(64))
    priority: Mapped[int] = mapped_column(default=100)
    destinations: Mapped[list[str]] = mapped_column(default=list)
    input_digest: Mapped[str] = mapped_column(String(64))
    supersedes_id: Mapped[str | None] = mapped_column(ForeignKey("jobs.id"), index=True)
    state: Mapped[JobState] = mapped_column(String(16), default=JobState.QUEUED)
    run: Mapped[int] = mapped_column(default=1)
    progress: Mapped[float] = mapped_column(default=0.0)
    error: Mapped[str] = mapped_column(Text, default="")
    lacks: Mapped[str] = mapped_column(Text, default="")
    """What its result lacks though it was made, and why, in sentences for people; empty when it lacks nothing."""
    bundle: Mapped[str] = mapped_column(String(128), default="")
    segmenter: Mapped[str] = mapped_column(String(128), default="")
    """Name and version of the model whose measurements its result has; empty when nothing was measured."""
    expected: Mapped[dict[str, Any] | None]
    """The route.Expected as JSON; None where its rules expect nothing."""
    series_choice: Mapped[dict[str, Any] | None]
    reading: Mapped[dict[str, Any] | None]
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    study: Mapped[Study] = relationship(back_populates="jobs")
    steps: Mapped[list["JobStep"]] = relationship(back_populates="job", order_by="JobStep.id")
    results: Mapped[list["ResultObject"]] = relationship(back_populates="job")


class StepState(StrEnum):
    """State of one step of a job."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    WAITING = "waiting"


class JobStep(Base):
    """One step of a job, timed; one row for each name (deliver and confirm: `deliver:<destination>`)."""

    __tablename__ = "job_steps"
    __table_args__ = (UniqueConstraint("job_id", "name"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id"), index=True)
    name: Mapped[str] = mapped_column(String(96))
    state: Mapped[StepState] = mapped_column(String(16))
    attempts: Mapped[int] = mapped_column(default=1)
    detail: Mapped[str] = mapped_column(Text, default="")
    worker: Mapped[str] = mapped_column(String(64), default="")
    """Executor id of the worker that began it last."""
    started_at: Mapped[datetime] = mapped_column(default=utc_now)
    finished_at: Mapped[datetime | None]
    job: Mapped[Job] = relationship(back_populates="steps")


class ResultObject(Base):
    """A DICOM object a job made; its bytes are in the archive under `digest`."""

    __tablename__ = "result_objects"

    id: Mapped[int] = mapped_column(primary_key=True)
    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id"), index=True)
    kind: Mapped[str] = mapped_column(String(32))
    sop_instance_uid: Mapped[str] = mapped_column(String(64), unique=True)
    sop_class_uid: Mapped[str] = mapped_column(String(64))
    series_instance_uid: Mapped[str] = mapped_column(String(64))
    digest: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    job: Mapped[Job] = relationship(back_populates="results")
    deliveries: Mapped[list["Delivery"]] = relationship(back_populates="result_object")


class DeliveryState(StrEnum):
    """State of one object at one destination. Only `stored` and `confirmed` mean that the destination has it."""

    PENDING = "pending"
    RETRYING = "retrying"
    STORED = "stored"
    CONFIRMED = "confirmed"
    REFUSED = "refused"
    UNREACHABLE = "unreachable"
    LEFT_OUT = "left_out"
    """The destination takes no objects of this kind, and can do without."""


class Delivery(Base):
    """One object on its way to one destination."""

    __tablename__ = "deliveries"
    __table_args__ = (
        UniqueConstraint("result_object_pk", "destination"),
        Index("ix_deliveries_destination_state", "destination", "state", "changed_at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    result_object_pk: Mapped[int] = mapped_column(ForeignKey("result_objects.id"), index=True)
    destination: Mapped[str] = mapped_column(String(64))
    state: Mapped[DeliveryState] = mapped_column(String(16), default=DeliveryState.PENDING)
    attempts: Mapped[int] = mapped_column(default=0)
    answer: Mapped[str] = mapped_column(Text, default="")
    changed_at: Mapped[datetime] = mapped_column(default=utc_now)
    result_object: Mapped[ResultObject] = relationship(back_populates="deliveries")


class Peer(Base):
    """A DICOM node known to us and what it may do here. Unknown nodes may do nothing, not even C-ECHO."""

    __tablename__ = "peers"

    ae_title: Mapped[str] = mapped_column(String(16), primary_key=True)
    host: Mapped[str] = mapped_column(String(255), default="")
    may_store: Mapped[bool] = mapped_column(default=True)
    may_echo: Mapped[bool] = mapped_column(default=True)
    enabled: Mapped[bool] = mapped_column(default=True)
    certificate_name: Mapped[str] = mapped_column(String(255), default="")
    """Name that its TLS certificate must bear; then it may not come without TLS. Empty: any of our authorities."""
    tls_only: Mapped[bool] = mapped_column(default=False)
    commitment_port: Mapped[int] = mapped_column(default=0)
    """Port at `host` where results of storage commitment are sent; 0: unknown."""
    last_seen_at: Mapped[datetime | None]
    """End of its newest association."""
    last_refused_at: Mapped[datetime | None]
    last_refusal: Mapped[str] = mapped_column(Text, default="")
    """Why an association or instances of it were refused last."""


class Destination(Base):
    """Where results go, and where studies are fetched from.

    `kind` names an entry of deliver's registry, `settings` are that kind's own. Secrets are never among them, so that
    whoever shows or exports settings gives none away.
    """

    __tablename__ = "destinations"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    kind: Mapped[str] = mapped_column(String(16))
    settings: Mapped[dict[str, Any]] = mapped_column(default=dict)
    enabled: Mapped[bool] = mapped_column(default=True)
    secrets: Mapped[list["DestinationSecret"]] = relationship(lazy="selectin", cascade="all, delete-orphan")


class DestinationSecret(Base):
    """A password or token for a destination: written by people, read only to log in there."""

    __tablename__ = "destination_secrets"

    destination: Mapped[str] = mapped_column(ForeignKey("destinations.name"), primary_key=True)
    name: Mapped[str] = mapped_column(String(16), primary_key=True)
    value: Mapped[str] = mapped_column(Text)


class RuleSet(Base):
    """A version of the routing rules, as YAML. The newest row is in force; older ones say what was in force then."""

    __tablename__ = "rule_sets"

    id: Mapped[int] = mapped_column(primary_key=True)
    text: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    created_by: Mapped[str] = mapped_column(String(64), default="")


class ModelActivation(Base):
    """A model bundle put in use. Of each model's name the newest row says which version reads; the rest is history."""

    __tablename__ = "model_activations"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(64), index=True)
    version: Mapped[str] = mapped_column(String(64))
    digest: Mapped[str] = mapped_column(String(64))
    """Of the bundle's manifest."""
    activated_at: Mapped[datetime] = mapped_column(default=utc_now)
    activated_by: Mapped[str] = mapped_column(String(64), default="")


class AuditEvent(Base):
    """Who did what to what, with which outcome. No patient names or IDs: subjects are UIDs and AE titles.

    `position` and `digest` are the row's seal in the chain (`ops.audit_chain`); a new row has none for some seconds.
    The database refuses to change what a row says, and to delete a sealed one.
    """

    __tablename__ = "audit_events"
    __table_args__ = (
        Index("ix_audit_events_action_at", "action", "at"),
        Index("ix_audit_events_actor_at", "actor", "at"),
        Index("ix_audit_events_subject_at", "subject", "at"),
        Index("ix_audit_events_outcome_at", "outcome", "at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(default=utc_now, index=True)
    actor: Mapped[str] = mapped_column(String(128))
    action: Mapped[str] = mapped_column(String(64))
    outcome: Mapped[str] = mapped_column(String(16))
    subject: Mapped[str] = mapped_column(String(128), default="")
    detail: Mapped[dict[str, Any]] = mapped_column(default=dict)
    position: Mapped[int | None] = mapped_column(unique=True, index=True)
    """Counts from 1 without a gap, in the order of sealing."""
    digest: Mapped[str | None] = mapped_column(String(64))


class AuditChain(Base):
    """The end of the audit trail's chain: the seal of the row that was sealed last. One row, with id 1."""

    __tablename__ = "audit_chain"

    id: Mapped[int] = mapped_column(primary_key=True)
    position: Mapped[int] = mapped_column(default=0)
    digest: Mapped[str] = mapped_column(String(64), default="")


class Worker(Base):
    """A worker process, by its executor id, and when it last said that it lives."""

    __tablename__ = "workers"

    executor_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    host: Mapped[str] = mapped_column(String(255))
    pid: Mapped[int]
    started_at: Mapped[datetime] = mapped_column(default=utc_now)
    seen_at: Mapped[datetime] = mapped_column(default=utc_now, index=True)
    buried_at: Mapped[datetime | None]
