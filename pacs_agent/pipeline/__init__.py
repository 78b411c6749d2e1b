"""The durable workflow of a study: from a queued job to objects that are delivered and confirmed.

In: rows in `jobs`. Out: rows in `job_steps`, `result_objects` and `deliveries`, the job's state and progress. A job
ends done, with no result (said in DICOM), failed (a dead letter, which people run again) or canceled; it never just
stops.
"""

from pacs_agent.pipeline.again import count_to_read_again, read_again, results_of
from pacs_agent.pipeline.control import (
    RERUN_AT_ONCE,
    DeadLetters,
    cancel,
    conditions_of,
    reprioritise,
    rerun,
    rerun_all,
    send_again,
)
from pacs_agent.pipeline.errors import JobFailed, JobStateError, NothingToSay, PipelineError
from pacs_agent.pipeline.queue import resume, suspend, suspension, waiting
from pacs_agent.pipeline.registry import PIPELINES
from pacs_agent.pipeline.shared import Shared
from pacs_agent.pipeline.stages import Choice, Document, Documents, JobFacts, Stages
from pacs_agent.pipeline.worker import WorkerProcess, run_worker

__all__ = [
    "PIPELINES",
    "RERUN_AT_ONCE",
    "Choice",
    "DeadLetters",
    "Document",
    "Documents",
    "JobFacts",
    "JobFailed",
    "JobStateError",
    "NothingToSay",
    "PipelineError",
    "Shared",
    "Stages",
    "WorkerProcess",
    "cancel",
    "conditions_of",
    "count_to_read_again",
    "read_again",
    "reprioritise",
    "rerun",
    "rerun_all",
    "results_of",
    "resume",
    "run_worker",
    "send_again",
    "suspend",
    "suspension",
    "waiting",
]
