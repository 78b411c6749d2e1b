"""Where all state lives: SQLAlchemy models, the engine, and the alembic migrations.

In: a database URL. Out: sessions and mapped classes. `upgrade` brings an empty or older database to this version;
a database newer than this code is refused.
"""

from pacs_agent.db.engine import Database, DatabaseTooNew, upgrade
from pacs_agent.db.model_uses import (
    OWN_PIPELINES,
    SHADOW_PIPELINE,
    ModelCheck,
    ModelRecall,
    ModelShadow,
    ModelUpload,
    ReadingStatistics,
    ShadowReading,
)
from pacs_agent.db.models import (
    AuditChain,
    AuditEvent,
    Base,
    Delivery,
    DeliveryState,
    Destination,
    DestinationSecret,
    Instance,
    Job,
    JobState,
    JobStep,
    ModelActivation,
    Origin,
    Patient,
    Peer,
    QuarantinedInstance,
    ResultObject,
    RuleSet,
    Series,
    StepState,
    Study,
    StudyState,
    Worker,
    utc_now,
)
from pacs_agent.db.operations import Condition, ConfigurationDraft, Notice, RuntimeSettings, Upkeep
from pacs_agent.db.reviews import REVIEW_PIPELINE, HandledFinding, Review, ReviewerHere
from pacs_agent.db.search import begins, search_key
from pacs_agent.db.transfers import Transfer, TransferKind, TransferState
from pacs_agent.db.users import EndedSession, User
from pacs_agent.db.work import Suspension

__all__ = [
    "OWN_PIPELINES",
    "REVIEW_PIPELINE",
    "SHADOW_PIPELINE",
    "AuditChain",
    "AuditEvent",
    "Base",
    "Condition",
    "ConfigurationDraft",
    "Database",
    "DatabaseTooNew",
    "Delivery",
    "DeliveryState",
    "Destination",
    "DestinationSecret",
    "EndedSession",
    "HandledFinding",
    "Instance",
    "Job",
    "JobState",
    "JobStep",
    "ModelActivation",
    "ModelCheck",
    "ModelRecall",
    "ModelShadow",
    "ModelUpload",
    "Notice",
    "Origin",
    "Patient",
    "Peer",
    "QuarantinedInstance",
    "ReadingStatistics",
    "ResultObject",
    "Review",
    "ReviewerHere",
    "RuleSet",
    "RuntimeSettings",
    "Series",
    "ShadowReading",
    "StepState",
    "Study",
    "StudyState",
    "Suspension",
    "Transfer",
    "TransferKind",
    "TransferState",
    "Upkeep",
    "User",
    "Worker",
    "begins",
    "search_key",
    "upgrade",
    "utc_now",
]
