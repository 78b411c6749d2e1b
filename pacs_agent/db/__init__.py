"""Where all state lives: SQLAlchemy models, the engine, and the alembic migrations.

In: a database URL. Out: sessions and mapped classes. `upgrade` brings an empty or older database to this version;
a database newer than this code is refused.
"""

from pacs_agent.db.engine import Database, DatabaseTooNew, upgrade
from pacs_agent.db.models import (
    AuditEvent,
    Base,
    Delivery,
    DeliveryState,
    Destination,
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
from pacs_agent.db.reviews import REVIEW_PIPELINE, HandledFinding, Review, ReviewerHere
from pacs_agent.db.users import EndedSession, User

__all__ = [
    "REVIEW_PIPELINE",
    "AuditEvent",
    "Base",
    "Database",
    "DatabaseTooNew",
    "Delivery",
    "DeliveryState",
    "Destination",
    "EndedSession",
    "HandledFinding",
    "Instance",
    "Job",
    "JobState",
    "JobStep",
    "ModelActivation",
    "Origin",
    "Patient",
    "Peer",
    "QuarantinedInstance",
    "ResultObject",
    "Review",
    "ReviewerHere",
    "RuleSet",
    "Series",
    "StepState",
    "Study",
    "StudyState",
    "User",
    "Worker",
    "upgrade",
    "utc_now",
]
